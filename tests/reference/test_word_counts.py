"""The definition of counts of words itself, on texts small enough to count by hand."""

import pytest

from crnn.reference.word_counts import WordCounts, contexts

# The symbols a, A, b, space and period, whose letters have the lower case a, a, b.
LETTERS, FOLDS = [1, 1, 1, 0, 0], [0, 0, 2, 3, 4]
a, A, b, space, period = range(5)


def test_contexts_are_the_letters_so_far_and_the_words_before():
    assert contexts([A, b, space, b, period, space, a, A], LETTERS, FOLDS) == [
        ((0,), (a, a)),
        ((0,), (a, a), (b,)),
        ((0,), (a, a), (b,), (b, a)),
    ]


def test_symbols_since_the_last_letter_take_the_place_of_the_letters():
    assert contexts([A, b, space, b, period, space], LETTERS, FOLDS) == [
        ((1,), (space, period)),
        ((1,), (space, period), (b,)),
        ((1,), (space, period), (b,), (b, a)),
    ]


def test_nothing_before_a_boundary_counts():
    text = [a, space, 5, A]
    assert contexts(text, [*LETTERS, 0], [*FOLDS, 5], 5)[2] == ((0,), (a,), (), ())
    assert contexts([a, 5], [*LETTERS, 0], [*FOLDS, 5], 5)[2] == ((0,), (), (), ())


def test_counts_by_hand():
    """Both cases of a letter count as one symbol; contexts with a previous word count different longer ones."""
    model = WordCounts([a, b, space, A, b, space, A, b], LETTERS, FOLDS)
    after_a = {symbol: n for (context, symbol), n in model.counts[2].items() if context[1] == (a,)}
    assert after_a == {b: 1}  # the last of three contexts that differ in the words before
    assert model.counts[2][((0,), (a,), (a, b)[::-1], (b, a)), b] == 1
    assert model.counts[0][((0,), (a,)), b] == 2  # after no word, and after a word
    assert sum(model.folded([A, b, space]).values()) == pytest.approx(1)


def test_another_model_tells_the_cases_apart():
    model = WordCounts([a, b, space, A, b, space, A, b], LETTERS, FOLDS)
    folded = model.folded([a, b, space])
    found = model.probabilities([a, b, space], [0.1, 0.3, 0.2, 0.2, 0.2])
    assert found == pytest.approx([0.25 * folded[a], 0.75 * folded[a], folded[b], folded[space], folded[period]])
