"""Confusions learned from scans whose originals are known."""

import random

import pytest

from crnn import CharNGram, InvalidInputError, learn_confusions

TEXT = "The modern man came home from the market and met many more men there, for some time. " * 5


def test_rates_are_shares_of_the_originals_occurrences():
    pairs = [("the rnan carne home", "the man came home"), ("a rnouse", "a mouse")]
    assert learn_confusions(pairs) == {"rn": {"m": 3 / 4}}
    assert learn_confusions([(scan.encode(), text.encode()) for scan, text in pairs]) == {b"rn": {b"m": 3 / 4}}
    assert learn_confusions([("to be~ or not", "to be or not")]) == {}  # once


@pytest.mark.parametrize(("scan", "original", "expected"), [
    ("to~ be~ or", "to be or", {"~": {"": 2 / 8}}), ("t be r be t", "to be or be to", {"t": {"to": 1.0}}),
    ("wann. warn.", "warm. warm.", {}), ("", "", {}), ("a", "a b", {}),
    ("to or to be", "to be or to be", {}), ("a b a b", "a  b a  b", {" ": {"  ": 1.0}}),
    ("same same", "same same", {}),
])  # fmt: skip
def test_excess_and_missing_symbols(scan, original, expected):
    assert learn_confusions([(scan, original)]) == expected


def test_a_model_restores_with_what_it_has_learned():
    rng = random.Random(0)
    words = TEXT.split()
    rng.shuffle(words)
    original = " ".join(words)
    scan = "".join("rn" if c == "m" and rng.random() < 0.3 else c for c in original)
    learned = learn_confusions([(scan, original)])
    assert learned.keys() == {"rn"}
    assert 0.15 < learned["rn"]["m"] < 0.45
    model = CharNGram(6).fit(TEXT)
    assert model.restore("a modern rnan carne horne", confusions=["ocr", learned]) == "a modern man came home"


@pytest.mark.parametrize(("pairs", "message"), [
    ("ab", "^pairs must be a list of tuples"), ([("a", b"a")], r"^pairs\[0\] must be a tuple"), ([("a",)], "must be"),
    ([("a", "a"), (b"a", b"a")], r"^pairs\[1\] must be"), ([3], r"^pairs\[0\] must be"), (3, "^pairs must be a list"),
    ([("a", "a"), ("to be or not", "a quick fox jumps")], r"^pairs\[1\] has two texts with little in common"),
])  # fmt: skip
def test_wrong_pairs_are_refused(pairs, message):
    with pytest.raises(InvalidInputError, match=message):
        learn_confusions(pairs)
