"""PackedNetwork: the same bits at every batch size, place in the batch and cut in time.

test_kernels.py compares what it computes with the NumPy twins.
"""

from __future__ import annotations

import numpy as np
import pytest
from examples import network, states, symbols
from hypothesis import given
from hypothesis import strategies as st

from crnn.inference import SCORE_ROWS, PackedNetwork

B = 19  # more than two blocks of rows of any register tile
SIZES = [(5, 1), (7, 3), (13, 16), (31, 17), (67, 61), (101, 131)]  # V, H


def run(packed, door, inputs, h):
    """Return what a door gives for the symbols or uniforms (n, B), and the states after it."""
    h = h.copy()
    if door == "sample":
        return packed.sample(inputs, 0.8, h), h
    if door == "log_probabilities":
        return packed.log_probabilities(inputs, h), h
    packed.feed(inputs, h)
    return np.empty((len(inputs), len(h))), h


def inputs_of(door, V, n):
    if door == "sample":
        return np.random.default_rng(4).random((n, B))
    return symbols(V, n * B, np.int32).reshape(n, B)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


DOORS = ["feed", "sample", "log_probabilities"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("V", "H"), SIZES)
def test_a_stream_is_the_same_bits_among_any_others(kernels, dtype, door, V, H):
    layout, params = network(V, H, dtype)
    inputs, h = inputs_of(door, V, 11), states(B, H, dtype)[0]
    out, after = run(PackedNetwork.pack(layout, params, one_row=False), door, inputs, h)
    parts = [slice(0, n) for n in range(1, B)] + [slice(n, B) for n in range(1, B)]
    parts += [slice(i, i + 1) for i in range(1, B - 1)] + [slice(3, 5), slice(2, 15), slice(0, B, 2)]
    for part in parts:
        for one_row in (False, True):  # nor does it depend on what the weights were packed for
            packed = PackedNetwork.pack(layout, params, one_row=one_row)
            some, some_after = run(packed, door, np.ascontiguousarray(inputs[:, part]), h[part])
            if door != "feed":
                assert same_bits(some, np.ascontiguousarray(out[:, part]))
            assert same_bits(some_after, np.ascontiguousarray(after[part]))


LENGTH = 2 * SCORE_ROWS + 9


@given(at=st.lists(st.integers(0, LENGTH), max_size=5).map(sorted))
@pytest.mark.parametrize("door", DOORS)
def test_a_text_is_the_same_bits_however_it_is_cut(door, at):
    V, H = 31, 17
    layout, params = network(V, H, np.float32)
    packed = PackedNetwork.pack(layout, params, one_row=False)
    inputs, h = inputs_of(door, V, LENGTH), states(B, H, np.float32)[0]
    out, after = run(packed, door, inputs, h)
    pieces = []
    for first, last in zip([0, *at], [*at, LENGTH], strict=True):
        piece, h = run(packed, door, inputs[first:last], h)
        pieces.append(piece)
    if door != "feed":
        assert same_bits(np.concatenate(pieces), out)
    assert same_bits(h, after)


def test_the_doors_lead_to_the_same_state(kernels, dtype):
    layout, params = network(31, 17, dtype)
    packed = PackedNetwork.pack(layout, params, one_row=False)
    uniforms, h = inputs_of("sample", 31, 23), states(B, 17, dtype)[0]
    drawn, sampled = run(packed, "sample", uniforms, h)
    _, scored = run(packed, "log_probabilities", drawn, h)
    _, fed = run(packed, "feed", drawn, h)
    assert same_bits(sampled, scored)
    assert same_bits(sampled, fed)


def test_probabilities_of_all_symbols_sum_to_one(kernels, dtype):
    V, H = 67, 13
    layout, params = network(V, H, dtype)
    packed = PackedNetwork.pack(layout, params, one_row=False)
    h = np.repeat(states(1, H, dtype)[0], V, axis=0)
    log_p = packed.log_probabilities(np.arange(V, dtype=np.int32)[None], h)
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5 if dtype == np.float32 else 1e-13)


def test_the_parameters_are_packed_as_they_are_now(dtype):
    layout, params = network(7, 5, dtype)
    packed = PackedNetwork.pack(layout, params, one_row=True)
    x, h = symbols(7, 9, np.int32)[:, None], states(1, 5, dtype)[0]
    before, _ = run(packed, "log_probabilities", x, h)
    layout.tensors(params).Wh[:] += 1
    layout.tensors(params).Wy[:] += np.arange(7)
    after, _ = run(PackedNetwork.pack(layout, params, one_row=True), "log_probabilities", x, h)
    assert (before[1:] != after[1:]).all()


def test_the_zero_state(dtype):
    layout, params = network(7, 5, dtype)
    h = PackedNetwork.pack(layout, params, one_row=True).zero_state(3)
    assert h.shape == (3, 5)
    assert h.dtype == dtype
    assert not h.any()


def test_nothing_to_read_is_nothing(dtype):
    layout, params = network(7, 5, dtype)
    packed = PackedNetwork.pack(layout, params, one_row=False)
    h = states(2, 5, dtype)[0]
    for door in DOORS:
        empty = np.empty((0, 2)) if door == "sample" else np.empty((0, 2), np.int32)
        out, after = run(packed, door, empty, h)
        assert out.shape == (0, 2)
        np.testing.assert_array_equal(after, h)
