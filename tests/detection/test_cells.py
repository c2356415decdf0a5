"""Cells: shapes, masks of columns, similar words, and scores that can be compared between columns."""

import math
from collections import Counter

import numpy as np
import pytest

from crnn.detection.cells import (
    Evidence,
    collapsed_shape,
    has_codes,
    has_numbers,
    is_one_typo_away,
    masked_digits,
    relative_scores,
    shape_log_shares,
    similar_words,
    weighted_quantile,
)


@pytest.mark.parametrize(("text", "shape"), [
    ("", ""), ("Bolt 17", "Aa 0"), ("PO-12/x", "A-0/a"), ("\u00c9cole", "Aa"), ("a  b", "a a"), ("--", "-"),
])  # fmt: skip
def test_a_shape_keeps_what_is_neither_letter_nor_digit(text, shape):
    assert collapsed_shape(text) == shape


def test_shapes_count_each_occurrence():
    shares = shape_log_shares(Counter({"Ann": 2, "Bob": 1, "x1": 1}))
    assert np.exp(shares) == pytest.approx([3 / 4, 3 / 4, 1 / 4])


def test_columns_of_codes_and_of_numbers():
    names = Counter({"Ann": 5, "B2": 2})
    assert not has_codes(names)
    codes = Counter(f"AB-{i}" for i in range(100, 200))
    assert has_codes(codes)
    assert not has_numbers(codes)
    numbers = Counter(str(i) for i in range(1000))
    assert has_numbers(numbers)
    fixed = Counter(str(i) for i in range(10_000, 11_000))
    assert not has_numbers(fixed + Counter(["1234"]))  # so that a missing digit is seen
    assert has_numbers(numbers + Counter(["x"] * 40))
    assert not has_numbers(numbers + Counter(["x"] * 60))
    assert masked_digits("12.5 kg") == "00.0 kg"
    assert masked_digits("12.5 kg", runs=True) == "0.0 kg"


@pytest.mark.parametrize("other", ["harton", "harttton", "hortton", "hatrton", "artton", "harttons"])
def test_one_typo(other):
    assert is_one_typo_away("hartton", other)
    assert is_one_typo_away(other, "hartton")


@pytest.mark.parametrize("other", ["hartton", "hart", "hortten", "trahton", "notrah"])
def test_other_than_one_typo(other):
    assert not is_one_typo_away("hartton", other)


def test_typos_of_common_words():
    counts = Counter({"new harton": 9, "old hartown": 1, "harotn": 2, "barton": 8, "art": 1, "arc": 9, "pine": 2})
    found = dict(zip(counts, similar_words(counts), strict=True))
    assert found["old hartown"] == ("hartown", 1, "harton", 9)
    assert found["harotn"] == ("harotn", 2, "harton", 9)
    assert found["harotn"].log_ratio == pytest.approx(math.log(9 / 4))
    assert found["new harton"] is None  # 8 are not more than 9 squared
    assert found["art"] is None  # too short
    assert found["pine"] is None


def test_evidence_is_weighted_and_added():
    counts = np.array([5, 1, 1])
    evidence = Evidence(np.array([-2.0, -9, -2]), np.array([-0.1, -0.1, -4]), np.array([0.0, 0, -1]))
    assert evidence.total == pytest.approx([-2.05, -9.05, -5])
    assert evidence.parts(counts) == pytest.approx(np.array([[0, -7, 0], [0, 0, -1.95], [0, 0, -1]]))
    scores = relative_scores(evidence.total, counts)
    assert scores == pytest.approx([0, -7 / 9, -2.95 / 9])


def test_quantiles_count_occurrences():
    values, counts = np.array([3.0, 1, 2]), np.array([1, 8, 1])
    assert [weighted_quantile(values, counts, q) for q in (0, 0.5, 0.8, 0.85, 1)] == [1, 1, 1, 2, 3]
