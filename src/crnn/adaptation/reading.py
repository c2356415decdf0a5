"""Scores and text states of a text read by a model that learns from it, and the reading of a mixture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..inference.mixed_network import ROWS, MixedNetwork, letters_before
from ..inference.network import State, seen_after
from ..inference.sampling import encoded_prime
from ..inference.text_scores import BLOCK, scored_ids
from ..inference.text_state import Reading, TextState
from ..text.sources import TextLike
from ..text.vocabulary import Vocabulary

Ids = NDArray[Any]
Adapt = bool | Mapping[str, Any] | Literal["counts"]  # the parameter `adapt`; a mapping has options of `CharRNN.adapt`


AnyReading = TypeVar("AnyReading", bound=Reading)


def adaptive_score(reading: Reading, vocabulary: Vocabulary, X: TextLike, *, exact: bool) -> float:
    """Return the mean of log P over the symbols of a text, in nats, while learning from it."""
    if not exact:
        raise InvalidInputError(
            "adapt reads a text from its start, but exact=False reads parts of it in parallel. Omit one of them."
        )
    ids, given = scored_ids(X, vocabulary)
    reading, _ = reading.read(ids[:given].astype(np.int32), learn=False)
    sums = [math.fsum(log_p) for _, log_p in read_all(reading, ids[given:])]
    return math.fsum(sums) / (len(ids) - given)


def adaptive_surprisal(reading: Reading, vocabulary: Vocabulary, ids: Ids) -> NDArray[np.float64]:
    """Return -log P of each symbol of a text, (n,), in nats, while learning from it."""
    return -reading.read(encoded_prime("", vocabulary), learn=False)[0].read(ids)[1]


def read_all(reading: AnyReading, ids: Ids) -> Iterator[tuple[AnyReading, NDArray[np.float64]]]:
    """Read a text in blocks that fit into memory, and yield the result of `Reading.read` for each."""
    for i in range(0, len(ids), BLOCK):
        reading, log_p = reading.read(ids[i : i + BLOCK].astype(np.int32))
        yield reading, log_p


def adaptive_text_state(vocabulary: Vocabulary, reading: Reading, ids: Ids) -> TextState:
    """Return the state of a text after a prime, without learning from it."""
    reading, _ = reading.read(ids, learn=False)
    return TextState(vocabulary, reading, seen_after(np.zeros(len(vocabulary), np.bool_), ids, vocabulary.boundary))


class MixedReading:
    """A `Reading` that mixes the logits of several readings of the same text, by models with the same symbols."""

    learns = True

    def __init__(
        self,
        readings: Sequence[Reading],
        weights: NDArray[np.float64],
        letters: NDArray[np.uint8],
        last: NDArray[np.int32] | None = None,
    ) -> None:
        self._readings, self._weights, self._letters = tuple(readings), np.array(weights, np.float64, ndmin=2), letters
        self._last = np.full((1, len(self._weights) - 1), -1, np.int32) if last is None else last  # never changed

    @property
    def network(self) -> MixedNetwork:
        """The network that has learned from the text so far."""
        return MixedNetwork([reading.network for reading in self._readings], self._weights, self._letters)

    @property
    def state(self) -> State:
        """The network's state after the text so far."""
        return [*(reading.state for reading in self._readings), self._last]

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[MixedReading, NDArray[np.float64]]:
        """Read more symbols; see `Reading.read`."""
        network = self.network  # first, since counts handed over to another reading would have to be recounted
        readings, out, steps, last = self._readings, np.empty(len(ids)), network.rows_at_a_time(ROWS), self._last.copy()
        for i in range(0, len(ids), steps):
            piece = ids[i : i + steps].astype(np.int32)
            advanced = [member.read_rows(piece, learn=learn) for member in readings]
            rows = [rows for _, rows in advanced]
            out[i : i + steps] = network.log_probabilities_of(rows, piece[:, None], last)[:, 0]
            readings = tuple(member for member, _ in advanced)
        return MixedReading(readings, self._weights, self._letters, last), out

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[MixedReading, Array]:
        """Read more symbols; see `Reading.read_rows`."""
        network, last = self.network, self._last.copy()  # first, as in `read`
        advanced = [member.read_rows(ids, learn=learn) for member in self._readings]
        classes = letters_before(self._letters, ids.astype(np.int32)[:, None], last)[:-1, 0]
        rows = network.mixed([rows for _, rows in advanced], classes)
        return MixedReading([member for member, _ in advanced], self._weights, self._letters, last), rows

    def copy(self) -> MixedReading:
        """Return a reading that continues independently."""
        return MixedReading([member.copy() for member in self._readings], self._weights, self._letters, self._last)
