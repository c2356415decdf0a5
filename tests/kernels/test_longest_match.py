"""The entry points of the longest match refuse whatever the compiled code could not read."""

import numpy as np
import pytest

from crnn._kernels.ngram.longest_match import CLASSES, History, learn_rows, rows_before

V = 5
HITS = np.tile([1.0, 2.0], (len(CLASSES), 1))
BEFORE = np.full((1, 3), -1, np.int32)
X = np.zeros((2, 1), np.int32)


def history():
    return History(V, np.array([0, 1, -1, 4], np.int32))


@pytest.mark.parametrize("symbols", [[V], [0, -2]])
def test_refuses_a_text_of_other_symbols(symbols):
    with pytest.raises(ValueError, match="ids must be from -1 to 4"):
        History(V, np.array(symbols, np.int32))


@pytest.mark.parametrize("n", [-1, 1 << 30])
def test_refuses_room_for_too_many_symbols(n):
    with pytest.raises(ValueError, match="a history has room for"):
        history().reserve(n)


@pytest.mark.parametrize(
    "hits", [HITS[1:], HITS[:, :1].copy(), HITS[:, ::-1].copy(), HITS * [0, 1], HITS * [np.nan, 1], HITS * [2, 1]]
)
def test_refuses_hits_that_are_no_counts(hits):
    with pytest.raises(ValueError, match=r"class|hits"):
        rows_before(history(), hits, X, BEFORE, np.empty((2, 1, V)))
    with pytest.raises(ValueError, match=r"class|hits"):
        learn_rows(history(), hits, X[:, 0].copy(), BEFORE[0], np.empty((2, V)))
    with pytest.raises(ValueError, match=r"class|hits"):
        history().row_source(hits)


@pytest.mark.parametrize(("x", "before", "shape"), [
    (X, BEFORE, (2, 1, V + 1)), (X, BEFORE, (4, 1, V)), (X, BEFORE, (1, 1, V)), (X, BEFORE, (2, 2, V)),
    (X, np.zeros((2, 3), np.int32), (2, 2, V)), (X + V, BEFORE, (2, 1, V)), (X - 1, BEFORE, (2, 1, V)),
    (X, BEFORE - 1, (2, 1, V)), (X, BEFORE + V + 1, (2, 1, V)),
], ids=str)  # fmt: skip
def test_refuses_rows_that_do_not_fit(x, before, shape):
    with pytest.raises(ValueError, match=r"size is|rows, got|ids must be"):
        rows_before(history(), HITS, x, before, np.empty(shape))


@pytest.mark.parametrize(
    ("x", "before", "shape"), [(X, BEFORE, (2, V + 1)), (X, BEFORE, (1, V)), (X + V, BEFORE, (2, V))], ids=str
)
def test_a_refused_text_is_not_learned(x, before, shape):
    kept = history()
    with pytest.raises(ValueError, match=r"size is|ids must be"):
        learn_rows(kept, HITS.copy(), x[:, 0].copy(), before[0], np.empty(shape))
    assert kept.text.tolist() == [0, 1, -1, 4]
