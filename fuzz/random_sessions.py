"""Random schedules of many sessions: each session has the bits of a text state that does the same alone."""

import functools
import pickle

import numpy as np

from crnn import CharNGram, CharRNN, InvalidInputError, Mixture

SYMBOLS = "abcdefg"
TEXT = "abcabgfedcbaaaabcdefg" * 3
DOCUMENTS = ["abba", "cab", "gfed", SYMBOLS] * 3
CELLS = ["rnn", "gru", "lstm", "cifg"]
KINDS = 64  # different models


@functools.lru_cache(maxsize=KINDS)
def model_of(kind):
    """Return a model: counts, a network, its 8-bit copy, one with labels, or a mixture."""
    rng = np.random.default_rng([12, kind])
    X = DOCUMENTS if rng.integers(2) else TEXT
    counts = CharNGram(int(rng.integers(1, 6)), min_count=int(rng.integers(1, 3))).fit(X)
    numbers = [{}, {"dtype": "float64"}, {"matmul_precision": "bfloat16"}][rng.integers(3)]
    inputs = [{}, {"n_bigrams": 5}, {"embedding_size": 3}][rng.integers(3)]
    shape = {"cell": CELLS[rng.integers(4)], "num_layers": int(rng.integers(1, 3)), **inputs, **numbers}
    network = CharRNN(int(rng.integers(1, 40)), max_steps=20, random_state=kind, n_threads=1, **shape)
    made = kind % 5
    if made == 0:
        return counts
    if made == 1 and X is DOCUMENTS:
        return network.fit(X, y=[i % 2 for i in range(len(X))]).for_label(1)
    network.fit(X)
    if made == 2 and not numbers:
        return network.quantize()
    return Mixture.from_fitted([network, CharNGram(3).fit(X)]) if made == 3 else network


def piece_of(rng):
    """Return a piece of text, which may be empty, and has an unknown symbol now and then."""
    length = int([0, 1, 1, 1, 2, 5, 30, 600][rng.integers(8)])
    piece = "".join(rng.choice(list(SYMBOLS), length))
    return piece + "ż" if rng.integers(60) == 0 else piece


def seen(states):
    """Return everything that can be seen of sessions, or of a list of single states."""
    sums = [(state.log_prob, state.min_log_prob, state._seen.tobytes()) for state in states]
    if isinstance(states, list):
        return sums, [state.next_proba().tobytes() for state in states]
    assert [one[:2] for one in sums] == [*zip(states.log_prob.tolist(), states.min_log_prob.tolist(), strict=True)]
    return sums, [row.tobytes() for row in states.next_proba()]


def fed(state, piece):
    """Feed a state; return log P of the piece, as if the state had read nothing before."""
    alone = state.copy()
    alone._sums = type(alone._sums)()
    state.feed(piece)
    return alone.feed(piece).log_prob


def step(states, single, rng):
    """Do one random thing to sessions and to single states; return both."""
    which = rng.permutation(len(single))[: rng.integers(len(single) + 1)]
    action = ["feed", "feed", "feed", "all", "end", "sample", "select", "join", "pickle"][rng.integers(9)]
    if action in ("feed", "all"):
        which = which if action == "feed" else np.arange(len(single))
        pieces = [piece_of(rng) for _ in which]
        if rng.integers(2) and len(which):  # of one length
            pieces = [piece * 9 for piece in pieces]
            pieces = [piece[: min(map(len, pieces))] for piece in pieces]
        before = seen(states)
        try:
            found = states.feed(pieces, which if action == "feed" else None)
        except InvalidInputError:
            assert any("ż" in piece for piece in pieces)
            assert seen(states) == before
            return states, single
        assert found.tolist() == [fed(single[i], piece) for i, piece in zip(which, pieces, strict=True)]
    elif action == "end" and states._vocabulary.boundary is not None:
        states.end(which)
        for i in which:
            single[i].end()
    elif action == "sample":
        n, seed = int(rng.integers(9)), int(rng.integers(99))
        drawn = states.sample(n, which, random_state=seed)
        if 0 in which:  # the session that draws the same random numbers as a single state
            assert drawn[list(which).index(0)] == single[0].sample(n, random_state=seed)
        for i in which[which != 0]:
            single[i] = states[i]
    elif action == "select" and len(single):
        which = rng.integers(len(single), size=rng.integers(1, 9))
        return states[which], [single[i].copy() for i in which]
    elif action == "join" and len(single) < 300:
        others = [*which, *range(len(single))[:1]]
        return states.join(states[others]), [*single, *(single[i].copy() for i in others)]
    elif action == "pickle":
        return pickle.loads(pickle.dumps(states)), single
    return states, single


def case(i, folder):
    """Try one schedule."""
    rng = np.random.default_rng([13, i])
    model = model_of(int(rng.integers(KINDS)))
    count = int([1, 2, 7, 7, 7, 7, 20, 20, 70, 300][rng.integers(10)])
    primes = ["".join(rng.choice(list(SYMBOLS), rng.integers(4))) for _ in range(count)]
    states, single = model.start_many(primes), [model.start(prime) for prime in primes]
    for _ in range(int(rng.integers(1, 9))):
        states, single = step(states, single, rng)
        if seen(states) != seen(single):
            return f"other bits of {type(model).__name__} with {len(primes)} sessions"
    return None
