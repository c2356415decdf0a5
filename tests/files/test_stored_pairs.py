"""Pairs of symbols in a file: valid ones, and how many a text might have had."""

import numpy as np
import pytest

from crnn.files.stored_pairs import expected_pairs, pairs_fault, stored_pairs

INVALID = "its bigrams.pairs contains an invalid pair of symbols"
TWICE = "its bigrams.pairs contains a pair twice"


@pytest.mark.parametrize(
    ("pairs", "fault"),
    [
        ([[0, 6], [6, 0], [3, 3]], None), ([[0, 6], [-1, -1], [-1, -1]], None), ([[0, 7]], INVALID),
        ([[7, 0]], INVALID), ([[0, 1], [-1, 0]], INVALID), ([[0, 1], [0, -1]], INVALID), ([[-2, -2]], INVALID),
        ([[3, 2], [2, 3], [3, 2]], TWICE),
    ],
)  # fmt: skip
def test_pairs_of_seven_symbols(pairs, fault):
    assert pairs_fault(np.array(pairs, np.int32), 7) == fault


@pytest.mark.parametrize(
    ("configuration", "limit"), [({}, 2), ({"n_bigrams": 5}, 5), ({"n_bigrams": 1}, 2), ({"n_bigrams": 5.0}, 2)]
)
def test_a_text_may_have_had_fewer_pairs(configuration, limit):
    found = stored_pairs(np.array([[0, 1], [1, 0]], np.int32), configuration)
    assert found.limit == limit
    assert found.pairs.tolist() == [[0, 1], [1, 0]]


def test_file_without_pairs_has_no_table():
    assert stored_pairs(None, {"n_bigrams": 5}) is None
    assert expected_pairs(None) == {}
