"""Products with operands rounded to bfloat16, in every instruction set, against NumPy with the same rounding.

Where a number to be rounded is itself a sum, two right programs may round it to different neighbors. Such cases are
rare: what is computed must be far nearer to the reference with rounding than the reference without.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from examples import Run, drawn, in_double, instruction_set, memory, network, states, symbols
from hypothesis import given
from hypothesis import strategies as st
from reference_checks import expected_in_double, gradient_of

from crnn import _kernels
from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference.network.packed_network import PackedNetwork
from crnn.model.layout import Layout, aligned_zeros
from crnn.parameters.cells import CELLS
from crnn.reference import network as reference
from crnn.reference.products import operands_in_bfloat16, to_bfloat16

V, H = 13, 11
SINGLE = np.dtype("float32")


# ------------------------------------------------------------------------------ products


def packed(W, *, transposed=False, one_row=False):
    """Pack W into a buffer of NaN, so that what packing leaves out shows."""
    K, N = W.shape[::-1] if transposed else W.shape
    panels = aligned_zeros(core.packed_size(K, N, 4, True), SINGLE)
    panels[:] = np.nan
    core.pack_panels(W, transposed, one_row, panels, True)
    return panels


def multiply(a, panels, c, *, one_row=False):
    room = aligned_zeros(core.operand_size(*a.shape, True), SINGLE)
    room[:] = np.nan
    core.multiply(a, panels, one_row, c, 1, room)


def check_product(M, K, N, transposed, one_row, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((M, K)).astype(SINGLE)
    W = rng.standard_normal((N, K) if transposed else (K, N)).astype(SINGLE)
    start = rng.standard_normal((M, N)).astype(SINGLE)
    beyond = np.full(M * N + 64, 7, SINGLE)  # whatever a kernel writes outside c
    c = beyond[: M * N].reshape(M, N)
    c[...] = start
    multiply(a, packed(W, transposed=transposed, one_row=one_row), c, one_row=one_row)
    left, right = (to_bfloat16(x).astype(np.float64) for x in (a, W.T if transposed else W))
    bound = 2 * np.finfo(SINGLE).eps * (K + 1) * (np.abs(left) @ np.abs(right) + np.abs(start))
    assert (np.abs(c - (start + left @ right)) <= bound).all()
    assert (beyond[M * N :] == 7).all()


SIZES = [(1, 1, 1), (1, 1, 97), (7, 1, 1), (1, 7, 1), (31, 2, 1), (1, 101, 67), (8, 17, 48), (9, 13, 49)]
SIZES += [(3, 512, 31), (13, 513, 16), (6, 1033, 33), (101, 5, 3), (50, 65, 100), (67, 1153, 37), (17, 32, 129)]
PRODUCTS = list(zip(SIZES, itertools.cycle(itertools.product([False, True], repeat=2))))


@pytest.mark.parametrize(("size", "packing"), PRODUCTS, ids=lambda value: "-".join(map(str, value)))
def test_panel_product(bfloat16_kernels, size, packing):
    check_product(*size, *packing)


@given(
    st.sampled_from(_kernels.available_for_bfloat16()),
    st.integers(1, 71),
    st.integers(1, 1100),
    st.integers(1, 103),
    st.booleans(),
    st.booleans(),
)
def test_panel_product_of_any_size(name, M, K, N, transposed, one_row):
    with instruction_set(name):
        check_product(M, K, N, transposed, one_row)


@pytest.mark.parametrize("K", [11, 64, 1035])
@pytest.mark.parametrize("N", [7, 16, 53])
def test_a_row_of_the_product_is_the_same_bits_among_any_others(bfloat16_kernels, K, N):
    rng = np.random.default_rng(1)
    M = 37
    a, start = rng.standard_normal((M, K)).astype(SINGLE), rng.standard_normal((M, N)).astype(SINGLE)
    W = rng.standard_normal((K, N)).astype(SINGLE)
    together = start.copy()
    multiply(a, packed(W), together)
    for one_row in (False, True):  # nor does it depend on how the matrix is packed
        panels = packed(W, one_row=one_row)
        for first, last in [*((i, i + 1) for i in range(M)), (0, 2), (5, 21), (3, 20), (1, 33), (4, 37)]:
            c = start[first:last].copy()
            multiply(a[first:last], panels, c, one_row=one_row)
            np.testing.assert_array_equal(c, together[first:last])


def test_operands_are_rounded_to_the_nearest_and_to_even(bfloat16_kernels):
    halfway = np.arange(0x3F808000, 0x3F880000, 0x10000, dtype=np.uint32)
    bits = np.concatenate([halfway, halfway - 1, halfway + 1, halfway | 0x80000000, [0x7F7F7FFF, 0, 0x80000000]])
    values = bits.astype(np.uint32).view(SINGLE)
    expected = to_bfloat16(values)
    one = np.ones((1, 1), SINGLE)
    c = np.zeros((1, len(values)), SINGLE)
    multiply(one, packed(values[None]), c)
    np.testing.assert_array_equal(c[0], expected)
    c = np.zeros((len(values), 1), SINGLE)
    multiply(values[:, None].copy(), packed(one), c)
    np.testing.assert_array_equal(c[:, 0], expected)


def test_infinity_and_nan_stay_what_they_are(bfloat16_kernels):
    bits = np.array([0x7F800000, 0xFF800000, 0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF], np.uint32)
    values, one = bits.view(SINGLE), np.ones((1, 1), SINGLE)
    for a, W in ((one, values[None]), (values[:, None].copy(), one)):
        c = np.zeros((a.shape[0], W.shape[1]), SINGLE)
        multiply(a, packed(W), c)
        found = c.ravel()
        assert found[:2].tolist() == [np.inf, -np.inf]
        assert np.isnan(found[2:]).all()


# ------------------------------------------------------------------------------ training


def start(B, T, *, V=V, H=H, cell="lstm", num_layers=2, chunks=4):
    layout, params = network(V, H, "float32", cell=cell, num_layers=num_layers)
    state = states(B, H, "float32", cell=cell, num_layers=num_layers)
    return layout, params, memory(layout), state, symbols(V, B * (chunks * T + 1) + 1)


def gradients_of(arguments, T, n_threads, **options):
    """Return loss, gradient and states of a step."""
    layout, params, _, state, ids = arguments
    options = {"clip": math.inf, "learning_rate": 0.001, "T": T, **options}
    run = Run(layout, params, [layout.zeros()], state, ids, n_threads=n_threads, bfloat16=True, **options).steps(1)
    return run.loss, gradient_of(params, run.params, run.sum), run.state


@functools.cache
def reference_gradients(rounding, start_options, T, options):
    """Return the same by the reference implementation, in double precision, and with operands rounded or not."""
    layout, params, _, state, ids = start(**dict(start_options))
    options = {"clip": math.inf, "learning_rate": 0.001, "T": T, **dict(options)}
    arguments = layout, params, [layout.zeros()], state, ids
    with operands_in_bfloat16() if rounding else contextlib.nullcontext():
        wide, after, (sum_,), state, (loss,) = expected_in_double(arguments, 1, **options)
    return loss, wide, gradient_of(in_double(layout, params)[1], after, sum_), state


def check_nearness(found, rounded, plain):
    """Check that `found` is less than half as far from the result of rounded operands as the result of plain ones is.

    A single state rounded to its other neighbor causes up to a third of that distance; an unrounded operand, 0.7.
    """
    scale = np.linalg.norm(rounded)
    assert np.linalg.norm(found - rounded) <= 0.45 * np.linalg.norm(plain - rounded) + 2e-6 * scale


def check_gradients(T, n_threads=1, *, options=(), **start_options):
    arguments = start(T=T, **start_options)
    loss, gradient, state = gradients_of(arguments, T, n_threads, **dict(options))
    start_options = tuple({"T": T, **start_options}.items())
    plain, rounded = (reference_gradients(rounding, start_options, T, options) for rounding in (False, True))
    layout = arguments[0]
    assert loss == pytest.approx(rounded[0], rel=1e-4)
    parts = (layout.tensors(gradient), rounded[1].tensors(rounded[2]), plain[1].tensors(plain[2]))
    for of_part in zip(*parts, strict=True):
        check_nearness(*of_part)
    for of_state in zip(state, rounded[3], plain[3], strict=True):
        check_nearness(*of_state)


# Few rows and many; a single stream; several blocks of time steps, shards and threads.
SHAPES = [(1, 3, 1), (1, 67, 1), (3, 5, 1), (5, 31, 2), (50, 23, 1)]


@pytest.mark.parametrize(("B", "T", "n_threads"), SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_the_reference(bfloat16_kernels, cell, B, T, n_threads):
    check_gradients(T, n_threads, B=B, cell=cell)


# Units and symbols around the width of a vector, of a panel, of a tile, odd and even.
NETWORKS = [(2, 16), (17, 1), (67, 31), (13, 97), (131, 67), (65, 128)]


@pytest.mark.parametrize(("V", "H"), NETWORKS)
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_the_reference_at_any_size(bfloat16_kernels, cell, V, H):
    check_gradients(17, B=5, V=V, H=H, cell=cell)


@pytest.mark.parametrize("V", [16, 17])  # a whole vector, and a symbol left over
@pytest.mark.parametrize("H", [37, 131])
def test_both_operands_of_a_gradient_are_rounded(bfloat16_kernels, V, H):
    # Of a single row, each element is one product of two numbers with 8 bits, so its last 8 bits are zero.
    run = Run(*start(1, 1, V=V, H=H, num_layers=1), T=1, bfloat16=True).steps(1)
    Wy = run.layout.tensors(run.trainer.team.shards[0].gradient).Wy
    assert Wy.all()
    assert not (Wy.view(np.uint32) & 0xFF).any()


@pytest.mark.parametrize("rate", [("dropout", 0.3), ("weight_dropout", 0.4)], ids=["units", "weights"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_with_dropout(bfloat16_kernels, cell, rate):
    check_gradients(7, options=(("dropout_seed", 5), rate), B=5, cell=cell)


def test_later_steps_multiply_by_the_new_weights(bfloat16_kernels):
    arguments = start(5, 7, H=17)
    options = {"T": 7, "learning_rate": 0.1, "weight_dropout": 0.2, "dropout_seed": 3}
    run = Run(*arguments, bfloat16=True, **options).steps(3)
    with operands_in_bfloat16():
        wide, expected, _, _, losses = expected_in_double(arguments, 3, **options)
    for a, b in zip(run.layout.tensors(run.params), wide.tensors(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)
    assert run.loss == pytest.approx(losses[-1], rel=1e-3)


WITH_SHARDS = [(7, 13, 11, 3), (7, 3, 11, 3), (16, 13, 131, 1), (50, 13, 67, 2)]
# Every cell with two of them.
CELLS_AND_SHARDS = [(cell, *WITH_SHARDS[i]) for i, cell in enumerate(CELLS)]
CELLS_AND_SHARDS += [(cell, *WITH_SHARDS[i - 1]) for i, cell in enumerate(CELLS)]


@pytest.mark.parametrize(("cell", "B", "T", "H", "n_shards"), CELLS_AND_SHARDS)
def test_any_number_of_threads_gives_the_same_bits(bfloat16_kernels, cell, B, T, H, n_shards):
    arguments = start(B, T, H=H, cell=cell)
    options = {"T": T, "learning_rate": 0.01, "weight_dropout": 0.3, "dropout": 0.2, "clip_norm": 1.0}
    options |= {"n_shards": n_shards, "bfloat16": True}
    one = Run(*arguments, **options).steps(3).bits()
    for n_threads in (2, 3, 4):
        assert Run(*arguments, n_threads=n_threads, **options).steps(3).bits() == one


# ------------------------------------------------------------------------------ inference


@pytest.mark.parametrize("H", [5, 16, 37, 100])
@pytest.mark.parametrize("cell", CELLS)
def test_scoring_is_that_of_the_reference(bfloat16_kernels, cell, H):
    layout, params = network(V, H, "float32", cell=cell, num_layers=2)
    x, state = symbols(V, 3 * 29, np.int32).reshape(29, 3), states(3, H, "float32", cell=cell, num_layers=2)
    wide = tuple(array.astype(np.float64) for array in state)
    parts = Layout(V, H, np.dtype("float64"), cell, 2)
    flat = parts.zeros()
    for a, b in zip(parts.tensors(flat), layout.tensors(params), strict=True):
        a[...] = b
    plain, _ = reference.log_probabilities(parts.tensors(flat), cell, x, wide)
    with operands_in_bfloat16():
        rounded, after = reference.log_probabilities(parts.tensors(flat), cell, x, wide)
    found = PackedNetwork.pack(layout, params, one_row=False, bfloat16=True).log_probabilities(x, state)
    check_nearness(found, rounded, plain)
    for a, b in zip(state, after, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-2)


@pytest.mark.parametrize("cell", CELLS)
def test_results_do_not_depend_on_the_batch(bfloat16_kernels, cell):
    layout, params = network(V, 37, "float32", cell=cell, num_layers=2)
    B, n = 35, 23
    x, state = symbols(V, n * B, np.int32).reshape(n, B), states(B, 37, "float32", cell=cell, num_layers=2)
    many = PackedNetwork.pack(layout, params, one_row=False, bfloat16=True)
    together, first_state = tuple(a.copy() for a in state), tuple(a[:, :1].copy() for a in state)
    log_p = many.log_probabilities(x, together)
    out, after, _ = drawn(many, first_state, range(B), n)
    for first, last in [(0, 1), (34, 35), (3, 20), (1, 34)]:
        for one_row, scoring in itertools.product([False, True], repeat=2):
            packed = PackedNetwork.pack(layout, params, one_row=one_row, scoring=scoring, bfloat16=True)
            part = slice(first, last)
            own = tuple(a[:, part].copy() for a in state)
            np.testing.assert_array_equal(packed.log_probabilities(x[:, part].copy(), own), log_p[:, part])
            np.testing.assert_array_equal(own[0], together[0][:, part])
            ids, own, _ = drawn(packed, first_state, range(first, last), n)
            np.testing.assert_array_equal(ids, out[:, part])
            np.testing.assert_array_equal(packed.logits_after(own), many.logits_after(after)[part])


# ------------------------------------------------------------------------------ what is refused

SMALL_SIGNAL_STACK = """
import ctypes
class Stack(ctypes.Structure):
    _fields_ = [("first", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
room = ctypes.create_string_buffer(4096)  # too small for the registers of AMX: Linux then refuses them
assert ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(ctypes.addressof(room), 0, 4096)), None) == 0
from crnn import CharRNN, _kernels
CharRNN(5, max_steps=3, matmul_precision="bfloat16").fit("to be or not to be")
print(_kernels.bfloat16_set)
"""


@pytest.mark.skipif("amx" not in _kernels.available_for_bfloat16(), reason="this processor has no AMX")
def test_where_the_system_refuses_tiles_the_next_instruction_set_is_used():
    environment = {name: value for name, value in os.environ.items() if name != "CRNN_ISA"}
    command = [sys.executable, "-c", SMALL_SIGNAL_STACK]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["avx512_bf16"]



def test_a_network_that_calls_the_blas_is_refused():
    with pytest.raises(ValueError, match="the BLAS does not round operands"):
        core.Network(Layout(3, 5, SINGLE), Packing(one_row=True, many=False, training=True, bfloat16=True))


def test_float64_is_refused():
    with pytest.raises(ValueError, match="4 for products in bfloat16"):
        core.Network(Layout(3, 5, np.dtype("float64")), Packing(one_row=True, training=True, bfloat16=True))
