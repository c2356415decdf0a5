"""MixedReading: a text read by all members of a mixture, learning or fixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference.network.mixed_network import ROWS, MixedNetwork
from ..inference.network.protocol import State
from ..inference.network.text_state import FixedReading
from .reading import Reading

Ids = NDArray[Any]
Array = NDArray[Any]


class MixedReading:
    """A `Reading` that mixes the logits of several readings of the same text, by models with the same symbols."""

    learns = True

    def __init__(self, readings: Sequence[Reading | FixedReading], weights: NDArray[np.float64]) -> None:
        self._readings, self._weights = tuple(readings), weights

    @property
    def network(self) -> MixedNetwork:
        """The network that has learned from the text so far."""
        return MixedNetwork([reading.network for reading in self._readings], self._weights)

    @property
    def state(self) -> State:
        """The network's state after the text so far."""
        return [reading.state for reading in self._readings]

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[MixedReading, NDArray[np.float64]]:
        """Read more symbols; see `Reading.read`."""
        network = self.network  # first, since counts handed over to another reading would have to be recounted
        reading, out, steps = self, np.empty(len(ids)), network.rows_at_a_time(ROWS)
        for i in range(0, len(ids), steps):
            piece = ids[i : i + steps].astype(np.int32)
            found = [member.read_rows(piece, learn=learn) for member in reading._readings]
            out[i : i + steps] = network.log_probabilities_of([rows for _, rows in found], piece)
            reading = MixedReading([member for member, _ in found], self._weights)
        return reading, out

    def read_rows(self, ids: Ids, *, learn: bool = True) -> tuple[MixedReading, Array]:
        """Read more symbols; see `Reading.read_rows`."""
        network = self.network  # first, as in `read`
        found = [member.read_rows(ids, learn=learn) for member in self._readings]
        rows = network.mixed([rows for _, rows in found])
        return MixedReading([member for member, _ in found], self._weights), rows

    def copy(self) -> MixedReading:
        """Return a reading that continues independently."""
        return MixedReading([member.copy() for member in self._readings], self._weights)
