"""The definition of modified Kneser-Ney itself, on texts small enough to count by hand."""

import pytest

from crnn.reference.kneser_ney import KneserNey


def test_counts_of_a_text_by_hand():
    model = KneserNey([[0, 0, 1, 0, 0, 1]], order=3, symbols=2)
    assert model.counts[2] == {(0, 0, 1): 2, (0, 1, 0): 1, (1, 0, 0): 1}
    assert model.counts[1] == {(0, 0): 2, (0, 1): 1, (1, 0): 1}  # 00 begins the text, and follows 1
    assert model.counts[0] == {(0,): 3, (1,): 1}  # 0 begins the text, and follows 0 and 1


def test_documents_begin_with_a_boundary_and_end_with_one():
    model = KneserNey([[0, 2, 0, 2], [1, 2]], order=2, symbols=3, boundary=2)
    assert model.counts[1] == {(2, 0): 2, (0, 2): 2, (2, 1): 1, (1, 2): 1}
    assert model.counts[0] == {(0,): 1, (1,): 1, (2,): 2}


def test_a_probability_by_hand():
    model = KneserNey([[0, 0, 1]], order=2, symbols=2)  # too short for discounts: 0.5, 1, 1.5
    back_off = (1 + 0.5) / 3  # 0 begins the text and follows 0, 1 follows 0
    unigram = [(2 - 1) / 3 + back_off / 2, (1 - 0.5) / 3 + back_off / 2]
    assert model.probabilities([]) == pytest.approx(unigram)
    assert model.probability([0], 1) == pytest.approx((1 - 0.5) / 2 + (0.5 + 0.5) / 2 * unigram[1])
    assert model.probabilities([1]) == pytest.approx(unigram)  # nothing has followed 1


def test_symbols_before_the_last_boundary_do_not_matter():
    model = KneserNey([[0, 1, 2, 1, 0, 2]], order=4, symbols=3, boundary=2)
    assert model.probabilities([0, 1, 2]) == model.probabilities([2])
    assert model.probabilities([1, 0]) != model.probabilities([2, 1, 0])
