"""AveragedNetwork: several networks with the same symbols, and the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .network import InferenceNetwork, State, log_softmax
from .scratch import Scratch

__all__ = ["AveragedNetwork"]

Array = NDArray[Any]


class AveragedNetwork(InferenceNetwork):
    """Networks that read the same text; a symbol's probability is the weighted mean of theirs.

    Its state is the list of their states. Probabilities are averaged in float64.

    Parameters
    ----------
    members : sequence of InferenceNetwork
        With the same symbols.
    weights : array of float, shape (k,)
        They sum to 1.
    """

    def __init__(self, members: Sequence[InferenceNetwork], weights: NDArray[np.float64]) -> None:
        self.members, self.weights = tuple(members), weights

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return self.members[0].symbols

    @property
    def boundary(self) -> int | None:
        """The id of the symbol that starts and ends a document."""
        return self.members[0].boundary

    def zero_state(self, streams: int) -> State:
        """Return the state of streams that have read nothing."""
        return [member.zero_state(streams) for member in self.members]

    def copy(self, state: State) -> State:
        """Return a copy that shares no memory with the state."""
        return [member.copy(own) for member, own in zip(self.members, state, strict=True)]

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of some streams of a state, in this order."""
        return [member.select(own, streams) for member, own in zip(self.members, state, strict=True)]

    def join(self, states: Sequence[State]) -> State:
        """Return the streams of several states in one state."""
        return [member.join(own) for member, own in zip(self.members, zip(*states, strict=True), strict=True)]

    def start(self) -> State:
        """Return the state of one stream before a string."""
        return [member.start() for member in self.members]

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Read the symbols x (n, B), one after another; the state advances in place."""
        for member, own in zip(self.members, state, strict=True):
            member.feed(x, own)

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the symbols before it; the state advances in place."""
        members = zip(self.members, state, strict=True)
        return self._mean([member.log_probabilities(x, own, scratch) for member, own in members])

    def logits_after(self, state: State) -> Array:
        """Return the logarithms of the probabilities (B, V) of the next symbol."""
        members = zip(self.members, state, strict=True)
        return self._mean([log_softmax(member.logits_after(own)[:, : self.symbols]) for member, own in members])

    def logits_before(self, x: NDArray[np.int32], state: State) -> Array:
        """Return log P (n, B, V) of all symbols in the places of x (n, B); the state advances in place."""
        members = zip(self.members, state, strict=True)
        rows = [member.logits_before(x, own) for member, own in members]
        log_p = self._mean([log_softmax(y.reshape(-1, y.shape[-1])[:, : self.symbols]) for y in rows])
        return log_p.reshape(*x.shape, -1)

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the next symbol; each row sums to 1."""
        p = [member.probabilities_after(own) for member, own in zip(self.members, state, strict=True)]
        return np.asarray(sum(weight * of_member for weight, of_member in zip(self.weights, p, strict=True)))

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return min(member.rows_at_a_time(wanted) for member in self.members)

    def _mean(self, log_p: list[NDArray[Any]]) -> NDArray[np.float64]:
        """Return the logarithm of the weighted mean of probabilities, from their logarithms."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        weighted = [log_weight + of_member for log_weight, of_member in zip(log_weights, log_p, strict=True)]
        return np.asarray(np.logaddexp.reduce(np.array(weighted, np.float64), axis=0))
