"""AdaptiveReading: reads a text block by block, and predicts each with weights that learned from earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..inference.packed_network import PackedNetwork, PackedState
from ..inference.text_scores import log_probabilities, scored_ids
from ..model.state import ModelState
from ..text.sources import TextLike
from .reading import read_all
from .weight_learner import WeightLearner

Ids = NDArray[Any]
Predict = Callable[[PackedNetwork, Ids, PackedState], Array]


class AdaptiveReading(NamedTuple):
    """A `Reading` whose weights learn from each block of the text.

    The first input of a block is the last target of the previous block. It is read again with the new weights, so that
    a block's loss is that of one training chunk.
    """

    learner: WeightLearner
    state: PackedState  # after everything read
    start: PackedState  # before the first symbol of the block
    symbols: Ids  # of the current block: its first input, and its targets; empty before a text
    counted: NDArray[np.bool_]  # for each target, whether to learn from it

    @classmethod
    def begin(cls, learner: WeightLearner) -> Self:
        """Return the reading before a text."""
        zero = learner.network.zero_state(1)
        return cls(learner, zero, zero, np.empty(0, np.int32), np.empty(0, np.bool_))

    @property
    def learns(self) -> bool:
        """Whether the network can learn from the text."""
        return True

    @property
    def network(self) -> PackedNetwork:
        """The network with weights that have learned from the complete blocks."""
        return self.learner.network

    def copy(self) -> AdaptiveReading:
        """Return the reading itself, because it never changes."""
        return self

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[AdaptiveReading, NDArray[np.float64]]:
        """Read symbols; with `learn`, the weights learn from them once their block is complete."""
        reading, out = self._read(ids, learn, log_probabilities)
        return reading, np.concatenate([np.empty(0), *out])

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[AdaptiveReading, Array]:
        """Read more symbols; see `Reading.read_rows`."""
        reading, rows = self._read(ids, learn, _logits)
        return reading, np.concatenate([np.empty((0, self.network.symbols), self.network.params.dtype), *rows])

    def _read(self, ids: Ids, learn: bool, predict: Predict) -> tuple[AdaptiveReading, list[Array]]:
        """Read more symbols; `predict` computes the result for each piece."""
        reading, out, done = self, list[Array](), 0
        while done < len(ids):
            piece = ids[done : done + reading._room]
            reading, pieces = reading._read_piece(piece.astype(np.int32), learn, predict)
            out += pieces
            done += len(piece)
        return reading, out

    def learn_rest(self) -> WeightLearner:
        """Return weights that have learned from the incomplete block, too."""
        return self.learner.learn(self.symbols, self.counted, self.start) if self.counted.any() else self.learner

    @property
    def _room(self) -> int:
        """The number of symbols until the block is complete."""
        return self.learner.block_length + 1 - len(self.symbols)

    def _read_piece(self, piece: Ids, learn: bool, predict: Predict) -> tuple[AdaptiveReading, list[Array]]:
        """Read symbols of one block."""
        network = self.learner.network
        state = network.copy(self.state)
        symbols = np.concatenate([self.symbols, piece])
        counted = np.append(self.counted, np.full(len(symbols) - 1 - len(self.counted), learn))
        if len(piece) < self._room:
            return AdaptiveReading(self.learner, state, self.start, symbols, counted), [predict(network, piece, state)]
        before_last = predict(network, piece[:-1], state)
        start = network.copy(state)
        out = [before_last, predict(network, piece[-1:], state)]
        learner, last = self.learner, symbols[-1:]
        if counted.any():
            learner, state = learner.learn(symbols, counted, self.start), network.copy(start)
            learner.network.feed(last.reshape(1, 1), state)
        return AdaptiveReading(learner, state, start, last, counted[:0]), out


def _logits(network: PackedNetwork, ids: Ids, state: PackedState) -> Array:
    """Return the logits (n, V) that predict each symbol, and advance the state in place."""
    return network.logits_before(ids[:, None], state)[:, 0, : network.symbols]


def adapted_state(state: ModelState, reading: AdaptiveReading, X: TextLike) -> ModelState:
    """Return a copy of a model's state, with weights adapted to a text; see `CharRNN.adapt`."""
    ids, _ = scored_ids(X, state.vocabulary)
    for after, _ in read_all(reading, ids):
        reading = after
    weights, adapted = reading.learn_rest().params, state.copy_between_steps()
    adapted.params[...] = weights
    return adapted
