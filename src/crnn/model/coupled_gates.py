"""Coupled gates in PyTorch's form: an LSTM whose input gate has the forget gate's weights, negated.

Since sigmoid(-z) = 1 - sigmoid(z), one more block of rows lets any LSTM program compute a coupled cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def with_input_gate(rows: Array) -> Array:
    """Return weights of the gates f, g, o, (3 H, ...), as weights of i, f, g, o, (4 H, ...)."""
    return np.concatenate([-rows[: len(rows) // 3], rows])


def without_input_gate(rows: Array) -> Array:
    """Return weights of the gates i, f, g, o without the rows of i: (3 H, ...) of (4 H, ...)."""
    return rows[len(rows) // 4 :]


def is_coupled(rows: Array) -> bool:
    """Return whether weights of the gates i, f, g, o, (4 H, ...), make the input gate equal to 1 - f."""
    H = len(rows) // 4
    return bool((rows[:H] == -rows[H : 2 * H]).all())
