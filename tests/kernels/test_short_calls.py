"""Short calls: the numbers of calls that check their arrays each time, and states that advance wholly or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from examples import network, states, symbols

from crnn._kernels.entry import core
from crnn.inference.network.packed_network import PackedNetwork
from crnn.parameters.cells import CELLS

V, H, N = 11, 5, 7
SHAPES = [*({"cell": cell, "num_layers": 3} for cell in CELLS), {"cell": "lstm", "n_bigrams": V * V}]


def packed(dtype="float32", **shape):
    layout, params = network(V, H, dtype, **shape)
    return PackedNetwork.pack(layout, params, one_row=True, boundary=V - 1)  # no labels, which would start texts, too


def arrays(found, n=N):
    """The arguments of a short call of n symbols."""
    y = np.empty((n, 1, found.layout.vocab_size), found.layout.dtype)
    work = found.workspace(n, found.zero_state(1))
    return {"weights": found.kernel_arguments, "work": work, "x": np.empty(n, np.int32), "y": y}


def ids(n):
    return symbols(V, N, np.int32)[:n, None]


@pytest.mark.parametrize("n", [0, 1, 2, N])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bits_are_those_of_a_call_that_checks_its_arrays(kernels, dtype, shape, n):
    found, x = packed(dtype, **shape), ids(n)
    state = states(1, H, dtype, cell=shape["cell"], num_layers=shape.get("num_layers", 1))
    if "n_bigrams" in shape:
        state = (*state, np.full((1, 1, 1), 3, dtype))  # symbol 2 was read last
    work = found.workspace(N, state)
    y, expected = np.empty((N, 1, found.layout.vocab_size), found.layout.dtype), np.empty((n, 1))
    core.log_probabilities(found.kernel_arguments, x, work, y, expected)
    after = [array[..., : part.shape[-1]] for array, part in zip(found.carried(work), state, strict=True)]
    short, out = core.ShortCall(**arrays(found)), np.empty((n, 1))
    read, fed, kept = (tuple(part.copy() for part in state) for _ in range(3))
    short.log_probabilities(x, read, out)
    short.feed(x, fed)
    likelihood, least = (short.log_likelihood(x, kept, least) for least in (False, True))
    assert out.tobytes() == expected.tobytes()
    assert [part.tobytes() for part in read] == [part.tobytes() for part in fed] == [a.tobytes() for a in after]
    assert [part.tobytes() for part in kept] == [part.tobytes() for part in state]
    assert likelihood == np.add.accumulate([0.0, *expected[:, 0]])[-1]
    assert least == expected.min(initial=0)


def state_of(found, *, k=None, part=None):
    """A state of ones, with another array in place of the k-th."""
    state = [np.ones_like(own) for own in found.zero_state(1)]
    if k is not None:
        state[k] = part
    return tuple(state)


def read_only(shape):
    array = np.ones(shape, np.float32)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("x", "changes", "message"),
    [
        (np.zeros((N + 1, 1), np.int32), {}, rf"symbols: shape is \({N + 1}, 1\), but must be at most \({N}, 1\)"),
        (np.zeros((2, 2), np.int32), {}, r"symbols: shape is \(2, 2\)"),
        (np.array([[0], [V]], np.int32), {}, f"below the vocabulary's size {V}"),
        (np.array([[-1], [0]], np.int32), {}, "ids must be from"),
        (ids(2), {"k": 0, "part": np.ones((2, 1, H + 1), np.float32)}, rf"but must be \(2, 1, {H}\) with 4 bytes"),
        (ids(2), {"k": 1, "part": np.ones((1, 1, H), np.float32)}, "state: shape"),
        (ids(2), {"k": 1, "part": np.ones((2, 1, H))}, "of 8 bytes"),
        (ids(2), {"k": 1, "part": np.ones((2, 3, H), np.float32)}, "state: shape"),
        (ids(2), {"k": 2, "part": np.ones((1, 1, 2), np.float32)}, r"but must be \(1, 1, 1\)"),
        (ids(2), {"k": 1, "part": np.ones((2, 1, 2 * H), np.float32)[..., ::2]}, "contiguous"),
        (ids(2), {"k": 1, "part": read_only((2, 1, H))}, "read-only"),
        (ids(2), {"k": 2, "part": None}, "must be an array, not None"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_state_stays(x, changes, message):
    found = packed(cell="lstm", num_layers=2, n_bigrams=13)
    short, state = core.ShortCall(**arrays(found)), state_of(found, **changes)
    before = [None if part is None else part.copy() for part in state]
    for call in (lambda: short.feed(x, state), lambda: short.log_probabilities(x, state, np.empty((len(x), 1)))):
        with pytest.raises((ValueError, TypeError, BufferError), match=message):
            call()
        for part, old in zip(state, before, strict=True):
            np.testing.assert_array_equal(part, old)


@pytest.mark.parametrize("state", [(), None, (np.ones((1, 1, H), np.float32),)])
def test_a_state_has_as_many_arrays_as_the_cell(state):
    with pytest.raises(ValueError, match="arrays of a state"):
        core.ShortCall(**arrays(packed(cell="lstm"))).feed(ids(1), state)


@pytest.mark.parametrize("shape", [(2, 1), (1, 2)])
def test_the_output_has_a_number_for_each_symbol(shape):
    found = packed()
    with pytest.raises(ValueError, match="of output"):
        core.ShortCall(**arrays(found)).log_probabilities(ids(1), found.zero_state(1), np.empty(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.empty(N - 1, np.int32)}, f"scratch of symbols: size is {N - 1}, but must be {N}"),
        ({"y": np.empty((N, 2, 16), np.float32)}, "logits: shape"),
        ({"work": packed().workspace(N, packed().zero_state(2))}, "h: shape"),
        ({"weights": (None, None, None)}, "network must be a core.Network, not None"),
    ],
)
def test_its_arrays_are_checked_when_it_is_made(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        core.ShortCall(**arrays(packed()) | changes)
