"""TextStreams: one text cut into contiguous parts that are read in parallel, again and again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError, short_repr
from .protocol import Block


def min_symbols(batch_size: int) -> int:
    """Return the length of the shortest text that gives each stream a transition.

    Examples
    --------
    >>> min_symbols(1), min_symbols(7)
    (2, 8)
    """
    return batch_size + 1


def symbols_for_epoch(n_steps: int, batch_size: int, seq_length: int) -> int:
    """Return the length of the shortest text whose epochs have this many steps.

    Each stream has one more transition than the steps read: at the last, min-char-rnn's rule starts the text over.
    """
    return batch_size * (n_steps * seq_length + 1) + 1


class TextStreams:
    """A text of N symbols as B streams, its contiguous parts, read in parallel in chunks of T transitions.

    The N - 1 transitions from one symbol to the next are distributed evenly, S = (N - 1) // B to each
    stream. Stream b holds ids[b S : b S + S + 1]: its last symbol is only a target there, and is the
    first input of the next stream. At most B - 1 transitions at the end of the text are left out.

    An epoch reads chunks at p = 0, T, 2 T, ... As in min-char-rnn the text starts over, from zero states, when
    p + T + 1 >= S + 1. The first epoch starts with the model's current states, unless S <= T.

    `seq_length` is T, reduced if a stream has fewer than T transitions; `stream_length` is S + 1; `steps_per_epoch`
    counts chunks; `position` is p of the next chunk, before the rule for the end of the text is applied. The ids are
    not copied if contiguous, and may be mapped from a file: blocks are views.
    """

    __slots__ = ("_position", "batch_size", "ids", "seq_length", "steps_per_epoch", "stream_length")

    def __init__(
        self, ids: NDArray[np.integer[Any]], batch_size: int = 1, seq_length: int = 25, *, name: str = "X"
    ) -> None:
        for size, what in ((batch_size, "batch_size"), (seq_length, "seq_length")):
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise InvalidInputError(f"{what} must be an integer of at least 1, not {short_repr(size)}")
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InvalidInputError(f"ids must be one-dimensional integers, not {ids.dtype} of shape {ids.shape}")
        n = len(ids)
        if n < min_symbols(1):
            raise InvalidInputError(
                f"{name} is too short: its length is {n}, but at least {min_symbols(1)} symbols are needed, "
                "one to read and one to predict",
                argument=name,
            )
        if n < min_symbols(batch_size):
            raise InvalidInputError(
                f"{name} is too short for batch_size={batch_size}: its length is {n}, but at least "
                f"{min_symbols(batch_size)} symbols are needed. Lower batch_size, or pass a longer text.",
                argument=name,
            )
        self.ids = np.ascontiguousarray(ids).view()
        self.ids.flags.writeable = False
        self.batch_size = int(batch_size)
        self.stream_length = (n - 1) // self.batch_size + 1
        self.seq_length = min(int(seq_length), self.stream_length - 1)
        self.steps_per_epoch = self._chunks_from(0)
        self._position = 0

    @property
    def position(self) -> int:
        """The position of the next chunk, before the rule for the end of the text is applied."""
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        if not 0 <= position < self.stream_length:
            raise InvalidInputError(
                f"position {position} is outside streams of {self.stream_length} symbols. Pass a "
                "position in the same text."
            )
        self._position = position

    def next_block(self) -> Block:
        """Return the rest of the epoch, or else the next epoch, as a view."""
        starts_epoch = self._ends_before(self._position)
        p = 0 if starts_epoch else self._position
        n = self._chunks_from(p) * self.seq_length
        self._position = p + n
        return Block(self._rows(p, n + 1), starts_epoch)

    def _ends_before(self, p: int) -> bool:
        """Return whether the epoch is over when the next chunk would start at p, by min-char-rnn's rule."""
        return p + self.seq_length + 1 >= self.stream_length

    def _chunks_from(self, p: int) -> int:
        """Count the chunks p, p + T, p + 2 T, ... of one epoch; the one at p is always read."""
        T = self.seq_length
        return max(1, -((p + T + 1 - self.stream_length) // T))

    def _rows(self, p: int, n: int) -> NDArray[np.integer[Any]]:
        """Return n symbols of each stream from p, as a view of the text."""
        size = self.ids.itemsize
        strides = ((self.stream_length - 1) * size, size)
        # The constructor takes half a microsecond, `as_strided` 20 times as long; a text may be a single chunk.
        return np.ndarray((self.batch_size, n), self.ids.dtype, self.ids.data, p * size, strides)

    def __repr__(self) -> str:
        return (
            f"TextStreams({len(self.ids)} ids, batch_size={self.batch_size}, seq_length={self.seq_length}, "
            f"stream_length={self.stream_length}, steps_per_epoch={self.steps_per_epoch})"
        )
