"""The lines of a file or a pipe, read and scored as they arrive, in constant memory."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.scoring.string_scores import Reduce
from ..language_model import LanguageModel
from ..text.sources.decompressed import Decompressed
from ..text.sources.file_reader import decoded_lines
from ..text.sources.input_checks import Errors
from .files import STANDARD, opened

LINES_SIZE = 1 << 18  # maximum bytes of lines read at a time
LONG_LINE = 1 << 22  # bytes; longer lines are not held in memory


class ReadAs(NamedTuple):
    """Whether lines are bytes rather than str, and how to handle lines with invalid UTF-8."""

    as_bytes: bool
    errors: Errors = "strict"

    def refusal(self, line: int) -> InvalidInputError:
        """Return the error for a line, counted from 1, with invalid UTF-8."""
        return InvalidInputError(
            f"line {line} is not UTF-8. Convert the lines, pass --errors replace or --errors skip, or train a model of "
            "bytes"
        )


class LongLine:
    """The rest of one line of an open file, after the pieces read so far.

    Finish the line before reading more of the file.
    """

    def __init__(self, pieces: list[bytes], file: Decompressed, number: int, read_as: ReadAs) -> None:
        self._pieces, self._file = pieces, file
        self._number, self._read_as = number, read_as
        self._after = b""  # bytes read beyond the line
        self._rest = self._raw()

    def __iter__(self) -> Iterator[str | bytes]:
        errors = "replace" if self._read_as.errors == "replace" else "strict"
        decoder = codecs.getincrementaldecoder("utf-8")(errors)
        held = b""  # a carriage return that may belong to the line's end
        try:
            for read in self._rest:
                piece = held + read
                held = piece[len(piece.removesuffix(b"\r")) :]
                piece = piece.removesuffix(b"\r")
                yield piece if self._read_as.as_bytes else decoder.decode(piece)
            if not self._read_as.as_bytes and (last := decoder.decode(b"", final=True)):
                yield last
        except UnicodeDecodeError:
            raise self._read_as.refusal(self._number) from None

    def _raw(self) -> Iterator[bytes]:
        """Yield the part of the line read so far, then the rest."""
        pieces, self._pieces = self._pieces, []
        yield from pieces
        pieces.clear()
        while data := self._file.read1(LINES_SIZE):
            piece, end, after = data.partition(b"\n")
            self._after = after
            yield piece
            if end:
                return

    def finish(self) -> bytes:
        """Return the bytes read beyond the line."""
        return self._after

    def score(self, model: LanguageModel, reduce: Reduce) -> float:
        """Return the line's score, like `LanguageModel.score_samples`; NaN or -inf according to `errors`."""
        state, n = model.start(), 0
        try:
            for piece in self:
                state.feed(piece)
                n += len(piece)
        except InvalidInputError as error:
            if self._read_as.errors == "strict":
                raise InvalidInputError(f"line {self._number}: {str(error).removeprefix('text ')}") from error
            for _ in self._rest:
                pass
            return -math.inf if self._read_as.errors == "replace" else math.nan
        if model.vocabulary_.boundary is not None:
            state.end()
            n += 1
        if reduce == "min":
            return state.min_log_prob
        return state.log_prob / max(n, 1) if reduce == "mean" else state.log_prob


# -------------------------------------------------------------------- reading


def read_lines(path: str, read_as: ReadAs) -> Iterator[list[Any] | LongLine]:
    """Yield the lines of a text, without their ends, in batches, each as soon as it has come through a pipe.

    A gzip file is decompressed as it arrives. If there is an error, the lines before it come first. None stands for a
    skipped line. A line longer than `LONG_LINE` comes alone and must be read before the next.
    """
    with opened(path) as raw:
        file = Decompressed(raw, "standard input" if path == STANDARD else path)
        pieces, count = list[bytes](), 0  # pieces of an unfinished line, and the number of lines before it
        data = file.read1(LINES_SIZE)
        while data:
            *whole, rest = data.split(b"\n")
            if whole:
                whole[0] = b"".join([*pieces, whole[0]])
                yield from _lines(whole, count, read_as)
                pieces, count = [], count + len(whole)
            pieces.append(rest)
            data = b""
            if len(pieces) * LINES_SIZE > LONG_LINE and sum(map(len, pieces)) > LONG_LINE:
                line = LongLine(pieces, file, count + 1, read_as)
                yield line
                data, pieces, count = line.finish(), [], count + 1
            data = data or file.read1(LINES_SIZE)
        if last := b"".join(pieces):
            yield from _lines([last], count, read_as)


def _lines(lines: list[bytes], first: int, read_as: ReadAs) -> Iterator[list[Any]]:
    """Yield lines in the chosen form; before an error, yield the lines before it."""
    lines = [line.removesuffix(b"\r") for line in lines]
    if read_as.as_bytes:
        yield lines
        return
    found = decoded_lines(lines, errors="replace" if read_as.errors == "replace" else "strict")
    bad = found.index(None) if read_as.errors == "strict" and None in found else len(found)
    if bad:
        yield found[:bad]
    if bad < len(found):
        raise read_as.refusal(first + bad + 1)


# -------------------------------------------------------------------- scoring


def line_scores(
    model: LanguageModel, lines: Iterable[list[Any] | LongLine], reduce: Reduce, errors: Errors
) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of lines in batches; a long line's score as soon as it has been read.

    If there is an error, the scores of the lines before it come first.
    """
    done = 0
    for _, group in groupby(lines, type):
        batches: Iterator[Any] = iter(group)
        first = next(batches)
        if isinstance(first, LongLine):
            for line in chain([first], batches):
                done += 1
                yield np.array([line.score(model, reduce)])
            continue
        for scores in _batch_scores(model, chain([first], batches), done, reduce=reduce, errors=errors):
            done += len(scores)
            yield scores


def _batch_scores(
    model: LanguageModel, batches: Iterable[list[Any]], first: int, **options: Any
) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of batches of lines; `first` is the number of lines before them."""
    done, batch = 0, list[Any]()

    def noted() -> Iterator[list[Any]]:
        nonlocal batch
        for batch in batches:  # noqa: UP028  # the loop's variable is used below
            yield batch

    try:
        for scores in model.score_batches(noted(), **options):
            done += len(scores)
            yield scores
    except InvalidInputError as error:  # its index counts from the first batch
        number = re.match(r"texts\[(\d+)\]", str(error))
        if number is None:
            raise
        if good := batch[: int(number[1]) - done]:
            yield from model.score_batches([good], **options)
        raise InvalidInputError(f"texts[{int(number[1]) + first}]{str(error)[number.end() :]}") from error
