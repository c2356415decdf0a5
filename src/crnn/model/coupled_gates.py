"""Coupled gates as PyTorch has them: those of an LSTM whose input gate has the forget gate's weights, negated.

sigmoid(-z) = 1 - sigmoid(z), so that with one block of rows more any program for LSTMs computes the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def with_input_gate(rows: Array) -> Array:
    """Return the weights of gates f, g, o as those of i, f, g, o.

    Parameters
    ----------
    rows : array of shape (3 H, ...)
        Of a matrix, or a bias.

    Returns
    -------
    array of shape (4 H, ...)

    Examples
    --------
    >>> with_input_gate(np.array([1.0, 2.0, 3.0]))
    array([-1.,  1.,  2.,  3.])
    """
    return np.concatenate([-rows[: len(rows) // 3], rows])


def without_input_gate(rows: Array) -> Array:
    """Return the weights of gates i, f, g, o without those of i, (3 H, ...) of (4 H, ...).

    Examples
    --------
    >>> without_input_gate(np.array([-1.0, 1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """
    return rows[len(rows) // 4 :]


def is_coupled(rows: Array) -> bool:
    """Say whether the weights of gates i, f, g, o, (4 H, ...), are those of an input gate 1 - f.

    Examples
    --------
    >>> is_coupled(np.array([-1.0, 1.0, 2.0, 3.0])), is_coupled(np.array([1.0, 1.0, 2.0, 3.0]))
    (True, False)
    """
    H = len(rows) // 4
    return bool((rows[:H] == -rows[H : 2 * H]).all())
