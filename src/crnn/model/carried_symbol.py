"""The symbol that was read last, a part of the hidden state of a model with bigrams, for another vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .layout import Layout

__all__ = ["renumbered"]

Array = NDArray[Any]


def renumbered(layout: Layout, hidden: tuple[Array, ...], places: NDArray[Any]) -> tuple[Array, ...]:
    """Return a hidden state in which symbol v has the id places[v]; one of -1, or what is no symbol, becomes none.

    Examples
    --------
    >>> from crnn.model.bigram_pairs import BigramPairs
    >>> layout = Layout(3, 2, np.dtype("float32"), pairs=BigramPairs(np.array([[0, 1]])))
    >>> hidden = (np.zeros((1, 4, 2), "float32"), np.array([[[0], [1], [3], [9]]], "float32"))
    >>> renumbered(layout, hidden, np.array([5, -1, 7]))[-1].ravel().tolist()
    [0.0, 6.0, 8.0, 0.0]
    """
    if layout.pairs is None:
        return hidden
    *others, symbol = hidden
    known = (symbol >= 1) & (symbol <= len(places))  # a caller may have written any number
    ids = np.where(known, symbol, 0).astype(np.intp) - 1
    return (*others, np.where(known, places[ids] + 1, 0).astype(symbol.dtype))
