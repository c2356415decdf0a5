"""Does `benchmarks.gibberish` find random strings, and count them right?"""

import random

import numpy as np
import pytest

from benchmarks import gibberish

WORDS = [a + b for a in ("under", "over", "out", "fore", "after") for b in ("stand", "take", "look", "cast", "ground")]


def test_random_strings_are_new_and_of_their_kind():
    odd = gibberish.random_strings(WORDS * 20, random.Random(0))
    assert {len(texts) for texts in odd.values()} == {gibberish.N_RANDOM}
    assert set("".join(odd["consonants"])) == set(gibberish.CONSONANTS)
    assert {sorted(text)[0] for text in odd["hex"]} <= set("0123456789abcdef")
    assert all(sorted(text) in [sorted(word) for word in WORDS] for text in odd["shuffled"])


def test_words_and_identifiers_are_read_from_sources():
    source = 'def first_name(self):\n    """Return the Name."""\n    return "quoted" + other  # comment'
    assert list(gibberish.docstring_words([source])) == ["Return", "the", "Name"]
    assert list(gibberish.identifiers([source])) == ["def", "first_name", "self", "return", "other"]


def test_the_threshold_flags_a_share_of_ordinary_strings():
    scores = np.arange(200.0)[::-1]
    assert (scores < gibberish.threshold(scores, 0.01)).sum() == 2


@pytest.mark.filterwarnings("ignore:no alarm is likely")
def test_counts_find_more_than_entropy():
    learned = WORDS * 4
    odd = gibberish.random_strings(WORDS * 20, random.Random(1))["consonants"]

    def share(score):
        return float((score(odd) < gibberish.threshold(score(WORDS))).mean())

    assert share(gibberish.by_detector(learned, "mean")) > 0.9
    assert share(gibberish.by_entropy(learned)) < 0.3


def test_own_thresholds_of_the_peers():
    pytest.importorskip("detect_secrets")
    score = gibberish.by_detect_secrets([])
    assert score(["ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6", "understand"]).tolist() == [-1.0, 1.0]
