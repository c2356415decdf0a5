"""LongLine: a line that is read and scored piece by piece, since it may be as long as a file."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import InvalidInputError
from ..inference.scoring.string_scores import Reduce
from ..language_model import LanguageModel

__all__ = ["LongLine"]


class LongLine:
    r"""The pieces of one line of an open file. Finish the line before reading on in the file.

    Parameters
    ----------
    pieces : list of bytes
        The beginning of the line.
    file : binary file
        At the rest of it.
    number : int
        Of the line, from 1, for errors.
    as_bytes : bool
        Whether the pieces are bytes, not str.
    size : int
        Bytes of a piece, at most.

    Examples
    --------
    >>> import io
    >>> line = LongLine([b"to "], io.BytesIO(b"be\r\nor not"), 1, as_bytes=False, size=3)
    >>> list(line), line.finish()
    (['to ', 'be', ''], b'or')
    """

    def __init__(self, pieces: list[bytes], file: BinaryIO, number: int, *, as_bytes: bool, size: int) -> None:
        self._pieces, self._file, self._size = pieces, file, size
        self._number, self._as_bytes = number, as_bytes
        self._after = b""  # what has been read behind the line

    def __iter__(self) -> Iterator[str | bytes]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        held = b""  # a carriage return that may be of the line's end
        try:
            for read in self._raw():
                piece = held + read
                held = piece[len(piece.removesuffix(b"\r")) :]
                piece = piece.removesuffix(b"\r")
                yield piece if self._as_bytes else decoder.decode(piece)
            if not self._as_bytes:
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise InvalidInputError(
                f"line {self._number} is not UTF-8: convert the lines, or train a model of bytes"
            ) from None

    def _raw(self) -> Iterator[bytes]:
        """Yield what has been read of the line, then the rest."""
        pieces, self._pieces = self._pieces, []
        yield from pieces
        pieces.clear()
        while data := self._file.read(self._size):
            piece, end, after = data.partition(b"\n")
            self._after = after
            yield piece
            if end:
                return

    def finish(self) -> bytes:
        """Return what has been read behind the line."""
        return self._after

    def score(self, model: LanguageModel, reduce: Reduce) -> float:
        """Return the log-probability of the line, as `LanguageModel.score_samples` does."""
        state, n = model.start(), 0
        try:
            for piece in self:
                state.feed(piece)
                n += len(piece)
        except InvalidInputError as error:
            raise InvalidInputError(f"line {self._number}: {str(error).removeprefix('text ')}") from error
        if model.vocabulary_.boundary is not None:
            state.end()
            n += 1
        if reduce == "min":
            return state.min_log_prob
        return state.log_prob / max(n, 1) if reduce == "mean" else state.log_prob
