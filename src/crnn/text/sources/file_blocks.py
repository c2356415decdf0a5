"""File blocks: the text of one or more files in blocks, as one text or as lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from ...errors import InvalidInputError
from ...parameters.checks import FilePath, checked_path, has_items
from ..symbols.codes import Kind
from .decompressed import Decompressed
from .utf8_file import utf8_blocks

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
