"""MixedNetwork: several networks as one, whose logits are the weighted sum of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..arrays import Array
from .network import SCORE_ROWS, InferenceNetwork, Scratch, State

ROWS = 4 * SCORE_ROWS  # of logits of each member at a time: members push each other out of the cache less often


@runtime_checkable
class RowFiller(Protocol):
    """A network that can give the compiled drawing loop a row of logits, based on the last symbols alone."""

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return a capsule with a ``RowSource``, and the symbols before the ones to be drawn.

        The capsule keeps its counts alive. There are as many symbols as the source looks back, with -1 for those
        before the beginning.
        """


class MixedNetwork(InferenceNetwork):
    """Networks that read the same text, mixed log-linearly: p is proportional to the product of p_k ** weights[k].

    Its state is the list of their states. Logits are added in float64. Constants that a network subtracts from all its
    logits do not matter, so individual softmaxes are not needed.
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

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same members and weights."""
        return (
            isinstance(other, MixedNetwork)
            and len(other.members) == len(self.members)
            and np.array_equal(other.weights, self.weights)
            and all(own.same_as(its) for own, its in zip(self.members, other.members, strict=True))
        )

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
        """Return the streams of several states as one state."""
        return [member.join(own) for member, own in zip(self.members, zip(*states, strict=True), strict=True)]

    def put(self, state: State, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[State]) -> State:
        """Return a state with some streams replaced."""
        of_members = zip(self.members, state, zip(*parts, strict=True), strict=True)
        return [member.put(own, total, streams, of_parts) for member, own, of_parts in of_members]

    def start(self) -> State:
        """Return the state of one stream before a string."""
        return [member.start() for member in self.members]

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Read the symbols x (n, B) in order, advancing the state in place."""
        for member, own in zip(self.members, state, strict=True):
            member.feed(x, own)

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the state in place."""
        out = np.empty(x.shape)
        steps = max(1, self.rows_at_a_time(ROWS) // max(x.shape[1], 1))
        members = list(zip(self.members, state, (scratch or Scratch()).parts(len(state)), strict=True))
        for i in range(0, len(x), steps):
            block = x[i : i + steps]
            rows = [member.logits_before(block, own, of_member) for member, own, of_member in members]
            out[i : i + steps] = self.log_probabilities_of(rows, block)
        return out

    def log_probabilities_of(self, logits: Sequence[Array], x: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return log P of symbols x (...), predicted by the members' logits (..., V)."""
        rows = tuple(np.ascontiguousarray(y).reshape(x.size, y.shape[-1]) for y in logits)
        out = np.empty(x.size)
        core.mixture_log_probabilities(
            rows, self.weights, np.ascontiguousarray(x, np.int32).ravel(), np.empty(self.symbols), out
        )
        return out.reshape(x.shape)

    def logits_after(self, state: State) -> Array:
        """Return the logits (B, V) of the next symbol."""
        members = zip(self.members, state, strict=True)
        return self.mixed([member.logits_after(own) for member, own in members])

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place."""
        members = zip(self.members, state, strict=True)
        return self.mixed([member.logits_before(x, own) for member, own in members])

    def mixed(self, logits: Sequence[Array]) -> NDArray[np.float64]:
        """Return the weighted sum of the members' logits (..., V), which may have more columns."""
        weighted = zip(self.weights.tolist(), logits, strict=True)
        parts = [weight * y[..., : self.symbols].astype(np.float64) for weight, y in weighted if weight]
        return np.asarray(sum(parts)) if parts else np.zeros((*logits[0].shape[:-1], self.symbols))

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return min(member.rows_at_a_time(wanted) for member in self.members)
