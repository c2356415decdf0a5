"""Test 8-bit products in every instruction set against NumPy with the same integers.

Sums are exact, so a product of given operands equals the reference's except for the last bit. A computed state halfway
between two integers may be rounded to the other one. This is rare, so the result must be much closer to the reference
with rounding than to the reference without rounding.
"""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from examples import in_double, instruction_set, network, states, symbols
from hypothesis import given
from hypothesis import strategies as st

from crnn import _kernels
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference.network.packed_network import PackedNetwork
from crnn.model.int8_weights import int8_weights
from crnn.model.layout import Layout, aligned_zeros
from crnn.parameters.cells import CELLS
from crnn.reference import network as reference
from crnn.reference.products import int8_product, operands_in_int8

V, H = 13, 11
SINGLE = np.dtype("float32")


# ------------------------------------------------------------------------------ products


def packed(integers, scales, *, one_row=False):
    """Pack a matrix into a buffer of NaN, so that what packing leaves out shows."""
    panels = aligned_zeros(core.packed_size(*integers.shape, 4, int8=True), SINGLE)
    panels[:] = np.nan
    core.pack_panels(integers.astype(SINGLE), False, one_row, panels, scales=scales)
    return panels


def multiply(a, panels, c, *, one_row=False):
    room = aligned_zeros(core.operand_size(*a.shape, False, int8=True), SINGLE)
    room[:] = np.nan
    core.multiply(a, panels, one_row, c, 1, room, int8=True)


def check_product(M, K, N, one_row, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.uniform(-1, 1, (M, K)).astype(SINGLE)
    integers, scales = rng.integers(-127, 128, (K, N)), rng.uniform(0.001, 0.1, N).astype(SINGLE)
    start = rng.standard_normal((M, N)).astype(SINGLE)
    beyond = np.full(M * N + 64, 7, SINGLE)  # whatever a kernel writes outside c
    c = beyond[: M * N].reshape(M, N)
    c[...] = start
    multiply(a, packed(integers, scales, one_row=one_row), c, one_row=one_row)
    product = int8_product(a.astype(np.float64), integers.astype(np.int8), scales.astype(np.float64))
    bound = 2 * np.finfo(SINGLE).eps * (np.abs(product) + np.abs(start))
    assert (np.abs(c - (start + product)) <= bound).all()
    assert (beyond[M * N :] == 7).all()


SIZES = [(1, 1, 1), (1, 1, 97), (7, 1, 1), (1, 7, 1), (31, 2, 1), (1, 101, 67), (8, 17, 48), (9, 13, 49)]
SIZES += [(3, 512, 31), (13, 513, 16), (6, 1033, 33), (101, 5, 3), (50, 65, 100), (67, 2053, 37), (17, 32, 129)]


@pytest.mark.parametrize("one_row", [False, True])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "-".join(map(str, size)))
def test_panel_product(int8_kernels, size, one_row):
    check_product(*size, one_row)


@given(
    st.sampled_from(_kernels.available_for_int8()),
    st.integers(1, 71),
    st.integers(1, 1100),
    st.integers(1, 103),
    st.booleans(),
)
def test_panel_product_of_any_size(name, M, K, N, one_row):
    with instruction_set(name):
        check_product(M, K, N, one_row)


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_largest_sums_are_exact(int8_kernels, sign):
    """Pairs of products of 127 and -128 · 127 saturate where they are summed in 16 bits."""
    M, K, N = 3, 1031, 17
    a = np.ones((M, K), SINGLE)
    a[1, ::2], a[2] = -1, -1
    integers = np.full((K, N), 127 * sign)
    c = np.zeros((M, N), SINGLE)
    multiply(a, packed(integers, np.full(N, 127, SINGLE)), c)
    np.testing.assert_array_equal(c[:, 0] * sign, [127 * 127 * K, -127 * 127, -127 * 127 * K])
    assert (c == c[:, :1]).all()


def test_states_are_rounded_to_the_nearest_and_to_even_and_cut_off_at_one(int8_kernels):
    levels = np.arange(-127, 128)
    others = np.array([0.49, 1.51, -0.51, -126.49], np.float64)
    tie = np.array([0.5, -0.5])  # 63.5 levels
    beyond = np.array([1.001, -1.001, 3e38, -3e38, np.inf, -np.inf])
    a = np.concatenate([levels / 127, others / 127, tie, beyond]).astype(SINGLE)[:, None].copy()
    c = np.zeros((len(a), 1), SINGLE)
    multiply(a, packed(np.ones((1, 1)), np.full(1, 127, SINGLE)), c)
    np.testing.assert_array_equal(c[:, 0], [*levels, 0, 2, -1, -126, 64, -64, *[127, -127] * 3])


@pytest.mark.parametrize("K", [11, 64, 1035])
@pytest.mark.parametrize("N", [7, 16, 53])
def test_a_row_of_the_product_is_the_same_bits_among_any_others(int8_kernels, K, N):
    rng = np.random.default_rng(1)
    M = 37
    a, start = rng.uniform(-1, 1, (M, K)).astype(SINGLE), rng.standard_normal((M, N)).astype(SINGLE)
    integers, scales = rng.integers(-127, 128, (K, N)), rng.uniform(0.001, 0.1, N).astype(SINGLE)
    together = start.copy()
    multiply(a, packed(integers, scales), together)
    for one_row in (False, True):  # nor does it depend on how the matrix is packed
        panels = packed(integers, scales, one_row=one_row)
        for first, last in [*((i, i + 1) for i in range(M)), (0, 2), (5, 21), (3, 20), (1, 33), (4, 37)]:
            c = start[first:last].copy()
            multiply(a[first:last], panels, c, one_row=one_row)
            np.testing.assert_array_equal(c, together[first:last])


