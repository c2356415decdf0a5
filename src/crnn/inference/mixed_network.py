"""MixedNetwork: several networks as one, whose logits are the weighted sum of theirs; the weights are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from ..arrays import Array
from ..text.vocabulary import Vocabulary
from .network import SCORE_ROWS, InferenceNetwork, State, write_rows
from .scratch import Scratch

ROWS = 4 * SCORE_ROWS  # of logits of each member at a time: members push each other out of the cache less often
MOVING_RATE = 1e-3  # of weights that follow a text, per symbol; rates from 3e-4 to 3e-3 differ little
# A derivative is at most this many nats. The bound matters for logits far apart, where steps could overshoot.
MOVING_LIMIT = 32.0
ASCII_LETTERS = np.array([chr(code).isalnum() or chr(code) == "_" for code in range(128)])


def letters_of(vocabulary: Vocabulary) -> NDArray[np.uint8]:
    """Return which symbols are letters, digits, underscores or above 127, (V + 1,); the last stands for no symbol."""
    letters = np.zeros(len(vocabulary) + 1, np.uint8)
    codes = vocabulary.codes
    letters[: len(codes)] = (codes > 127) | ASCII_LETTERS[np.minimum(codes, 127)]
    return letters


def letters_before(letters: NDArray[np.uint8], x: NDArray[np.int32], last: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return how many letters, at most k, are right before each of the symbols x (n, B) and the next one, (n + 1, B).

    `last` (B, k) are the symbols before x, -1 before the beginning, and become those before the next symbol.
    """
    k = last.shape[1]
    if not k:
        return np.zeros((len(x) + 1, x.shape[1]), np.int32)
    symbols = np.concatenate([last.T, x])
    is_letter = letters.take(symbols)
    found = is_letter[: len(x) + 1].astype(np.int32)
    for i in range(1, k):
        found += 1
        found *= is_letter[i : i + len(found)]
    last[:] = symbols[-k:].T
    return found


