"""Sessions: calls, streams and rows have the same bits however a text is cut; states advance wholly or not at all."""

from functools import partial

import numpy as np
import pytest
from examples import in_turns, network, states, symbols
from wrong_arrays import wrong_arrays

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import PackedWeights, Packing
from crnn.inference.network import Use
from crnn.inference.packed_network import PackedNetwork
from crnn.model.layout import aligned_zeros
from crnn.parameters.kinds import CELLS

V, H, N = 11, 5, 7
SHAPES = [*({"cell": cell, "num_layers": 3} for cell in CELLS), {"cell": "lstm", "n_bigrams": V * V}]


def packed(dtype="float32", **shape):
    layout, params = network(V, H, dtype, **shape)
    return PackedNetwork.pack(
        layout, params, use=Use.MANY_STREAMS, boundary=V - 1
    )  # no labels, which would start texts, too


def session(found, T=N, B=1):
    return core.Session(found.kernel_arguments, T, B)


def ids(n, B=1):
    return symbols(V, 99, np.int32)[: n * B].reshape(n, B)


def state_of(found, shape, B):
    """A state of B different streams."""
    state = states(B, H, found.layout.dtype, cell=shape["cell"], num_layers=shape.get("num_layers", 1))
    return (*state, np.arange(B, dtype=np.int32).reshape(1, B, 1)) if "n_bigrams" in shape else state


def one_by_one(found, x, state):
    """Return what a session of one symbol reads of each stream, and the states after it."""
    log_p, y = np.empty(x.shape), np.empty((*x.shape, found.layout.vocab_size), found.layout.dtype)
    parts = [tuple(part[:, b : b + 1].copy() for part in state) for b in range(x.shape[1])]
    for b, part in enumerate(parts):
        for t in range(len(x)):
            before, out = tuple(array.copy() for array in part), np.empty((1, 1))
            session(found, 1).log_probabilities(x[t : t + 1, b : b + 1].copy(), part, out)
            row = np.empty((1, 1, found.layout.vocab_size), found.layout.dtype)
            session(found, 1).logits_before(x[t : t + 1, b : b + 1].copy(), before, row)
            log_p[t, b], y[t, b] = out[0, 0], row[0, 0]
    return log_p, y, tuple(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))


CUTS = [(1, 1, 1), (7, 7, 1), (7, 3, 1), (5, 2, 3), (2, 7, 4)]


@in_turns("shape, n, T, B", [(shape, *cut) for shape in SHAPES for cut in CUTS])
def test_the_bits_do_not_depend_on_the_calls_or_the_streams(kernels, dtype, shape, n, T, B):
    found, x = packed(dtype, **shape), ids(n, B)
    state = state_of(found, shape, B)
    log_p, y, after = one_by_one(found, x, state)
    reader, out, rows = session(found, T, B), np.empty((n, B)), np.empty_like(y)
    read, fed, before = (tuple(part.copy() for part in state) for _ in range(3))
    reader.log_probabilities(x, read, out)
    reader.feed(x, fed)
    reader.logits_before(x, before, rows)
    assert (out.tobytes(), rows.tobytes()) == (log_p.tobytes(), y.tobytes())
    for state in (read, fed, before):
        assert [part.tobytes() for part in state] == [part.tobytes() for part in after]
    h = reader.hidden()[0]
    assert not h[:, 0, :, H:].any()  # the padding


def test_resized_session_equals_a_new_one():
    found = packed(cell="lstm", num_layers=2)
    reader, expected = session(found, 7, 3), []
    for T, B in ((7, 3), (2, 5), (30, 1), (1, 1), (7, 3)):
        reader.resize(T, B)
        assert (reader.T, reader.B) == (T, B)
        states_ = [state_of(found, {"cell": "lstm", "num_layers": 2}, B) for _ in range(2)]
        reader.feed(ids(9, B), states_[0])
        session(found, T, B).feed(ids(9, B), states_[1])
        expected.append([part.tobytes() for part in states_[0]] == [part.tobytes() for part in states_[1]])
    assert all(expected)
    with pytest.raises(ValueError, match="at least 1 time step and 1 stream, not 0 x 1"):
        reader.resize(0, 1)


def test_refuses_invalid_arrays_and_keeps_the_state():
    found = packed(cell="lstm", num_layers=2, n_bigrams=13)
    good = found.zero_state(1)
    fixed = good[1].copy()
    fixed.flags.writeable = False
    parts = [(k, wrong) for k, part in enumerate(good) for wrong in (*wrong_arrays(part), None)]
    cases = [(ids(2), (*good[:k], wrong, *good[k + 1 :])) for k, wrong in [*parts, (1, fixed)]]
    cases += [(np.array(x, np.int32), good) for x in ([[0, 0]] * 2, [[0], [V]], [[-1], [0]])]
    for x, state in cases:
        reader, before = session(found), [None if part is None else part.copy() for part in state]
        y = np.empty((len(x), 1, found.layout.vocab_size), np.float32)
        for call in (
            partial(reader.feed, x, state),
            partial(reader.log_probabilities, x, state, np.empty((len(x), 1))),
            partial(reader.logits_before, x, state, y),
        ):
            with pytest.raises((ValueError, TypeError, BufferError)):
                call()
        for part, old in zip(state, before, strict=True):
            np.testing.assert_array_equal(part, old)


TINY = np.finfo(np.float32).tiny / 4  # a denormal number


