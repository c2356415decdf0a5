"""The lines of a file or a pipe, read and scored as they arrive, in bounded memory."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..inference.string_scores import Reduce
from ..language_model import LanguageModel
from ..text.documents import Errors
from ..text.file_reader import Decompressed, decoded_lines
from .files import STANDARD, opened

LINES_SIZE = 1 << 18  # maximum bytes of lines read at a time
MAX_LINE = 1 << 24  # bytes in a line, which take about ten times as much memory while the line is scored


class ReadAs(NamedTuple):
    """Whether lines are bytes rather than str, and how to handle lines with invalid UTF-8."""

    as_bytes: bool
    errors: Errors | None = None  # None: "strict", of a command without the option

    def refusal(self, line: int) -> InvalidInputError:
        """Return the error for a line, counted from 1, with invalid UTF-8."""
        option = ", pass --errors replace or --errors skip" if self.errors else ""
        return InvalidInputError(f"line {line} is not UTF-8. Convert the lines{option}, or train a model of bytes")


# -------------------------------------------------------------------- reading


def read_lines(path: str, read_as: ReadAs) -> Iterator[list[Any]]:
    """Yield the lines of a text, without their ends, in batches, each as soon as it has come through a pipe.

    A gzip file is decompressed as it arrives. If there is an error, the lines before it come first. None stands for a
    skipped line. A line of more than `MAX_LINE` bytes is an error.
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
            if len(pieces) * LINES_SIZE > MAX_LINE and sum(map(len, pieces)) > MAX_LINE:
                raise InvalidInputError(
                    f"line {count + 1} has more than {MAX_LINE:,} bytes, the most that fit. Break it into several."
                )
            data = file.read1(LINES_SIZE)
        if last := b"".join(pieces):
            yield from _lines([last], count, read_as)


def _lines(lines: list[bytes], first: int, read_as: ReadAs) -> Iterator[list[Any]]:
    """Yield lines in the chosen form; before an error, yield the lines before it."""
    lines = [line.removesuffix(b"\r") for line in lines]
    if read_as.as_bytes:
        yield lines
        return
    if first == 0:
        lines[0] = lines[0].removeprefix(BOM_UTF8)
    decoded = decoded_lines(lines, errors="replace" if read_as.errors == "replace" else "strict")
    bad = decoded.index(None) if read_as.errors in (None, "strict") and None in decoded else len(decoded)
    if bad:
        yield decoded[:bad]
    if bad < len(decoded):
        raise read_as.refusal(first + bad + 1)


# -------------------------------------------------------------------- scoring


def line_scores(
    model: LanguageModel, batches: Iterable[list[Any]], reduce: Reduce, errors: Errors
) -> Iterator[NDArray[np.float64]]:
    """Yield the scores of batches of lines. If there is an error, the scores of the lines before it come first."""
    done, batch = 0, list[Any]()

    def noted() -> Iterator[list[Any]]:
        nonlocal batch
        for batch in batches:  # noqa: UP028  # the loop's variable is used below
            yield batch

    try:
        for scores in model.score_batches(noted(), reduce=reduce, errors=errors):
            done += len(scores)
            yield scores
    except InvalidInputError as error:
        if error.index is not None and (good := batch[: error.index - done]):
            yield from model.score_batches([good], reduce=reduce, errors=errors)
        raise
