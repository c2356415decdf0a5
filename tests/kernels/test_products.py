"""Products with packed weights: of floats, of operands rounded to bfloat16, and of 8-bit integers, against NumPy."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from examples import instruction_set, sets
from hypothesis import given
from hypothesis import strategies as st

from crnn import _kernels
from crnn._kernels.entry import core
from crnn.model.layout import aligned_zeros
from crnn.reference.products import int8_product, to_bfloat16

K_BLOCK = 512  # of register_tile.h: a deeper product is added up in pieces
SINGLE = np.dtype("float32")
KINDS = ("float32", "float64", "bfloat16", "int8")


@pytest.fixture(params=sets(*KINDS))
def kind(request):
    """Run the test for each kind of product, with each instruction set that has it; return the kind."""
    kind, name = request.param
    with instruction_set(name):
        yield kind


def packed(kind, W, *, scales=None, transposed=False, one_row=False):
    """Pack W into a buffer of NaN, so that what packing leaves out shows."""
    K, N = W.shape[::-1] if transposed else W.shape
    panels = aligned_zeros(core.packed_size(K, N, W.itemsize, kind == "bfloat16", int8=kind == "int8"), W.dtype)
    panels[:] = np.nan
    core.pack_panels(W, transposed, one_row, panels, kind == "bfloat16", scales=scales)
    return panels


def multiply(kind, a, panels, c, *, one_row=False):
    """Compute c += a W."""
    if kind in ("float32", "float64"):
        core.multiply(a, panels, one_row, c)
        return
    room = aligned_zeros(core.operand_size(*a.shape, kind == "bfloat16", int8=kind == "int8"), SINGLE)
    room[:] = np.nan
    core.multiply(a, panels, one_row, c, room, int8=kind == "int8")


class Operands(NamedTuple):
    """The operands of a product, c as it is before, and after it in double precision."""

    a: np.ndarray
    W: np.ndarray
    scales: np.ndarray | None
    before: np.ndarray
    wanted: np.ndarray
    bound: np.ndarray  # of the rounding error of each element


def operands(kind, M, K, N, *, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "int8":
        a = rng.uniform(-1, 1, (M, K)).astype(SINGLE)
        integers, scales = rng.integers(-127, 128, (K, N)), rng.uniform(0.001, 0.1, N).astype(SINGLE)
        before = rng.standard_normal((M, N)).astype(SINGLE)
        product = int8_product(a.astype(np.float64), integers.astype(np.int8), scales.astype(np.float64))
        bound = 2 * np.finfo(SINGLE).eps * (np.abs(product) + np.abs(before))  # the sums of integers are exact
        return Operands(a, integers.astype(SINGLE), scales, before, before + product, bound)
    dtype = np.dtype("float64" if kind == "float64" else "float32")
    a, W, before = (rng.standard_normal(shape).astype(dtype) for shape in ((M, K), (K, N), (M, N)))
    left, right = (to_bfloat16(x) if kind == "bfloat16" else x for x in (a, W))
    bound = np.finfo(dtype).eps * (K + 1) * (np.abs(left) @ np.abs(right) + np.abs(before))
    product = left.astype(np.float64) @ right
    return Operands(a, W, None, before, before + product, 2 * bound if kind == "bfloat16" else bound)


def check_product(kind, M, K, N, transposed, one_row):
    a, W, scales, before, wanted, bound = operands(kind, M, K, N)
    if transposed and kind != "int8":
        panels = packed(kind, np.ascontiguousarray(W.T), transposed=True, one_row=one_row)
    else:
        panels = packed(kind, W, scales=scales, one_row=one_row)
    beyond = np.full(M * N + 64, 7, a.dtype)  # whatever a kernel writes outside c
    c = beyond[: M * N].reshape(M, N)
    c[...] = before
    multiply(kind, a, panels, c, one_row=one_row)
    assert (np.abs(c - wanted) <= bound).all()
    assert (beyond[M * N :] == 7).all()


SIZES = [(1, 1, 1), (1, 1, 97), (7, 1, 1), (1, 7, 1), (31, 2, 1), (1, 101, 67), (8, 17, 48), (9, 13, 49)]
SIZES += [(3, K_BLOCK, 31), (13, K_BLOCK + 1, 16), (6, 2 * K_BLOCK + 9, 33), (101, 5, 3), (50, 65, 100)]
SIZES += [(67, 4 * K_BLOCK + 5, 37), (17, 32, 129)]
# Every size with one of the four ways to pack (transposed, one_row); the test after it draws from all combinations.
PRODUCTS = list(zip(SIZES, itertools.cycle(itertools.product([False, True], repeat=2))))


@pytest.mark.parametrize(("size", "packing"), PRODUCTS, ids=lambda value: "-".join(map(str, value)))
def test_product_matches_numpy(kind, size, packing):
    check_product(kind, *size, *packing)


@pytest.mark.parametrize("kind", KINDS)
@given(
    st.data(), st.integers(1, 71), st.integers(1, 2 * K_BLOCK + 9), st.integers(1, 103), st.booleans(), st.booleans()
)
def test_product_of_any_size_matches_numpy(kind, data, M, K, N, transposed, one_row):
    with instruction_set(data.draw(st.sampled_from(_kernels.available(kind)))):
        check_product(kind, M, K, N, transposed, one_row)


@pytest.mark.parametrize(("K", "N"), [(11, 53), (64, 16), (2 * K_BLOCK + 11, 7)])
def test_product_row_does_not_depend_on_other_rows(kind, K, N):
    M = 37
    a, W, scales, before, *_ = operands(kind, M, K, N, seed=1)
    together = before.copy()
    multiply(kind, a, packed(kind, W, scales=scales), together)
    parts = [*((i, i + 1) for i in range(M)), *((0, i) for i in range(2, 20)), (5, 21), (3, 20), (1, 33), (4, 37)]
    for one_row in (False, True):  # nor does it depend on how the matrix is packed
        panels = packed(kind, W, scales=scales, one_row=one_row)
        for first, last in parts:
            c = before[first:last].copy()
            multiply(kind, a[first:last], panels, c, one_row=one_row)
            np.testing.assert_array_equal(c, together[first:last])


def test_product_refuses_other_shapes_and_dtypes(kernels, dtype):
    W = np.ones((3, 5), dtype)
    panels = packed(dtype.name, W)
    for transposed in (False, True):
        with pytest.raises(ValueError, match=r"size|shape"):
            kernels.pack_panels(W, transposed, False, panels[:-1])
    a, c = np.ones((2, 3), dtype), np.ones((2, 5), dtype)
    for bad in [(a[:1], panels, c), (a[:, :2].copy(), panels, c), (a, panels[:-1], c), (a, panels, c[:1])]:
        with pytest.raises(ValueError, match=r"size|shape"):
            kernels.multiply(bad[0], bad[1], False, bad[2])
    other = np.float32 if dtype == np.float64 else np.float64
    for wrong in (a.astype(other), np.asfortranarray(a)):
        with pytest.raises((ValueError, TypeError)):
            kernels.multiply(wrong, panels, False, c)


# ------------------------------------------------------------------------------ bfloat16


def test_bfloat16_operands_are_rounded_to_nearest_even(bfloat16_kernels):
    halfway = np.arange(0x3F808000, 0x3F880000, 0x10000, dtype=np.uint32)
    bits = np.concatenate([halfway, halfway - 1, halfway + 1, halfway | 0x80000000, [0x7F7F7FFF, 0, 0x80000000]])
    values, one = bits.astype(np.uint32).view(SINGLE), np.ones((1, 1), SINGLE)
    for a, W in ((one, values[None]), (values[:, None].copy(), one)):
        c = np.zeros((a.shape[0], W.shape[1]), SINGLE)
        multiply("bfloat16", a, packed("bfloat16", W), c)
        np.testing.assert_array_equal(c.ravel(), to_bfloat16(values))


def test_bfloat16_operands_keep_infinity_and_nan(bfloat16_kernels):
    bits = np.array([0x7F800000, 0xFF800000, 0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF], np.uint32)
    values, one = bits.view(SINGLE), np.ones((1, 1), SINGLE)
    for a, W in ((one, values[None]), (values[:, None].copy(), one)):
        c = np.zeros((a.shape[0], W.shape[1]), SINGLE)
        multiply("bfloat16", a, packed("bfloat16", W), c)
        found = c.ravel()
        assert found[:2].tolist() == [np.inf, -np.inf]
        assert np.isnan(found[2:]).all()


# ------------------------------------------------------------------------------ int8


@pytest.mark.parametrize("sign", [-1, 1])
def test_largest_int8_sums_are_exact(int8_kernels, sign):
    """Pairs of products of 127 and -128 · 127 saturate where they are summed in 16 bits."""
    M, K, N = 3, 1031, 17
    a = np.ones((M, K), SINGLE)
    a[1, ::2], a[2] = -1, -1
    W, c = np.full((K, N), 127 * sign, SINGLE), np.zeros((M, N), SINGLE)
    multiply("int8", a, packed("int8", W, scales=np.full(N, 127, SINGLE)), c)
    np.testing.assert_array_equal(c[:, 0] * sign, [127 * 127 * K, -127 * 127, -127 * 127 * K])
    assert (c == c[:, :1]).all()


def test_int8_states_are_rounded_to_nearest_even_and_clipped_at_one(int8_kernels):
    levels = np.arange(-127, 128)
    others = np.array([0.49, 1.51, -0.51, -126.49], np.float64)
    tie = np.array([0.5, -0.5])  # 63.5 levels
    beyond = np.array([1.001, -1.001, 3e38, -3e38, np.inf, -np.inf])
    a = np.concatenate([levels / 127, others / 127, tie, beyond]).astype(SINGLE)[:, None].copy()
    c = np.zeros((len(a), 1), SINGLE)
    multiply("int8", a, packed("int8", np.ones((1, 1), SINGLE), scales=np.full(1, 127, SINGLE)), c)
    np.testing.assert_array_equal(c[:, 0], [*levels, 0, 2, -1, -126, 64, -64, *[127, -127] * 3])
