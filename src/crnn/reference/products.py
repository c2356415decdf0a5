"""Matrix products, whose operands may be rounded to bfloat16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_rounding = False  # whether the operands of products are rounded


@contextmanager
def operands_in_bfloat16() -> Iterator[None]:
    """Round the operands of all products of this module to bfloat16, as ``matmul_precision="bfloat16"`` does.

    Examples
    --------
    >>> with operands_in_bfloat16():
    ...     product(np.array([[1.01]]), np.array([[100.0]])).tolist()
    [[100.78125]]
    """
    global _rounding
    before, _rounding = _rounding, True
    try:
        yield
    finally:
        _rounding = before


def to_bfloat16(a: Array) -> Array:
    """Return numbers rounded to the nearest bfloat16, to an even one where two are as near, in their own dtype.

    A bfloat16 has the sign, the exponent and the first 7 bits of the fraction of a float32: it is the upper half of
    one. Float64 numbers are rounded to float32 first, since the kernels have float32 operands.

    Examples
    --------
    >>> to_bfloat16(np.array([3.14159, 1.00390625, 1.01171875])).tolist()  # the last two are half-way
    [3.140625, 1.0, 1.015625]
    """
    bits = a.astype(np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    rounded = nearest.astype(np.uint32).view(np.float32)
    return np.where(np.isnan(a), a, rounded).astype(a.dtype)


def product(a: Array, W: Array) -> Array:
    """Return a W."""
    return np.asarray(_operand(a) @ _operand(W))


def over_rows(x: Array, dy: Array) -> Array:
    """Return the gradient of W in y = x W: the sum of x' dy over time steps and streams."""
    return np.asarray(np.einsum("tbi,tbj->ij", _operand(x), _operand(dy)))


def _operand(a: Array) -> Array:
    return to_bfloat16(a) if _rounding else a
