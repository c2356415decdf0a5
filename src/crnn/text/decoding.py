"""Bytes as characters and lines: UTF-8, byte-order marks and line ends."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from ..parameters.checks import FilePath
from .vocabulary import Kind

BYTE_ORDER_MARK = "\ufeff"  # the byte-order mark, which some editors on Windows write at the start of a file


def line_end(kind: Kind) -> Any:
    """Return the end of a line, str or bytes."""
    return "\n" if kind == "characters" else b"\n"


def encoding_advice(error: UnicodeDecodeError) -> str:
    """Name the encoding that a file probably has instead of UTF-8, and say how to convert it."""
    utf16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name, likely = ("UTF-16", "looks like UTF-16") if utf16 else ("CP1252", "may be Windows-1252 (cp1252)")
    return f"It {likely}. Save it as UTF-8 in an editor, or convert it: iconv -f {name} -t UTF-8 FILE > NEW."


def move_to_file(error: UnicodeDecodeError, offset: int, path: FilePath) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its position in the file."""
    # `start` refers to the error's object, which therefore needs the length of the file so far. Earlier bytes are NUL,
    # since a pipe cannot be read again.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(f"in the file {os.fspath(path)!r}. {encoding_advice(moved)} Or pass its bytes instead of its path.")
    return moved


def with_newlines(blocks: Iterable[Any], kind: Kind, *, ended: bool = False) -> Iterator[Any]:
    r"""Yield the blocks of a file with ``\n`` for ``\r\n`` and, if `ended`, at the end; another lone ``\r`` stays."""
    end = line_end(kind)
    carriage = "\r" if kind == "characters" else b"\r"
    held: bool = False  # whether the last block ended with \r, which the next block's \n may complete
    last: Any = end
    for block in blocks:
        if held and not block.startswith(end):
            yield carriage
        held = block.endswith(carriage)
        if carriage in block:  # a search for one character takes a tenth of the time
            block = (block[:-1] if held else block).replace(carriage + end, end)
        if block:
            last = block[-1:]
            yield block
    if held:
        yield carriage
    if ended and (held or last != end):
        yield end


def without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a file without UTF-8's byte-order mark."""
    start = b""
    rest = iter(blocks)
    for block in rest:
        start += block
        if len(start) >= len(codecs.BOM_UTF8):
            break
    yield start.removeprefix(codecs.BOM_UTF8)
    yield from rest


def split_lines(data: bytes) -> list[bytes]:
    r"""Return the lines of a file's bytes without their ends; a ``\r`` that no ``\n`` follows belongs to its line."""
    *ended, rest = data.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in ended]
    if rest:
        lines.append(rest)
    return lines


def split_blocks(blocks: Iterator[Any], kind: Kind) -> Iterator[list[Any]]:
    """Split blocks of complete lines into lists of lines."""
    end = line_end(kind)
    begun: list[Any] = []  # the pieces of an unfinished line
    for block in blocks:
        *lines, rest = block.split(end)
        if lines and begun:
            lines[0] = rest[:0].join([*begun, lines[0]])
            begun = []
        if lines:
            yield lines
        if rest:
            begun.append(rest)


def decode_lines(lines: list[bytes], errors: Literal["strict", "replace"] = "strict") -> list[str | None]:
    """Decode lines; return None for each line with invalid UTF-8, unless bad bytes are replaced."""
    try:
        return [*b"\n".join(lines).decode(errors=errors).split("\n")] if lines else []
    except UnicodeDecodeError:
        return [None] if len(lines) == 1 else [text for line in lines for text in decode_lines([line])]
