"""`vocabulary=`: the characters of a model, fixed before any text."""

from __future__ import annotations

import numpy as np
import pytest

from crnn import BOUNDARY, UNKNOWN, CharRNN, Lines


def small(**parameters):
    return CharRNN(**{"hidden_size": 3, "random_state": 0, "max_steps": 2} | parameters)


@pytest.mark.parametrize(
    ("given", "X", "symbols"),
    [
        ("cabba", "ab", ["a", "b", "c"]),
        ({"c", "a", "b"}, ["ab", ""], ["a", "b", "c", BOUNDARY]),
        (np.array(["c", "a", "b"]), ["ab"], ["a", "b", "c", BOUNDARY]),
        ([b"c", b"a", b"b"], [b"ab"], [b"a", b"b", b"c", BOUNDARY]),
    ],
)
def test_model_has_the_given_symbols(given, X, symbols):
    assert list(small(vocabulary=given).fit(X).vocabulary_) == symbols
    assert list(small(vocabulary=given, min_count=2).fit(X).vocabulary_) == sorted(
        [*symbols, UNKNOWN], key=lambda symbol: (symbol is BOUNDARY, symbol is UNKNOWN)
    )


def test_blocks_of_a_stream_are_learned_as_the_vocabulary_of_all_would_have_it():
    blocks = ["abab" * 3, "cdcd" * 3]
    stream = small(vocabulary="abcd")
    whole = small(max_steps=0).fit("abcd").set_params(max_steps=2)
    for block in blocks:
        stream.partial_fit(block)
        whole.partial_fit(block)
    np.testing.assert_array_equal(stream.params_["Why"], whole.params_["Why"])
    assert stream.n_steps_ == 2


def test_lines_in_a_cache_have_no_line_ends(tmp_path):
    (tmp_path / "text").write_text("ab\n\nb\n")
    lines = Lines(tmp_path / "text", cache=tmp_path)
    assert list(small(vocabulary="abc").fit(lines).vocabulary_) == ["a", "b", "c", BOUNDARY]