def test_denormal_numbers_are_zero_within_calls_alone():
    layout, params = network(V, H, "float32")
    params[:] = 0
    layout.tensors(params).layers[0].bh[:] = TINY
    found = PackedNetwork.pack(layout, params, use=Use.ONE_STREAM)
    reader, x, y = session(found), ids(2), np.empty((2, 1, found.layout.vocab_size), np.float32)
    for call in (
        lambda state: reader.feed(x, state),
        lambda state: reader.log_probabilities(x, state, np.empty((2, 1))),
        lambda state: reader.logits_before(x, state, y),
        lambda state: reader.log_likelihoods(x[:, 0].copy(), *np.array([[0], [2]]), 0, 2, False, state, np.zeros(1)),
    ):
        state = found.zero_state(1)
        call(state)
        assert not state[0].any()
        assert not reader.hidden()[0][:, 1].any()
        assert (np.full(3, TINY) * np.float32(2) > TINY).all()


@pytest.mark.parametrize("least", [False, True])
def test_nan_in_the_weights_is_nan_in_the_sums_of_strings(least):
    layout, params = network(V, H, "float32")
    layout.tensors(params).by[:] = np.nan
    found, out = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS), np.zeros(2)
    places = np.array([0, 2]), np.array([2, 1])
    session(found, 2, 2).log_likelihoods(ids(3)[:, 0].copy(), *places, 0, 9, least, found.zero_state(1), out)
    assert np.isnan(out).all()


def weights_of(packing):
    layout, params = network(V, H, "float32", cell="lstm")
    found = core.Network(layout, packing)
    return PackedWeights(found, params, aligned_zeros(found.panels_size, layout.dtype))


GOOD = weights_of(Packing(one_row=True))


# ------------------------------------------------------------------------------ refusals


def read_rows(**changes):
    found = packed()
    given = {"x": ids(1, 2), "rows": np.array([0, 1]), "after": 2, "sums": np.zeros((3, 2)), "first": 0, "last": 2}
    x, rows, streams, sums, first, last = (given | changes).values()
    session(found, 1, 2).read(x, found.zero_state(5), rows, found.zero_state(streams), sums, first, last)


def read_strings(**changes):
    found = packed()
    arguments = {
        "ids": ids(5)[:, 0].copy(), "starts": np.array([0, 1]), "lengths": np.array([3, 3]), "first": 0, "last": 3,
        "least": False, "start": found.zero_state(1), "out": np.zeros(2),
    }  # fmt: skip
    session(found, 3, 2).log_likelihoods(**arguments | changes)


def read_into(shape, *, logits=False):
    found = packed()
    if logits:
        y = np.empty((*shape, found.layout.vocab_size), np.float32)
        session(found).logits_before(ids(1), found.zero_state(1), y)
    session(found).log_probabilities(ids(1), found.zero_state(1), np.empty(shape))


NO_SYMBOL = "at least 1 time step and 1 stream, not {} x {}"
REFUSED = [
    *((partial(read_rows, **changes), words) for changes, words in (
        ({"rows": np.array([0, 5])}, "rows must be from 0 to 4, not 5"),
        ({"rows": np.array([-1, 0])}, "rows must be from 0 to 4, not -1"),
        ({"rows": np.array([0])}, "rows: size is 1, but must be 2"),
        ({"x": np.full((1, 2), V, np.int32)}, "below the vocabulary's size"),
        ({"after": 3}, "streams after: size is 3, but must be 2"),
        ({"sums": np.zeros((2, 2))}, "sums of a stream: size is 2, but must be 3"),
        ({"sums": np.zeros((3, 1))}, "streams of sums: size is 1, but must be 2"),
        ({"last": 3}, "first and last must be from 0 to 2, in order, not 0 and 3"),
        ({"first": -1}, "first and last must be from 0 to 2, in order, not -1 and 2"))),
    *((partial(read_strings, **changes), words) for changes, words in (
        ({"first": -1}, "first must be at least 0, not -1"), ({"starts": np.array([0, 3])}, "string 1 is not within"),
        ({"starts": np.array([-1, 0])}, "string 0 is not within"), ({"lengths": np.array([-1, -1])}, "string 0"),
        ({"lengths": np.array([2, 3])}, "sorted by length"), ({"lengths": np.array([3])}, "lengths: size is 1"),
        ({"starts": np.array([0])}, "starts: size is 1"), ({"out": np.zeros(3)}, "sums: size is 3"),
        ({"ids": np.array([0, V, 2, 3, 4], np.int32)}, f"below the vocabulary's size {V}"),
        ({"ids": np.array([0, -1, 2, 3, 4], np.int32)}, "ids must be from"),
        ({"start": (np.zeros((1, 2, H), np.float32),)}, "streams of the start: size is 2"),
        ({"start": ()}, "arrays of a state"))),
    *((partial(read_into, shape, logits=logits), words) for shape in ((2, 1), (1, 2))
      for logits, words in ((False, "of output"), (True, "logits: shape"))),
    (lambda: session(packed(), 2, 2).feed(ids(1, 2), packed().zero_state(3)), "streams read: size is 3, but must be 2"),
    *((lambda state=state: session(packed(cell="lstm")).feed(ids(1), state), "arrays of a state")
      for state in ((), None, (np.ones((1, 1, H), np.float32),))),
    *((lambda weights=weights: core.Session(weights, 2, 1), words) for weights, words in (
        ((None, None, None), "network must be a core.Network, not None"),
        (weights_of(Packing(one_row=True, training=True)), "packed for training, but must be packed for"),
        (weights_of(Packing(one_row=True, many=False)), "needs a network with all weights packed"),
        (GOOD._replace(panels=np.zeros(3, np.float32)), "packed weights: shape"),
        (GOOD._replace(params=np.zeros(3, np.float32)), "parameters: shape"))),
    *((lambda T=T, B=B: session(packed(), T, B), NO_SYMBOL.format(T, B)) for T, B in ((0, 1), (1, 0), (2, 0))),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_refuses_what_does_not_fit(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()
