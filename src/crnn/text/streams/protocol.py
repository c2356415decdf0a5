"""Streams: B sequences of symbols for training, read in parallel and block by block."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

MAX_BLOCK = 1 << 20  # maximum symbols of a copied block, over all streams


class Block(NamedTuple):
    """The next symbols of every stream."""

    # (B, n + 1): n transitions of each stream, a multiple of T. The last symbol is only a target: the stream's next
    # block starts with it, unless the text starts over. Each row is contiguous; rows may be any distance apart, and may
    # overlap. The array must not be written to.
    ids: NDArray[Any]
    starts_epoch: bool  # whether the carried state must be reset before the first chunk, because the text starts over
    loss_weights: NDArray[Any] | None = None  # (B, n): a factor for each transition's loss; None: 1

    @property
    def n_transitions(self) -> int:
        """n, the transitions from one symbol of a stream to the next."""
        return int(self.ids.shape[1]) - 1


class Streams(Protocol):
    """B sequences of symbols, read in parallel in chunks of T transitions, without end.

    The trainer reads blocks and never sees their source.
    """

    @property
    def batch_size(self) -> int:
        """The number of streams, B."""

    @property
    def seq_length(self) -> int:
        """The number of transitions in a chunk, T."""

    @property
    def steps_per_epoch(self) -> int:
        """The chunks of an epoch, rounded up if an epoch ends within a chunk."""

    @property
    def position(self) -> Any:
        """The position of the next block. Assign an earlier position to return there.

        It is small, immutable and complete: other streams over the same symbols continue identically from it.
        """

    @position.setter
    def position(self, position: Any) -> None: ...

    def next_block(self) -> Block:
        """Return the next block and advance the position past it."""
