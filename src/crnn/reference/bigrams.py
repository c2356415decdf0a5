"""Bigrams in NumPy: rows of a table that the last two symbols choose, added to the input of the first layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layout import Tensors

Array = NDArray[Any]


def bigram_rows(p: Tensors, x: Array, state: tuple[Array, ...], boundary: int | None) -> Array | None:
    """Return the row that each of the symbols x (T, B) reads, -1 for none; None if there are no bigrams.

    The last part of the state is the symbol that was read before the chunk, plus 1, or 0.
    """
    if p.pairs is None:
        return None
    before = state[-1][0, :, 0].astype(np.intp) - 1
    return p.pairs.rows(np.concatenate([before[None], x[:-1]]), x, boundary)


def bigram_input(p: Tensors, rows: Array | None) -> Array | float:
    """Return what the rows (T, B) add to the input of the first layer, (T, B, G H); 0 if there are no bigrams."""
    if rows is None or p.bigrams is None:
        return 0.0
    return np.where(rows[..., None] < 0, 0, p.bigrams[rows])


def bigram_gradient(p: Tensors, rows: Array | None, da: Array) -> Array | None:
    """Return the gradient (R, G H) of the table, from that of the input, da (T, B, G H)."""
    if rows is None or p.bigrams is None:
        return None
    gradient = np.zeros_like(p.bigrams)
    np.add.at(gradient, rows[rows >= 0], da[rows >= 0])
    return gradient
