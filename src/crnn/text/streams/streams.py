"""Streams: what training reads, B sequences of symbols side by side, handed out block by block."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

__all__ = ["MAX_BLOCK", "Block", "Streams"]

MAX_BLOCK = 1 << 20  # symbols of a block that is copied, over all streams


class Block(NamedTuple):
    """The next symbols of every stream.

    Attributes
    ----------
    ids : ndarray of 1-, 2- or 4-byte unsigned integers, shape (B, n + 1)
        n transitions of each stream, a multiple of T. The last symbol is only a target: the next block of the stream
        begins with it, unless the text starts over. Each row is contiguous; rows may be any distance apart, and may
        overlap. Never written to.
    starts_epoch : bool
        Whether the carried state must be zeroed before the first chunk, because the text starts over.
    loss_weights : ndarray of float64, shape (B, n), or None
        A factor of each transition's loss; None: 1.
    """

    ids: NDArray[Any]
    starts_epoch: bool
    loss_weights: NDArray[Any] | None = None

    @property
    def n_transitions(self) -> int:
        """n: from one symbol of a stream to the next."""
        return int(self.ids.shape[1]) - 1


class Streams(Protocol):
    """B sequences of symbols that are read side by side in chunks of T transitions, without end.

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
        """Chunks of an epoch, rounded up where an epoch does not end with a chunk."""

    @property
    def position(self) -> Any:
        """Where the next block begins. Assigning a position that was read before returns there.

        It is small, immutable and complete: other streams over the same symbols continue from it alike.
        """

    @position.setter
    def position(self, position: Any) -> None: ...

    def next_block(self) -> Block:
        """Return the next block and advance the position past it."""
