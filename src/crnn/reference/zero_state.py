"""A network's state before any text."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layout import Tensors
from ..parameters.cells import CELLS

Array = NDArray[Any]


def zero_state(p: Tensors, cell: str, B: int) -> tuple[Array, ...]:
    """Return zeros: h (L, B, H), c for an LSTM, and with pairs the previous symbol, (1, B, 1)."""
    L, H, dtype = len(p.layers), len(p.Wy), p.Wy.dtype
    h_and_c = [np.zeros((L, B, H), dtype) for _ in CELLS[cell].states]
    return (*h_and_c, *([] if p.pairs is None else [np.zeros((1, B, 1), dtype)]))
