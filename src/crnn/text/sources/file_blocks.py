"""File blocks: the text of one or more files in blocks, as one text or as lines."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from ...errors import InvalidInputError
from ...parameters.checks import FilePath, checked_path, has_items
from ..symbols.codes import Kind
from .decompressed import Decompressed

Paths = FilePath | Iterable[FilePath]


def paths_of(paths: Paths) -> tuple[str, ...]:
    """Return one or more paths as a tuple of str.

    Examples
    --------
    >>> paths_of("names.txt"), paths_of(["a.txt", b"b.txt"])
    (('names.txt',), ('a.txt', 'b.txt'))
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    if not has_items(paths):
        raise InvalidInputError(f"paths is of type {type(paths).__name__}. Pass a path or a list of paths.")
    own = []
    for i, path in enumerate(paths):
        own.append(checked_path(f"paths[{i}]", path))
    if not own:
        raise InvalidInputError("paths is an empty list. Pass at least 1 file.")
    return tuple(own)


def file_blocks(
    path: str,
    kind: Kind,
    block_size: int,
    seen: Callable[[bytes], object] | None = None,
    *,
    decompress: bool,
    errors: Literal["strict", "replace"],
) -> Iterator[Any]:
    """Yield the text of a file in blocks, str or bytes according to its kind.

    For `seen` and `errors` see `utf8_blocks`. A gzip file is decompressed, unless bytes are read with `decompress`
    False.
    """
    if kind == "characters":
        yield from utf8_blocks(path, block_size, seen, errors=errors)
        return
    with open(path, "rb") as file:
        contents = Decompressed(file, path, decompress=decompress, seen=seen)
        while data := contents.read1(block_size):
            yield data


def ended_lines(files: Iterable[Iterable[Any]], kind: Kind) -> Iterator[Any]:
    r"""Yield the lines of files, each given by its blocks, in blocks, ending each line with ``\n``, which also replaces
    ``\r\n``.

    A block may end within a line. The last line of a file gets an end even if the file lacks it.
    """
    empty: Any
    end: Any
    carriage: Any
    empty, end, carriage = ("", "\n", "\r") if kind == "characters" else (b"", b"\n", b"\r")
    both = carriage + end
    for blocks in files:
        held, last = empty, end  # a carriage return that may belong to the next block's \n; the end of the last block
        for block in blocks:
            block = held + block
            held = carriage if block.endswith(carriage) else empty
            block = (block.removesuffix(carriage) if held else block).replace(both, end)
            if block:
                last = block[-1:]
                yield block
        if held or last != end:
            yield end


def utf8_blocks(
    path: str,
    block_size: int,
    seen: Callable[[bytes], object] | None = None,
    *,
    errors: Literal["strict", "replace"] = "strict",
) -> Iterator[str]:
    """Yield the text of a file, pipe or device, opened with the first block, in non-empty blocks.

    `block_size` is the number of bytes per read, and therefore the maximum number of characters in a block. `seen` is
    called with the raw bytes as they are read. The `start` of a UnicodeDecodeError counts bytes from the start of the
    text; in its `object` the bytes of earlier blocks are NUL. A note names the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    position = 0  # of the next byte to read
    with open(path, "rb") as file:
        contents = Decompressed(file, os.fsdecode(path), seen=seen)
        while True:
            data = contents.read1(block_size)
            # The decoder keeps up to three bytes of an incomplete character.
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _located(error, position - held, path) from None
            if text:
                yield text
            if not data:
                return
            position += len(data)


def _located(error: UnicodeDecodeError, offset: int, path: str) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its position in the file."""
    # A UnicodeDecodeError's `start` refers to its object, so that must be as long as the file so far. Earlier
    # bytes are replaced by NUL, since a pipe cannot be read again.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(
        f"in the file {os.fspath(path)!r}. Convert it to UTF-8, or pass its bytes instead of its path."
    )
    return moved
