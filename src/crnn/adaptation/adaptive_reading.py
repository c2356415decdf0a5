"""AdaptiveReading: reads a text block by block; the weights that predict a block have learned from those before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..inference.network.network import InferenceNetwork
from ..inference.network.packed_network import State
from ..inference.scoring.scoring import BLOCK, surprisal
from ..text.sources.stored_ids import TextIds

__all__ = ["Adapt", "AdaptiveReading", "Learner", "log_likelihood", "read_all"]

Ids = NDArray[Any]
Adapt = bool | Mapping[str, Any]  # the parameter `adapt`: False, True, or options of `CharRNN.adapt`


class Learner(Protocol):
    """Weights that can learn from a block. They do not change: what has learned is another learner."""

    @property
    def network(self) -> InferenceNetwork:
        """The network with these weights."""

    @property
    def block_length(self) -> int:
        """The symbols of a block that are predicted."""

    def learned(self, symbols: Ids, counted: NDArray[np.bool_], state: State) -> Learner:
        """Return the weights after one step on a block.

        Parameters
        ----------
        symbols : array of int, shape (T + 1,)
            The inputs, and one on, the targets.
        counted : array of bool, shape (T,)
            The targets whose losses count.
        state : tuple of arrays (L, 1, H)
            Before the first input is read.
        """


class AdaptiveReading(NamedTuple):
    """Where the reading of a text stands. It does not change: reading on returns another one.

    A block has `block_length` targets, each with its input, the symbol before it. The first input of a block is the
    last target of the one before. It is read again, with the new weights, so that a block's loss is that of one chunk
    of training with one set of weights. The first symbol of a text is predicted by the zero state and has no input.
    """

    learner: Learner
    state: State  # after all that was read
    start: State  # before the first symbol of the block
    symbols: Ids  # of the block so far: its first input, and its targets; empty before a text
    counted: NDArray[np.bool_]  # of each target, whether it is learned from

    @classmethod
    def begin(cls, learner: Learner) -> Self:
        """Return the reading before a text."""
        zero = learner.network.zero_state(1)
        return cls(learner, zero, zero, np.empty(0, np.int32), np.empty(0, np.bool_))

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[AdaptiveReading, NDArray[np.float64]]:
        """Read on.

        Parameters
        ----------
        ids : array of int, shape (n,)
        learn : bool, default=True
            Whether these symbols are learned from, once their block is complete.

        Returns
        -------
        AdaptiveReading
        surprisal : ndarray of float64, shape (n,)
            -log P of each symbol, in nats. The bits do not depend on how the text is cut into calls.
        """
        reading, out, done = self, np.empty(len(ids)), 0
        while done < len(ids):
            piece = ids[done : done + reading._room]
            reading, out[done : done + len(piece)] = reading._read_piece(piece.astype(np.int32), learn)
            done += len(piece)
        return reading, out

    def learn_rest(self) -> Learner:
        """Return the weights that have learned from the incomplete block as well."""
        return self.learner.learned(self.symbols, self.counted, self.start) if self.counted.any() else self.learner

    @property
    def _room(self) -> int:
        """The symbols that complete the block."""
        return self.learner.block_length + 1 - len(self.symbols)

    def _read_piece(self, piece: Ids, learn: bool) -> tuple[AdaptiveReading, NDArray[np.float64]]:
        """Read symbols of one block."""
        network, state = self.learner.network, _copied(self.state)
        symbols = np.concatenate([self.symbols, piece])
        counted = np.append(self.counted, np.full(len(symbols) - 1 - len(self.counted), learn))
        if len(piece) < self._room:
            return AdaptiveReading(self.learner, state, self.start, symbols, counted), surprisal(network, piece, state)
        before_last = surprisal(network, piece[:-1], state)
        start = _copied(state)
        out = np.concatenate([before_last, surprisal(network, piece[-1:], state)])
        learner, last = self.learner, symbols[-1:]
        if counted.any():
            learner, state = learner.learned(symbols, counted, self.start), _copied(start)
            learner.network.feed(last.reshape(1, 1), state)
        return AdaptiveReading(learner, state, start, last, counted[:0]), out


def log_likelihood(reading: AdaptiveReading, ids: TextIds, given: int = 0) -> float:
    """Return log P of a text in nats, learned from on the way; the first `given` symbols are read but not counted."""
    sums: list[float] = []
    for _, surprisals in read_all(reading, ids):
        sums.append(math.fsum(-surprisals[given if not sums else 0 :]))
    return math.fsum(sums)


def read_all(reading: AdaptiveReading, ids: TextIds) -> Iterator[tuple[AdaptiveReading, NDArray[np.float64]]]:
    """Read a text in blocks that fit into memory; yield what `AdaptiveReading.read` returns for each."""
    for i in range(0, len(ids), BLOCK):
        reading, surprisals = reading.read(ids[i : i + BLOCK].astype(np.int32))
        yield reading, surprisals


def _copied(state: State) -> State:
    return tuple(part.copy() for part in state)