@runtime_checkable
class RowFiller(Protocol):
    """A network that can give the compiled drawing loop a row of logits, based on the last symbols alone."""

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return a capsule with a ``RowSource``, and the symbols that it looks back, -1 before the beginning."""


@runtime_checkable
class DerivedNetwork(Protocol):
    """A network that computes its logits from those of another one, its basis, which has read the same text."""

    @property
    def basis(self) -> InferenceNetwork:
        """The other network."""

    def logits_after_from(self, rows: Array, state: State) -> Array:
        """Return what `logits_after` does, given the logits of the basis, which stay as they are."""

    def logits_before_from(
        self, rows: Array, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> Array:
        """Return what `logits_before` does, given the logits of the basis, which stay as they are."""


class MixedNetwork(InferenceNetwork):
    """Networks that read the same text, mixed log-linearly: p is proportional to the product of p_k ** weights[c, k].

    `weights` (C, K), or (K,) for one class, are those after c `letters` (V + 1,), c = 0, 1, …, and C - 1 or more. The
    state is the list of the networks' states, and the last C - 1 symbols. Logits are added in float64, without
    individual softmaxes, since constants do not matter.
    """

    def __init__(
        self, members: Sequence[InferenceNetwork], weights: NDArray[np.float64], letters: NDArray[np.uint8]
    ) -> None:
        self.members = tuple(members)
        self.weights = np.array(weights, np.float64, ndmin=2)
        self.letters = letters

    @cached_property
    def _derived(self) -> list[_Derivation | None]:
        """How each member is derived from an earlier one, found when needed: a text that adapts makes many networks."""
        return [_derivation(member, self.members[:k]) for k, member in enumerate(self.members)]

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
        return max(*lengths, len(self.weights) - 1) if len(lengths) == len(self.members) else None

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same members and weights."""
        return (
            isinstance(other, MixedNetwork)
            and len(other.members) == len(self.members)
            and np.array_equal(other.weights, self.weights)
            and np.array_equal(other.letters, self.letters)
            and all(a.same_as(b) for a, b in zip(self.members, other.members, strict=True))
        )

    def zero_state(self, streams: int) -> State:
        """Return the state of streams that have read nothing."""
        last = np.full((streams, len(self.weights) - 1), -1, np.int32)
        return [*(member.zero_state(streams) for member in self.members), last]

    def copy(self, state: State) -> State:
        """Return a copy that shares no memory with the state."""
        return [*(member.copy(part) for member, part in zip(self.members, state[:-1], strict=True)), state[-1].copy()]

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of some streams of a state, in this order."""
        parts = [member.select(part, streams) for member, part in zip(self.members, state[:-1], strict=True)]
        return [*parts, state[-1].take(streams, axis=0)]

    def join(self, states: Sequence[State]) -> State:
        """Return the streams of several states as one state."""
        *of_members, last = zip(*states, strict=True)
        joined = [member.join(parts) for member, parts in zip(self.members, of_members, strict=True)]
        return [*joined, np.concatenate(last)]

    def put(self, state: State, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[State]) -> State:
        """Return a state with some streams replaced."""
        *of_members, last = zip(*parts, strict=True)
        members = zip(self.members, state[:-1], of_members, strict=True)
        for places, new in zip(streams, last, strict=True):
            write_rows(state[-1], places, new)
        return [*(member.put(old, total, streams, new) for member, old, new in members), state[-1]]

    def start(self) -> State:
        """Return the state of one stream before a string."""
        last = np.full((1, len(self.weights) - 1), -1, np.int32)
        if self.boundary is not None:
            last[:, -1:] = self.boundary
        return [*(member.start() for member in self.members), last]

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Read the symbols x (n, B) in order, advancing the state in place."""
        for member, part in zip(self.members, state[:-1], strict=True):
            member.feed(x, part)
        letters_before(self.letters, x, state[-1])

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the state in place."""
        out = np.empty(x.shape)
        steps = max(1, self.rows_at_a_time(ROWS) // max(x.shape[1], 1))
        scratches = (scratch or Scratch()).parts(len(self.members))
        for i in range(0, len(x), steps):
            block = x[i : i + steps]
            rows = self._members_before(block, state[:-1], scratches)
            out[i : i + steps] = self.log_probabilities_of(rows, block, state[-1])
        return out

    def log_probabilities_of(
        self, logits: Sequence[Array], x: NDArray[np.int32], last: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Return log P of symbols x (n, B), given the members' logits (n, B, V), and advance the `last` symbols."""
        rows = tuple(np.ascontiguousarray(y).reshape(x.size, y.shape[-1]) for y in logits)
        out = np.empty(x.size)
        classes = letters_before(self.letters, x, last)[:-1].ravel()
        core.mixture_log_probabilities(
            rows, self.weights, classes, np.ascontiguousarray(x, np.int32).ravel(), np.empty(self.symbols), out
        )
        return out.reshape(x.shape)

    def move_weights(
        self, logits: Sequence[Array], x: NDArray[np.int32], last: NDArray[np.int32], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return log P of symbols x (n,), and the weights (n, K) that predicted them; `weights` (C, K) follow the text.

        `logits` (n, V) are the members'. After each symbol, the `weights` of its class take a step against the
        derivative of its loss, no weight below 0. `last` (1, C - 1) becomes the symbols before the next one.
        """
        rows = tuple(np.ascontiguousarray(y) for y in logits)
        out = np.empty(len(x))
        used = np.empty((len(x), len(self.members)))
        classes = np.ascontiguousarray(letters_before(self.letters, x[:, None], last)[:-1, 0])
        core.moving_mixture_log_probabilities(
            rows, weights, classes, x, MOVING_RATE, MOVING_LIMIT, np.empty(self.symbols), used, out
        )
        return out, used

    def logits_after(self, state: State) -> Array:
        """Return the logits (B, V) of the next symbol."""
        none = np.empty((0, len(state[-1])), np.int32)
        classes = letters_before(self.letters, none, state[-1])[0]
        logits: list[Array] = []
        for member, part, derived in zip(self.members, state[:-1], self._derived, strict=True):
            if derived is None:
                logits.append(member.logits_after(part))
            else:
                logits.append(derived.network.logits_after_from(logits[derived.basis], part))
        return self.mixed(logits, classes)

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place."""
        logits = self._members_before(x, state[:-1], [None] * len(self.members))
        return self.mixed(logits, letters_before(self.letters, x, state[-1])[:-1])

    def _members_before(
        self, x: NDArray[np.int32], parts: Sequence[State], scratches: Sequence[Scratch | None]
    ) -> list[Array]:
        """Return the members' logits that predict each of the symbols x, advancing their states in place.

        Those of a basis are computed once, for itself and for the members derived from it.
        """
        logits: list[Array] = []
        members = zip(self.members, parts, scratches, self._derived, strict=True)
        for member, part, scratch, derived in members:
            if derived is None:
                logits.append(member.logits_before(x, part, scratch))
            else:
                logits.append(derived.network.logits_before_from(logits[derived.basis], x, part, scratch))
        return logits

    def mixed(self, logits: Sequence[Array], classes: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the weighted sum of the members' logits (..., V), which may have more columns, for `classes` (...)."""
        total = np.zeros((*classes.shape, self.symbols))
        for weights, y in zip(self.weights.T, logits, strict=True):
            weight = weights[classes][..., None]
            part = np.zeros_like(total)
            total += np.multiply(weight, y[..., : self.symbols], out=part, where=weight != 0)  # 0 times -inf is NaN
        return total

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once."""
        return min(member.rows_at_a_time(wanted) for member in self.members)


class _Derivation(NamedTuple):
    """A member of a mixture that is derived from an earlier one, with that one's number."""

    network: DerivedNetwork
    basis: int


def _derivation(member: InferenceNetwork, earlier: Sequence[InferenceNetwork]) -> _Derivation | None:
    """Return how a member is derived from one of the earlier ones; None if it is not."""
    if not isinstance(member, DerivedNetwork):
        return None
    basis = member.basis
    for k, other in enumerate(earlier):
        if other is basis:
            return _Derivation(member, k)
    return None
