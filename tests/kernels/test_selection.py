"""The compiled beam search for damaged texts, compared with its reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn._kernels.inference.selection import RECENT_SYMBOLS, Selection
from crnn.inference.restoring import Channel, Damage, Restorer
from crnn.reference.restoring import restored_steps
from crnn.text.vocabulary import Vocabulary

SYMBOLS = " abcABé"


class Random:
    """A network with random logits, which depend on the last two symbols; it needs no compiled code."""

    symbols = len(SYMBOLS) + 1

    def __init__(self, seed, boundary):
        self.boundary = boundary
        before = self.symbols + 1
        self.table = np.random.default_rng(seed).normal(scale=2, size=(before, before, self.symbols))

    def repeat(self, state, streams):
        return np.repeat(state, streams, axis=0)

    def select(self, state, streams):
        return state[streams]

    def join(self, states):
        return np.concatenate(states)

    def feed(self, x, state):
        for row in x:
            state[:] = np.column_stack([state[:, 1], row])

    def logits_after(self, state):
        return self.table[state[:, 0], state[:, 1]]

    def rows_at_a_time(self, wanted):
        return wanted

    def empty_state(self):
        return np.full((1, 2), self.symbols)

    def start(self):
        return self.empty_state()

    def log_p(self, symbols):
        first, second = [self.symbols, self.symbols, *symbols][-2:]
        y = self.table[first, second]
        return y - np.log(np.exp(y).sum())


@given(
    st.lists(st.text(SYMBOLS + "_", max_size=9), min_size=1, max_size=5),
    st.tuples(*[st.booleans()] * 3, st.sampled_from([None, ord("_")]), st.sampled_from([0.0, 0.1, 0.6])).filter(any),
    st.integers(1, 7),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_best_path_matches_reference(texts, damage, beams, seed, documents):
    vocabulary = Vocabulary.from_text(SYMBOLS + ("" if documents else "_"))
    if documents:
        vocabulary = Vocabulary.from_blocks([SYMBOLS], boundary=True)
    if documents and damage[3] is None:
        texts = [text.replace("_", "") for text in texts]
    network = Random(seed, vocabulary.boundary)
    restorer = Restorer(network, vocabulary, Damage(*damage), beams, "", 1)
    found = restorer.restored(texts, changes=False)
    codes = sorted({ord(c) for text in texts for c in text})
    channel = Channel.of(Damage(*damage), vocabulary, codes)
    for text, restored in zip(texts, found, strict=True):
        kinds = [codes.index(ord(c)) for c in text]
        steps = restored_steps(network.log_p, kinds, channel, vocabulary.boundary, beams, 14.0, RECENT_SYMBOLS)
        assert restored == vocabulary.decode([symbol for symbol, _ in steps if symbol >= 0])


def channel(**changes):
    tables = Channel.of(Damage(True, False, False, None, 0.1), Vocabulary.from_text("aAb"), [65, 97, 98])
    return tables._replace(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": [3]}, {"x": [-1]}, {"lengths": [2]}, {"x": [0, 0, 0], "lengths": [1, 2]}, {"lengths": [-1]},
        {"beams": 0}, {"vocab_size": 2}, {"end": 3},
        {"tables": channel(symbols=np.array([7] * 9, np.int32))}, {"tables": channel(plain=np.zeros(3, np.int32))},
        {"tables": channel(skip=np.zeros(2))}, {"tables": channel(inserted=np.array([3, 0, 0], np.int32))},
    ],
)  # fmt: skip
def test_refuses_tables_of_another_size(changes):
    given = {"x": [0], "lengths": [1], "tables": channel(), "vocab_size": 3, "end": None, "beams": 2, "margin": 9.0}
    given |= changes
    given |= {"x": np.array(given["x"], np.int32), "lengths": np.array(given["lengths"], np.intp)}
    with pytest.raises(ValueError, match="fit together"):
        Selection(**given)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2)])
def test_refuses_logits_of_other_rows(shape):
    selection = Selection(np.zeros(1, np.int32), np.ones(1, np.intp), channel(), 3, None, 2, 9.0)
    with pytest.raises(ValueError, match="expected logits of 1 rows and 3 symbols"):
        selection.advance(np.zeros(shape), np.zeros((0, 3)))


def ids(*symbols):
    return np.array(symbols, np.int32)


def test_insertions_that_cannot_be_among_the_best_are_not_read():
    # Symbol 0 is the only candidate, and ends a text; 2 and 1 may be missing, which costs nothing.
    tables = Channel(ids(0, 1), ids(1), ids(0), np.zeros(1), np.full(1, -np.inf), np.ones(1, np.uint8), ids(2, 1),
                     np.zeros(2), np.ones(2, np.uint8), -np.inf)  # fmt: skip

    def inserted(beams, *logits):
        selection = Selection(ids(0), np.ones(1, np.intp), tables, 3, 0, beams, 10.0)
        return selection, selection.insert(np.array([logits]))[1].tolist()

    assert inserted(2, 0.0, -3.0, -20.0)[1] == [1]
    assert inserted(1, 0.0, -3.0, -20.0)[1] == []  # not above the worst of the only beam
    selection, symbols = inserted(2, -50.0, 0.0, -20.0)
    assert symbols == [1]  # 2 is far below the best insertion, not below the candidate
    selection.advance(np.array([[-50.0, 0.0, -20.0]]), np.array([[0.0, -9.0, -9.0]]))
    assert not selection.insert(np.array([[0.0, -5.0, -20.0]]))[1].size  # the end is more probable
