"""Integer weights: a matrix as 8-bit integers with a scale for each of its rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantized", "quantize"]

LARGEST = 127  # -128 is not used, so that a negated row has negated integers


class Quantized(NamedTuple):
    """A matrix (N, K) that is `scale[:, None] * integers`, rounded.

    Examples
    --------
    >>> small = quantize(np.array([[0.5, -1.0], [0.0, 0.0]]))
    >>> small.integers.tolist(), small.values.round(2).tolist()
    ([[64, -127], [0, 0]], [[0.5, -1.0], [0.0, 0.0]])
    """

    integers: NDArray[np.int8]  # (N, K)
    scale: NDArray[np.float32]  # (N,)

    @property
    def values(self) -> NDArray[np.float32]:
        """The matrix that they stand for."""
        return self.integers * self.scale[:, None]


def quantize(matrix: NDArray[Any]) -> Quantized:
    """Round each row to multiples of its largest magnitude / 127; PyTorch's rows each make one output."""
    scale = (np.abs(matrix).max(axis=1) / LARGEST).astype(np.float32)
    integers = np.rint(matrix / np.where(scale > 0, scale, 1)[:, None])
    return Quantized(np.clip(integers, -LARGEST, LARGEST).astype(np.int8), scale)
