"""Matrix products whose operands may be rounded to bfloat16 or 8-bit integers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array

LEVELS = 127  # integers from -127 to 127: a state of 1 is 127, and so is the largest weight of a column

_rounding = ""  # "bfloat16" or "int8" while products round their operands


def operands_in_bfloat16() -> AbstractContextManager[None]:
    """Round the operands of all products of this module to bfloat16, like ``matmul_precision="bfloat16"``."""
    return _rounded("bfloat16")


def operands_in_int8() -> AbstractContextManager[None]:
    """Multiply states by weights like an int8 model: round both to 8-bit integers."""
    return _rounded("int8")


@contextmanager
def _rounded(to: str) -> Iterator[None]:
    """Round the operands of products to a type inside a `with` statement."""
    global _rounding
    before = _rounding
    _rounding = to
    try:
        yield
    finally:
        _rounding = before


def to_bfloat16(a: Array) -> Array:
    """Return numbers rounded to the nearest bfloat16, ties to even, in their own dtype.

    A bfloat16 is the upper half of a float32: the sign, the exponent and the first 7 bits of the fraction. Float64
    numbers are rounded to float32 first, since the kernels have float32 operands.
    """
    bits = a.astype(np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    rounded = nearest.astype(np.uint32).view(np.float32)
    return np.where(np.isnan(a), a, rounded).astype(a.dtype)


def to_int8(W: Array) -> tuple[NDArray[np.int8], Array]:
    """Return integers (K, N) and a scale for each column (N,), whose product is closest to W."""
    scale = np.abs(W).max(axis=0) / LEVELS
    return np.rint(W / np.where(scale > 0, scale, 1)).astype(np.int8), scale


def int8_product(h: Array, integers: NDArray[np.int8], scale: Array) -> Array:
    """Return h W for states h (..., K) within [-1, 1] and W (K, N) = integers * scale.

    A state becomes an unsigned byte, round(127 h) + 128, since the processor multiplies unsigned by signed bytes. The
    sums are exact 32-bit integers. The offset of 128 adds 128 times the sum of the column, subtracted here.
    """
    unsigned = (np.rint(LEVELS * np.clip(h, -1, 1)) + 128).astype(np.uint8)
    sums = unsigned.astype(np.int32) @ integers.astype(np.int32) - 128 * integers.sum(axis=0, dtype=np.int32)
    return np.asarray(sums * (scale / LEVELS))


def product(a: Array, W: Array, *, of_states: bool = True) -> Array:
    """Return a W. Only states, which are within [-1, 1], are rounded to integers."""
    if _rounding == "int8":
        return int8_product(a, *to_int8(W)) if of_states else np.asarray(a @ W)
    return np.asarray(_operand(a) @ _operand(W))


def over_rows(x: Array, dy: Array) -> Array:
    """Return the gradient of W in y = x W: the sum of x' dy over time steps and streams."""
    return np.asarray(np.einsum("tbi,tbj->ij", _operand(x), _operand(dy)))


def _operand(a: Array) -> Array:
    return to_bfloat16(a) if _rounding == "bfloat16" else a