def test_sums_are_the_same_in_every_instruction_set():
    rng = np.random.default_rng(5)
    a, integers = rng.uniform(-1, 1, (5, 97)).astype(SINGLE), rng.integers(-127, 128, (97, 19))
    found = []
    for name in _kernels.available_for_int8():
        with instruction_set(name):
            c = np.zeros((5, 19), SINGLE)
            multiply(a, packed(integers, np.full(19, 127, SINGLE)), c)
            found.append(c)
    for c in found:
        np.testing.assert_array_equal(c, found[0])


# ------------------------------------------------------------------------------ inference


def int8_network(V, H, *, cell="lstm", num_layers=2, **options):
    """Return a layout, flat weights on a grid of integers, and their scales."""
    layout, params = network(V, H, "float32", cell=cell, num_layers=num_layers, **options)
    return layout, *int8_weights(layout, params)


def check_scores(layout, params, scales, n=29, B=3, boundary=None):
    V, H, cell = layout.vocab_size, layout.hidden_size, layout.cell
    x = symbols(V, B * n, np.int32).reshape(n, B)
    state = states(B, H, "float32", cell=cell, num_layers=layout.num_layers, V=V if layout.pairs else None)
    double, flat = in_double(layout, params)
    wide, parts = tuple(array.astype(np.float64) for array in state), double.tensors(flat)
    plain, _ = reference.log_probabilities(parts, cell, x, wide, boundary)
    with operands_in_int8():
        rounded, after = reference.log_probabilities(parts, cell, x, wide, boundary)
    packed = PackedNetwork.pack(layout, params, one_row=False, boundary=boundary, scales=scales)
    found = packed.log_probabilities(x, state)
    assert np.linalg.norm(found - rounded) < 0.3 * np.linalg.norm(plain - rounded)
    for a, b in zip(state, after, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-2)


# Units and symbols around the width of a vector, of an element, of tail columns.
@pytest.mark.parametrize(("V", "H"), [(13, 5), (65, 16), (13, 37), (67, 65), (97, 100), (2, 1)])
@pytest.mark.parametrize("cell", CELLS)
def test_scoring_is_that_of_the_reference(int8_kernels, cell, V, H):
    check_scores(*int8_network(V, H, cell=cell))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_scoring_with_an_embedding_bigrams_and_a_boundary(int8_kernels, cell):
    check_scores(*int8_network(V, 37, cell=cell, embedding_size=7, n_bigrams=17), boundary=11)


@pytest.mark.parametrize("cell", CELLS)
def test_results_do_not_depend_on_the_batch(int8_kernels, cell):
    layout, params, scales = int8_network(V, 37, cell=cell)
    B, n = 35, 23
    x, state = symbols(V, n * B, np.int32).reshape(n, B), states(B, 37, "float32", cell=cell, num_layers=2)
    many = PackedNetwork.pack(layout, params, one_row=False, scales=scales)
    together = tuple(a.copy() for a in state)
    log_p = many.log_probabilities(x, together)
    for first, last in [(0, 1), (34, 35), (3, 20), (1, 34)]:
        for one_row, scoring in itertools.product([False, True], repeat=2):
            packed = PackedNetwork.pack(layout, params, one_row=one_row, scoring=scoring, scales=scales)
            part = slice(first, last)
            own = tuple(a[:, part].copy() for a in state)
            np.testing.assert_array_equal(packed.log_probabilities(x[:, part].copy(), own), log_p[:, part])
            np.testing.assert_array_equal(own[0], together[0][:, part])
            np.testing.assert_array_equal(packed.logits_after(own), many.logits_after(together)[part])


def test_a_pickled_network_and_one_packed_anew_have_the_same_bits(int8_kernels):
    layout, params, scales = int8_network(V, 37)
    packed = PackedNetwork.pack(layout, params, one_row=False, scales=scales)
    x = symbols(V, 29, np.int32).reshape(29, 1)
    expected = packed.log_probabilities(x, layout.zero_states(1))
    for same in (pickle.loads(pickle.dumps(packed)), packed.repacked(one_row=True, scoring=True)):
        np.testing.assert_array_equal(same.log_probabilities(x, layout.zero_states(1)), expected)


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("options", [{"training": True}, {"many": False}, {"bfloat16": True}])
def test_a_network_for_anything_but_inference_is_refused(options):
    with pytest.raises(ValueError, match="int8: such a network is for inference"):
        core.Network(Layout(3, 5, SINGLE), Packing(one_row=True, int8=True)._replace(**options))


def test_float64_is_refused():
    with pytest.raises(ValueError, match="4 for products in bfloat16 or int8"):
        core.Network(Layout(3, 5, np.dtype("float64")), Packing(one_row=True, int8=True))


@pytest.mark.parametrize("scales", [None, np.ones(1, SINGLE)])
def test_packing_without_its_scales_is_refused(scales):
    layout = Layout(16, 16, SINGLE)
    network = core.Network(layout, Packing(one_row=True, int8=True))
    with pytest.raises((TypeError, ValueError), match="scales"):
        core.pack_weights(network, layout.zeros(), aligned_zeros(network.panels_size, SINGLE), scales)
