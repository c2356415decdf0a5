"""Input tables in NumPy: each symbol, and each pair of symbols, selects a row of the first layer's input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layout import Tensors
from .products import product

Array = NDArray[Any]


def symbol_table(p: Tensors) -> Array:
    """Return each symbol's contribution to the gates of the first layer, (V, G H)."""
    return p.layers[0].Wx if p.embedding is None else product(p.embedding, p.layers[0].Wx, of_states=False)


def rows_of_pairs(p: Tensors, x: Array, state: tuple[Array, ...], boundary: int | None) -> Array | None:
    """Return the row for each of the symbols x (T, B), -1 for none; None without a table of pairs.

    The last part of the state is the symbol before the chunk, plus 1, or 0.
    """
    if p.pairs is None:
        return None
    before = state[-1][0, :, 0].astype(np.intp) - 1
    return p.pairs.rows(np.concatenate([before[None], x[:-1]]), x, boundary)


def pair_input(p: Tensors, rows: Array | None) -> Array | float:
    """Return the contribution of the rows (T, B) to the first layer's input, (T, B, G H), or 0 without a table."""
    if rows is None or p.pair_table is None:
        return 0.0
    return np.where(rows[..., None] < 0, 0, p.pair_table[rows])


def pair_gradient(p: Tensors, rows: Array | None, da: Array) -> Array | None:
    """Return the gradient (R, G H) of the table of pairs, given the input's gradient da (T, B, G H)."""
    if rows is None or p.pair_table is None:
        return None
    gradient = np.zeros_like(p.pair_table)
    np.add.at(gradient, rows[rows >= 0], da[rows >= 0])
    return gradient
