"""InferenceNetwork: what sampling and scoring ask of a network, or of the average of several."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .packed_network import State
from .scratch import Scratch

__all__ = ["InferenceNetwork"]

Array = NDArray[Any]


class InferenceNetwork(Protocol):
    """A network that reads symbols and says how probable the next ones are.

    `PackedNetwork` is one, `AveragedNetwork` is several with the mean of their probabilities. A state is a tuple of
    arrays (·, B, ·) that may be cut and joined along B. A call may be given a scratch, which no other thread is using.
    """

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""

    @property
    def boundary(self) -> int | None:
        """The symbol that is read from a state of zeros."""

    def zero_state(self, streams: int) -> State:
        """Return the state before any text: zeros."""

    def start(self) -> State:
        """Return the state that a string starts from."""

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Advance the states over symbols x (n, B), in place."""

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given those before it; the states advance in place."""

    def string_log_likelihoods(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        start: State,
        scratch: Scratch | None = None,
    ) -> NDArray[np.float64]:
        """Return log P of each of the strings ids[starts : starts + lengths], the longest first."""

    def logits_after(self, state: State) -> Array:
        """Return logits (B, V) of the symbols that follow a state."""

    def logits_before(self, x: NDArray[np.int32], state: State) -> Array:
        """Return the logits (n, V) from which each of the symbols x (n,) is predicted; the state advances in place."""

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the symbols that follow a state; rows sum to 1."""

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
