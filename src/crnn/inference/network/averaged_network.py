"""AveragedNetwork: several networks with the same symbols, and the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..sampling.beam_search import log_softmax
from .packed_network import SCORE_ROWS, PackedNetwork, State, repeated
from .scratch import Scratch

__all__ = ["AveragedNetwork"]

Array = NDArray[Any]


class AveragedNetwork:
    """Networks that read the same text; a symbol's probability is the weighted mean of theirs.

    Their states stand one after another in one tuple. Probabilities are averaged in float64.

    Parameters
    ----------
    members : sequence of PackedNetwork
        With the same symbols.
    weights : array of float, shape (k,)
        They sum to 1.
    """

    def __init__(self, members: Sequence[PackedNetwork], weights: NDArray[np.float64]) -> None:
        self.members, self.weights = tuple(members), weights

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return self.members[0].symbols

    @property
    def boundary(self) -> int | None:
        """The symbol that is read from a state of zeros."""
        return self.members[0].boundary

    def zero_state(self, streams: int) -> State:
        """Return the state before any text: zeros."""
        return tuple(part for member in self.members for part in member.zero_state(streams))

    def start(self) -> State:
        """Return the state that a string starts from."""
        return tuple(part for member in self.members for part in member.start())

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Advance the states over symbols x (n, B), in place."""
        for member, own in self._with_states(state):
            member.feed(x, own)

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given those before it; the states advance in place."""
        return self._mean([member.log_probabilities(x, own, scratch) for member, own in self._with_states(state)])

    def string_log_likelihoods(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        start: State,
        scratch: Scratch | None = None,
    ) -> NDArray[np.float64]:
        """Return log P of each of the strings ids[starts : starts + lengths], which all start from the same state.

        The longest come first. A string's terms are added from its first symbol to its last, as `PackedNetwork` adds
        them.
        """
        out = np.zeros(len(lengths))
        B, t = int(np.count_nonzero(lengths)), 0
        state, scratch = repeated(start, B), scratch or Scratch()
        while B:
            steps = min(int(lengths[B - 1]) - t, max(1, SCORE_ROWS // B))
            x = ids[starts[:B] + np.arange(t, t + steps)[:, None]]
            for log_p in self.log_probabilities(x, state, scratch):
                out[:B] += log_p
            t += steps
            B = int(np.count_nonzero(lengths[:B] > t))
            state = tuple(np.ascontiguousarray(part[:, :B]) for part in state)
        return out

    def logits_after(self, state: State) -> Array:
        """Return the logarithms of the probabilities (B, V) of the symbols that follow a state."""
        V = self.symbols  # without the padding, which may differ
        return self._mean([log_softmax(member.logits_after(own)[:, :V]) for member, own in self._with_states(state)])

    def logits_before(self, x: NDArray[np.int32], state: State) -> Array:
        """Return log P (n, V) of all symbols in the places of x (n,); the state advances in place."""
        V = self.symbols
        logits = (member.logits_before(x, own)[:, :V] for member, own in self._with_states(state))
        return self._mean([log_softmax(y) for y in logits])

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the symbols that follow a state; rows sum to 1."""
        p = [member.probabilities_after(own) for member, own in self._with_states(state)]
        return np.asarray(sum(weight * of_member for weight, of_member in zip(self.weights, p, strict=True)))

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return min(member.rows_at_a_time(wanted) for member in self.members)

    def _with_states(self, state: State) -> Iterator[tuple[PackedNetwork, State]]:
        """Yield each network with its own part of a state."""
        first = 0
        for member in self.members:
            n = len(member.layout.states)
            yield member, state[first : first + n]
            first += n

    def _mean(self, log_p: list[NDArray[Any]]) -> NDArray[np.float64]:
        """Return the logarithm of the weighted mean of probabilities, from their logarithms."""
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        weighted = [log_weight + of_member for log_weight, of_member in zip(log_weights, log_p, strict=True)]
        return np.asarray(np.logaddexp.reduce(np.array(weighted, np.float64), axis=0))
