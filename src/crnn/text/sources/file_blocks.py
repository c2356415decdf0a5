"""File blocks: the text of one or more files, block by block, as one text or as lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from ...errors import InvalidInputError
from ...parameters.checks import FilePath, checked_path
from ..symbols.codes import Kind
from .decompressed import Decompressed
from .utf8_file import utf8_blocks

__all__ = ["Paths", "ended_lines", "file_blocks", "paths_of"]

Paths = FilePath | Iterable[FilePath]


def paths_of(paths: Paths) -> tuple[str, ...]:
    """Return one path or several as a tuple of str.

    Raises
    ------
    InvalidInputError
        If there is none, or one is no path.

    Examples
    --------
    >>> paths_of("names.txt"), paths_of(["a.txt", b"b.txt"])
    (('names.txt',), ('a.txt', 'b.txt'))
    """
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    if not isinstance(paths, Iterable):
        raise InvalidInputError(f"paths must be a path or a list of paths, not {type(paths).__name__}")
    own = []
    for i, path in enumerate(paths):
        own.append(checked_path(f"paths[{i}]", path))
    if not own:
        raise InvalidInputError("paths is an empty list; at least 1 file is needed")
    return tuple(own)


def file_blocks(
    path: str,
    kind: Kind,
    block_size: int,
    seen: Callable[[bytes], object] | None = None,
    *,
    decompress: bool = True,
    errors: Literal["strict", "replace"] = "strict",
) -> Iterator[Any]:
    """Give the text of a file in blocks, str or bytes by its kind.

    `seen` and `errors` are those of `utf8_blocks`. A gzip file is decompressed, unless `decompress` is False for bytes.
    """
    if kind == "characters":
        yield from utf8_blocks(path, block_size, seen, errors=errors)
        return
    with open(path, "rb") as file:
        contents = Decompressed(file, path, decompress=decompress, seen=seen)
        while data := contents.read1(block_size):
            yield data


def ended_lines(files: Iterable[Iterable[Any]], kind: Kind) -> Iterator[Any]:
    r"""Give the lines of files in blocks, each line ended by ``\n``, which also stands for ``\r\n``.

    A block may end within a line. The last line of a file is ended even where the file does not end it.

    Parameters
    ----------
    files : iterable of iterables of str or bytes
        The blocks of each file.
    kind : {"characters", "bytes"}

    Examples
    --------
    >>> "".join(ended_lines([["Anna\r", "\nBob"], ["Eve"]], "characters"))
    'Anna\nBob\nEve\n'
    """
    empty: Any
    end: Any
    carriage: Any
    empty, end, carriage = ("", "\n", "\r") if kind == "characters" else (b"", b"\n", b"\r")
    both = carriage + end
    for blocks in files:
        held, last = empty, end  # a carriage return that may belong to the next block's \n; how the last block ended
        for block in blocks:
            block = held + block
            held = carriage if block.endswith(carriage) else empty
            block = (block.removesuffix(carriage) if held else block).replace(both, end)
            if block:
                last = block[-1:]
                yield block
        if held or last != end:
            yield end
