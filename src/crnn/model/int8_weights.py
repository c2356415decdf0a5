"""8-bit weights: matrices rounded to integers of -127 to 127 times a scale for each output, still in floating point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from .layout import Layout, copy_in_pieces

Scales = dict[str, NDArray[np.float32]]
"""The scale of each output of each matrix, under the names of `Layout.named`; biases have none."""

LARGEST_INT8 = 127  # -128 is not used, so that every integer can be negated
LOOKUP_TABLES = ("embedding", "bigrams")  # of symbols or pairs of symbols
SMALLEST_SCALE = 2.0**-100  # columns of smaller weights become zeros: no product may be a denormal number


def int8_weights(layout: Layout, params: Array) -> tuple[Array, Scales]:
    """Return flat weights whose matrices are the nearest 8-bit integers times a scale, and the scales.

    The weights keep their floating-point type: `CharRNN.quantize` rounds them here, and the 8-bit kernels and files
    get the integers back with `integers_of`.
    """
    rounded = copy_in_pieces(params)
    scales = round_matrices(layout.named(rounded))
    return rounded, scales


def round_matrices(named: Mapping[str, Array]) -> Scales:
    """Round the matrices among named weights in place; return their scales."""
    scales = {}
    for name, weights in named.items():
        if weights.ndim == 2:
            matrix = by_output(weights, name in LOOKUP_TABLES)
            scale = np.abs(matrix).max(axis=1) / np.float32(LARGEST_INT8)
            scales[name] = np.where(scale < SMALLEST_SCALE, 0, scale).astype(np.float32)
            matrix[...] = integers_of(matrix, scales[name]) * scales[name][:, None]
    return scales


def by_output(matrix: Array, is_table: bool) -> Array:
    """Return a view with one row per output of a matrix in PyTorch's shape, or of a lookup table; also the inverse."""
    return matrix.T if is_table else matrix


def integers_of(weights: Array, scale: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return the integers (outputs, inputs) that rounded weights represent, or the nearest ones."""
    nearest = np.rint(weights / np.where(scale > 0, scale, np.float32(np.inf))[:, None])
    return np.asarray(np.clip(nearest, -LARGEST_INT8, LARGEST_INT8).astype(np.int8))
