"""Reading: a text read on and on by a model that learns from it; scores and text states use nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.network.network import InferenceNetwork, State
from ..inference.sampling.text_drawing import encoded_prime
from ..inference.scoring.scoring import BLOCK, scored_ids
from ..text.sources.sources import TextLike
from ..text.sources.stored_ids import TextIds
from ..text.symbols.vocabulary import Vocabulary

__all__ = ["Adapt", "Reading", "adaptive_score", "adaptive_surprisal", "read_all"]

Ids = NDArray[Any]
Array = NDArray[Any]
Adapt = bool | Mapping[str, Any] | Literal["counts"]  # the parameter `adapt`; a mapping has options of `CharRNN.adapt`


class Reading(Protocol):
    """Where the reading of a text stands. A reading does not change: reading on returns another one.

    `AdaptiveReading` learns by steps of the weights, `AdaptiveCounts` by counting. A reading must be picklable.
    """

    @property
    def network(self) -> InferenceNetwork:
        """The network that has learned from the text so far."""

    @property
    def state(self) -> State:
        """The network's state of one stream after the text so far; nobody may change it."""

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[Self, NDArray[np.float64]]:
        """Read on.

        Parameters
        ----------
        ids : array of int, shape (n,)
        learn : bool, default=True
            Whether these symbols are learned from.

        Returns
        -------
        Reading
            It may take over what this reading has learned, which then has to learn it anew if it is read on again.
        surprisal : ndarray of float64, shape (n,)
            -log P of each symbol, in nats. The bits do not depend on how the text is cut into calls.
        """

    def read_rows(self, ids: Ids, *, learn: bool = True) -> tuple[Self, Array]:
        """Read on as `read` does, and return the logits (n, V) that predict each symbol in place of its surprisal."""

    def copy(self) -> Self:
        """Return a reading that goes on independently."""


AnyReading = TypeVar("AnyReading", bound=Reading)


def adaptive_score(reading: Reading, vocabulary: Vocabulary, X: TextLike, *, exact: bool) -> float:
    """Return the mean of log P over the symbols of a text, in nats, learned from on the way.

    Raises
    ------
    InvalidInputError
        Unless `exact`, or if the text cannot be scored.
    """
    if not exact:
        raise InvalidInputError(
            "exact=False reads parts of a text in parallel, and adapt learns from its start: leave one of them out"
        )
    ids, given = scored_ids(X, vocabulary)
    reading, _ = reading.read(ids[:given].astype(np.int32), learn=False)
    sums = [math.fsum(-surprisals) for _, surprisals in read_all(reading, ids[given:])]
    return math.fsum(sums) / (len(ids) - given)


def adaptive_surprisal(reading: Reading, vocabulary: Vocabulary, ids: Ids) -> NDArray[np.float64]:
    """Return -log P of each symbol of a text, (n,), in nats, learned from on the way."""
    return reading.read(encoded_prime("", vocabulary))[0].read(ids)[1]


def read_all(reading: AnyReading, ids: TextIds) -> Iterator[tuple[AnyReading, NDArray[np.float64]]]:
    """Read a text in blocks that fit into memory; yield what `Reading.read` returns for each."""
    for i in range(0, len(ids), BLOCK):
        reading, surprisals = reading.read(ids[i : i + BLOCK].astype(np.int32))
        yield reading, surprisals
