"""MixedNetwork: several networks as one, whose logits are the weighted sum of theirs; the weights are fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..arrays import Array
from ..text.vocabulary import Ids
from .network import SCORE_ROWS, InferenceNetwork, Scratch, State, log_softmax, rows_of_call

ROWS = 4 * SCORE_ROWS  # of logits of each member at a time: members push each other out of the cache less often
MAX_BYTES = 1 << 27  # of log-probabilities: two models of 65 symbols take 1 kB per symbol, so 130,000 symbols are read
MAX_SYMBOLS = 1 << 17


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

    @property
    def context_length(self) -> int | None:
        """The number of latest symbols that predictions depend on; None if they depend on all symbols."""
        lengths = [length for member in self.members if (length := member.context_length) is not None]
        return max(lengths) if len(lengths) == len(self.members) else None

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same members and weights."""
        return (
            isinstance(other, MixedNetwork)
            and len(other.members) == len(self.members)
            and np.array_equal(other.weights, self.weights)
            and all(a.same_as(b) for a, b in zip(self.members, other.members, strict=True))
        )

    def zero_state(self, streams: int) -> State:
        """Return the state of streams that have read nothing."""
        return [member.zero_state(streams) for member in self.members]

    def copy(self, state: State) -> State:
        """Return a copy that shares no memory with the state."""
        return [member.copy(part) for member, part in zip(self.members, state, strict=True)]

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of some streams of a state, in this order."""
        return [member.select(part, streams) for member, part in zip(self.members, state, strict=True)]

    def join(self, states: Sequence[State]) -> State:
        """Return the streams of several states as one state."""
        return [member.join(parts) for member, parts in zip(self.members, zip(*states, strict=True), strict=True)]

    def put(self, state: State, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[State]) -> State:
        """Return a state with some streams replaced."""
        members = zip(self.members, state, zip(*parts, strict=True), strict=True)
        return [member.put(old, total, streams, new) for member, old, new in members]

    def start(self) -> State:
        """Return the state of one stream before a string."""
        return [member.start() for member in self.members]

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Read the symbols x (n, B) in order, advancing the state in place."""
        for member, part in zip(self.members, state, strict=True):
            member.feed(x, part)

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the state in place."""
        out = np.empty(x.shape)
        steps = max(1, self.rows_at_a_time(ROWS) // max(x.shape[1], 1))
        members = list(zip(self.members, state, (scratch or Scratch()).parts(len(state)), strict=True))
        for i in range(0, len(x), steps):
            block = x[i : i + steps]
            rows = [member.logits_before(block, part, room) for member, part, room in members]
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
        return self.mixed([member.logits_after(part) for member, part in members])

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place."""
        members = zip(self.members, state, strict=True)
        return self.mixed([member.logits_before(x, part) for member, part in members])

    def mixed(self, logits: Sequence[Array]) -> NDArray[np.float64]:
        """Return the weighted sum of the members' logits (..., V), which may have more columns."""
        weighted = zip(self.weights.tolist(), logits, strict=True)
        parts = [weight * y[..., : self.symbols].astype(np.float64) for weight, y in weighted if weight]
        return np.asarray(sum(parts)) if parts else np.zeros((*logits[0].shape[:-1], self.symbols))

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return min(member.rows_at_a_time(wanted) for member in self.members)


class HeldOutText:
    """A text to fit weights to; of a long one, its beginning. The first `given` symbols are read but not predicted."""

    def __init__(self, ids: Ids, given: int, network: MixedNetwork) -> None:
        K, self._symbols = len(network.members), network.symbols
        n = int(min(len(ids), MAX_SYMBOLS, max(SCORE_ROWS, MAX_BYTES // (8 * K * self._symbols))))
        self._ids, self._given = ids[:n].astype(np.int32), given
        self._steps = min(SCORE_ROWS, rows_of_call(self._symbols))

    def rows(self, member: InferenceNetwork) -> NDArray[np.float64]:
        """Return log P of all symbols at each predicted place, (n, V), by a member of the mixture."""
        rows, state = np.empty((len(self._ids), self._symbols)), member.zero_state(1)
        for i in range(0, len(rows), self._steps):
            y = member.logits_before(self._ids[i : i + self._steps, None], state)[:, 0, : self._symbols]
            rows[i : i + self._steps] = log_softmax(y)
        return rows[self._given :]

    def fit(self, rows: Sequence[Array], *, sum_to_one: bool = False) -> tuple[NDArray[np.float64], float]:
        """Return the members' weights, each at least 0, with the lowest loss, and that loss, given their `rows`.

        With `sum_to_one`, the weights are then divided by their sum, and are equal if all are 0.
        """
        x, K = self._ids[self._given :, None].astype(np.intp), len(rows)
        at_targets = np.array([np.take_along_axis(part, x, axis=1).mean() for part in rows])

        def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            """Return the mean of -log p and its gradient: the mean of log p_k under p, minus its mean over the text."""
            total, gradient = 0.0, np.zeros(K)
            for i in range(0, len(x), self._steps):
                parts = np.stack([part[i : i + self._steps] for part in rows])
                y = np.tensordot(weights, parts, axes=1)
                largest = y.max(axis=1, keepdims=True)
                p = np.exp(y - largest)
                sums = p.sum(axis=1, keepdims=True)
                total += float((largest + np.log(sums)).sum())
                gradient += np.tensordot(parts, p / sums, axes=2)
            return total / len(x) - float(weights @ at_targets), gradient / len(x) - at_targets

        weights = best_weights(loss, K)
        if sum_to_one:
            weights = weights / weights.sum() if weights.any() else np.full(K, 1 / K)
        return weights, loss(weights)[0]


def best_weights(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]], K: int
) -> NDArray[np.float64]:
    """Return K weights, each at least 0, with the lowest loss; `loss` returns it with its gradient.

    The loss of a log-linear mixture is convex in the weights, so there is a single minimum. L-BFGS-B finds it from
    equal weights; the same texts give the same weights.
    """
    from scipy.optimize import minimize  # here, since importing it takes a while

    minimum = minimize(loss, np.full(K, 1 / K), jac=True, method="L-BFGS-B", bounds=[(0, None)] * K)
    return np.asarray(minimum.x)
