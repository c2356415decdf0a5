"""RecentScores: each text is scored once, its score has the same bits, and memory is bounded."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.inference.scoring import recent_scores
from crnn.inference.scoring.recent_scores import RecentScores


def scorer(asked):
    """Return a function that scores a text by its hash, and notes the texts it is asked for."""

    def score(texts):
        asked.append(list(texts))
        return np.array([hash(text) / 7 for text in texts])

    return score


@given(st.lists(st.lists(st.one_of(st.none(), st.text("ab", max_size=3)), max_size=9), max_size=9), st.integers(1, 5))
def test_scores_are_those_of_the_texts_in_their_places(blocks, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_scores, "MAX_TEXTS", limit)
        recent = RecentScores()
        for block in blocks:
            expected = [math.nan if text is None else hash(text) / 7 for text in block]
            np.testing.assert_array_equal(recent.look_up(block, scorer([])), np.array(expected, np.float64))


def test_a_text_is_scored_once():
    recent, asked = RecentScores(), []
    for block in (["b", "a", "b"], ["a", "c", "c"], ["b", None], ["c"]):
        recent.look_up(block, scorer(asked))
    assert asked == [["b", "a"], ["c"]]


def test_frequent_texts_stay_and_others_are_dropped(monkeypatch):
    monkeypatch.setattr(recent_scores, "MAX_TEXTS", 3)
    recent, asked = RecentScores(), []
    for i in range(20):
        recent.look_up(["often", str(i)], scorer(asked))
    recent.look_up(["0"], scorer(asked))
    assert sum(texts.count("often") for texts in asked) == 1
    assert asked[-1] == ["0"]


def test_long_texts_are_dropped_by_their_symbols(monkeypatch):
    monkeypatch.setattr(recent_scores, "MAX_SYMBOLS", 10)
    recent, asked = RecentScores(), []
    for text in ("a" * 11, "b" * 11, "b" * 11, "c", "a" * 11):
        recent.look_up([text], scorer(asked))
    assert [texts[0][0] for texts in asked] == ["a", "b", "c", "a"]
