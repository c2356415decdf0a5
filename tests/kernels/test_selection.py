"""The compiled beam search for damaged texts, compared with its reference."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn._kernels.inference.selection import RECENT_SYMBOLS, Selection
from crnn.reference.restoring import restored_steps
from crnn.restoring import restorer as restoring
from crnn.restoring.channel import Channel
from crnn.restoring.confusions import checked_confusions
from crnn.restoring.damage import CHANGE_KINDS, Damage
from crnn.restoring.restorer import Restorer
from crnn.text.vocabulary import Vocabulary

SYMBOLS = " abcABé"
STRANGE = "żŻ5"  # which the models lack
CONFUSIONS = [
    {"a": "b", "bb": "A", "c": ["ab", "", "acb"], "5": "é", " ": ""},
    {"abc": {"B": 0.5, "éaéa": 0.1}, "Ż": "aaaa", "é": "e"},
]
RATES = st.sampled_from([0.0, 0.1, 1.0])


def widths(kinds, beams):
    """Return different numbers of hypotheses at different places."""
    return np.array([beams + kind % 2 for kind in kinds], np.int32)


class Random:
    """A network with random logits, which depend on the last two symbols; it needs no compiled code."""

    symbols = len(SYMBOLS) + 1

    def __init__(self, seed, boundary, context_length):
        self.boundary, self.context_length = boundary, context_length
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


def with_tolls_subtracted(channel):
    names = ("costs", "skip", "insert_costs", "swap", "replacement_costs")
    return channel._replace(**{name: getattr(channel, name) @ [1, -1] for name in names})


@given(
    st.lists(st.text(SYMBOLS + STRANGE + "_", max_size=13), min_size=1, max_size=5),
    st.tuples(
        st.sampled_from([0.0, 0.1, 1.0]),
        st.booleans(),
        st.sampled_from([0.0, 0.1, 1.0]),
        st.sampled_from([None, ord("_")]),
        st.sampled_from([0.0, 0.1, 0.6]),
        st.sampled_from([None, *CONFUSIONS]),
    ).filter(any),
    st.sampled_from([0.0, 1.0]),
    st.integers(1, 7),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([None, 2, 10]),
    st.sampled_from([(np.inf, 12.0), (2.0, 1.0), (14.0, 0.1), (14.0, 0.0)]),
)
def test_best_path_matches_reference(texts, damage, least, beams, seed, documents, context_length, bounds):
    vocabulary = Vocabulary.from_text(SYMBOLS + ("" if documents else "_"))
    if documents:
        vocabulary = Vocabulary.from_blocks([SYMBOLS], boundary=True)
    network = Random(seed, vocabulary.boundary, context_length)
    case, accents, spaces, gap, typos, confusions = damage
    confusions = None if confusions is None else checked_confusions(confusions, False)
    damage = Damage(case, accents, spaces, gap, typos, confusions, dict.fromkeys(CHANGE_KINDS, least))
    restorer = Restorer(network, vocabulary, damage, beams, "", 1)
    restorer.margin, penalty = bounds
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restoring, "SAME_ENDING_PENALTY", penalty)
        patch.setattr(restoring, "beams_at", lambda part, *_: widths(part, beams))
        patch.setattr(restorer, "_without_weak_changes", lambda path, codes: restoring._Judged(path, [], []))
        found = restorer.restore(texts, changes=False)
    codes = sorted({ord(c) for text in texts for c in text})
    channel = with_tolls_subtracted(Channel.of(damage, vocabulary, codes))
    for text, restored in zip(texts, found, strict=True):
        kinds = [codes.index(ord(c)) for c in text]
        steps = restored_steps(
            network.log_p, kinds, channel, vocabulary.boundary, context_length, widths(kinds, beams).tolist(), *bounds,
            RECENT_SYMBOLS,
        )  # fmt: skip
        read = vocabulary.decode([symbol for symbol, _ in steps if symbol >= 0])
        assert "".join(c for c in restored if c in vocabulary) == read


def channel(**changes):
    tables = Channel.of(Damage(True, False, False, None, 0.1), Vocabulary.from_text("aAb"), [65, 97, 98])
    return tables._replace(**changes)


REPLACEMENT = {
    "openings": np.array([0, 0, 0, 1], np.int32), "replacements": np.array([[-1, -1, 0]], np.int32),
    "replacement_costs": np.zeros((1, 2)), "steps": np.array([[0, 1, 0]], np.int32),
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"x": [3]}, {"x": [-1]}, {"lengths": [2]}, {"x": [0, 0, 0], "lengths": [1, 2]}, {"lengths": [-1]},
        {"beams": [0]}, {"beams": [1, 1]}, {"vocab_size": 2}, {"end": 3},
        {"channel": channel(symbols=np.array([7] * 9, np.int32))},
        {"channel": channel(symbols=np.full(9, -1, np.int32))},
        {"channel": channel(plain=np.zeros(3, np.int32))},
        {"channel": channel(skip=np.zeros((2, 2)))},
        {"channel": channel(**REPLACEMENT | {"replacements": np.zeros((0, 3), np.int32)})},
        {"channel": channel(**REPLACEMENT | {"steps": np.array([[0, 1, 5]], np.int32)})},
        {"channel": channel(**REPLACEMENT | {"steps": np.array([[3, 1, 0]], np.int32)})},
        {"channel": channel(**REPLACEMENT | {"steps": np.zeros((0, 3), np.int32)})},
        {"channel": channel(inserted=np.array([3, 0, 0], np.int32))},
    ],
)  # fmt: skip
def test_refuses_tables_of_another_size(changes):
    given = {"x": [0], "lengths": [1], "channel": channel(), "vocab_size": 3, "end": None, "context": None}
    given |= {"beams": [2], "margin": 9.0, "penalty": 0.0} | changes
    given |= {"x": np.array(given["x"], np.int32), "lengths": np.array(given["lengths"], np.intp)}
    given["beams"] = np.array(given["beams"] * (len(given["x"]) if len(given["beams"]) == 1 else 1), np.int32)
    with pytest.raises(ValueError, match="fit together"):
        Selection(**given)


@pytest.mark.parametrize("shape", [(2, 3), (1, 2)])
def test_refuses_logits_of_other_rows(shape):
    selection = Selection(np.zeros(1, np.int32), np.ones(1, np.intp), channel(), 3, None, None, ids(2), 9.0, 0.0)
    with pytest.raises(ValueError, match="expected logits of 1 rows and 3 symbols"):
        selection.advance(np.zeros(shape), np.zeros((0, 3)))


def ids(*symbols):
    return np.array(symbols, np.int32)


def tables_of(candidates, plain, inserted=()):
    """Return the tables of kinds with these candidates, which cost nothing, as the symbols that may be missing do."""
    none, n = np.zeros((0, 3), np.int32), len(candidates)
    first, symbols = np.cumsum([0, *map(len, candidates)], dtype=np.int32), ids(*itertools.chain(*candidates))
    return Channel(
        first, ids(*plain), symbols, np.zeros((len(symbols), 2)), np.full((n, 2), -np.inf), np.ones(n, np.uint8),
        ids(*inserted), np.zeros((len(inserted), 2)), np.ones(len(inserted), np.uint8), np.full(2, -np.inf), 0.0, 0.0,
        np.zeros(n + 1, np.int32), none, np.zeros((0, 2)), none,
    )  # fmt: skip


def test_insertions_that_cannot_be_among_the_best_are_not_read():
    # Symbol 0 is the only candidate, and ends a text; 2 and 1 may be missing, which costs nothing.
    tables = tables_of([[0]], [1], inserted=ids(2, 1))

    def inserted(beams, *logits):
        selection = Selection(ids(0), np.ones(1, np.intp), tables, 3, 0, None, ids(beams), 10.0, 0.0)
        return selection, selection.insert(np.array([logits]))[1].tolist()

    assert inserted(2, 0.0, -3.0, -20.0)[1] == [1]
    assert inserted(1, 0.0, -3.0, -20.0)[1] == []  # not above the worst of the only beam
    selection, symbols = inserted(2, -50.0, 0.0, -20.0)
    assert symbols == [1]  # 2 is far below the best insertion, not below the candidate
    selection.advance(np.array([[-50.0, 0.0, -20.0]]), np.array([[0.0, -9.0, -9.0]]))
    assert not selection.insert(np.array([[0.0, -5.0, -20.0]]))[1].size  # the end is more probable


def test_texts_with_equal_digests_do_not_merge():
    tables = tables_of([[0, 1], [0, 4]], [2, 2])
    selection = Selection(ids(0, 1), np.full(1, 2), tables, 6, 5, 40, ids(2, 2), np.inf, 0.0)

    def advance(*logits):
        return [part.tolist() for part in selection.advance(np.array(logits), np.zeros((0, 6)))]

    assert advance([0.0, -1.0, -99, -99, -99, -99]) == [[0, 0], [0, 1]]
    # The digests of (0, 4) and (1, 0) are equal: a context of 40 symbols multiplies a digest by 4 before it adds one.
    assert advance([-99, -99, -99, -99, 0.0, -99], [0.0, -99, -99, -99, -99, -99]) == [[0, 1], [4, 0]]
    advance([0.0, -99, -99, -99, -99, -9.0], [0.0, -99, -99, -99, -99, 9.0])
    assert selection.path(0)[0].tolist() == [1, 0]


A, B, C = (0, 3), (1, 3), (0, 4)  # the first and last symbols of texts that are less and less probable


@pytest.mark.parametrize(("beams", "margin", "penalty", "kept"), [
    (3, np.inf, 1.0, [A, B, C]), (3, np.inf, 9.0, [A, C, B]), (2, np.inf, 9.0, [A, C]), (3, 5.0, 9.0, [A, C]),
])  # fmt: skip
def test_of_texts_with_the_same_last_symbols_all_but_the_best_rank_lower(beams, margin, penalty, kept):
    tables = tables_of([[0, 1], [3], [3, 4]], [2, 1, 2])
    x = ids(0, *[1] * (RECENT_SYMBOLS - 1), 2)
    selection = Selection(x, np.full(1, len(x)), tables, 5, None, None, ids(*[beams] * len(x)), margin, penalty)
    rows, first = selection.advance(np.array([[0.0, -2.0, -99, -99, -99]]), np.zeros((0, 5)))
    for _ in range(RECENT_SYMBOLS):
        rows, last = selection.advance(np.array([[-99, -99, -99, 0.0, -4.5]] * 2), np.zeros((0, 5)))
    assert [(first[row], symbol) for row, symbol in zip(rows, last, strict=True)] == kept
