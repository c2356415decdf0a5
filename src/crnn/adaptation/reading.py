"""Reading: a text read continually by a model that learns from it; the only interface for scores and text states."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network.protocol import InferenceNetwork, State
from ..inference.sampling.text_drawing import encoded_prime
from ..inference.scoring.scoring import BLOCK, scored_ids
from ..text.sources.sources import TextLike
from ..text.sources.stored_ids import TextIds
from ..text.symbols.vocabulary import Vocabulary

Ids = NDArray[Any]
Array = NDArray[Any]
Adapt = bool | Mapping[str, Any] | Literal["counts"]  # the parameter `adapt`; a mapping has options of `CharRNN.adapt`


class Reading(Protocol):
    """The position in a text being read. A reading never changes: reading more returns a new one.

    `AdaptiveReading` learns by updating weights, `AdaptiveCounts` by counting. A reading must be picklable.
    """

    @property
    def network(self) -> InferenceNetwork:
        """The network that has learned from the text so far."""

    @property
    def state(self) -> State:
        """The network's state after the text so far, for one stream; it must not be changed."""

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[Self, NDArray[np.float64]]:
        """Read symbols (n,); return the new reading and -log P of each symbol, in nats, bitwise the same however the
        text is cut into calls. The new reading may take over what this one has learned, which must then be learned
        again if this one is read further.
        """

    def read_rows(self, ids: Ids, *, learn: bool = True) -> tuple[Self, Array]:
        """Read more symbols like `read`, but return the logits (n, V) that predict each symbol, not its surprisal."""

    def copy(self) -> Self:
        """Return a reading that continues independently."""


AnyReading = TypeVar("AnyReading", bound=Reading)


def adaptive_score(reading: Reading, vocabulary: Vocabulary, X: TextLike, *, exact: bool) -> float:
    """Return the mean of log P over the symbols of a text, in nats, while learning from it."""
    if not exact:
        raise InvalidInputError(
            "adapt reads a text from its start, but exact=False reads parts of it in parallel. Omit one of them."
        )
    ids, given = scored_ids(X, vocabulary)
    reading, _ = reading.read(ids[:given].astype(np.int32), learn=False)
    sums = [math.fsum(-surprisals) for _, surprisals in read_all(reading, ids[given:])]
    return math.fsum(sums) / (len(ids) - given)


def adaptive_surprisal(reading: Reading, vocabulary: Vocabulary, ids: Ids) -> NDArray[np.float64]:
    """Return -log P of each symbol of a text, (n,), in nats, while learning from it."""
    return reading.read(encoded_prime("", vocabulary), learn=False)[0].read(ids)[1]


def read_all(reading: AnyReading, ids: TextIds) -> Iterator[tuple[AnyReading, NDArray[np.float64]]]:
    """Read a text in blocks that fit into memory, and yield the result of `Reading.read` for each."""
    for i in range(0, len(ids), BLOCK):
        reading, surprisals = reading.read(ids[i : i + BLOCK].astype(np.int32))
        yield reading, surprisals
