"""Lines: the lines of files as a list of documents that is not held in memory."""

from __future__ import annotations

import operator
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ..symbols.codes import Kind
from .file_blocks import Path, Paths, ended_lines, file_blocks
from .named_files import NamedFiles

__all__ = ["Lines"]

BLOCK_SIZE = 1 << 20
INDEX_STEP = 64  # lines for each entry of the index: an eighth of a byte a line
NEWLINE = ord("\n")


class _FileIndex(NamedTuple):
    """Where the lines of one file are."""

    size: int
    time: int  # of the last change, in nanoseconds
    n: int  # lines
    starts: NDArray[np.int64]  # of every 64th line, in bytes


class Lines(NamedFiles, Sequence[Any]):
    r"""The lines of one file or of several, as a list of documents that is not held in memory.

    `CharRNN.fit`, `score`, `score_samples`, ``sample(exclude=...)`` and all else that takes documents take it.
    A line ends with ``\n`` or ``\r\n``, which is no part of it; the last line of a file may have no end. The index,
    which only `len` and subscripts need, is the place of every 64th line: an eighth of a byte a line.

    Lines of up to 64 MB are held for training, and shuffled as a list is. Of more, the ids are kept in a cache file, as
    for a `TextFile`. For each epoch pieces of 8 kB are shuffled, 1,024 pieces are read together, and the lines in them
    are shuffled, so that neighbours in a sorted file are far apart in training.

    Parameters
    ----------
    paths : path or list of paths
        UTF-8 files.
    kind : {"characters", "bytes"}, default="characters"
        "bytes": the lines are bytes.
    cache : path or None, default=None
        As for `TextFile`.

    Examples
    --------
    >>> import tempfile
    >>> from crnn import Lines
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "names.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write("Anna\nBob\nEve")
    ...     names = Lines(path)
    ...     len(names), names[1], list(names)
    (3, 'Bob', ['Anna', 'Bob', 'Eve'])
    """

    def __init__(self, paths: Paths, *, kind: Kind = "characters", cache: Path | None = None) -> None:
        super().__init__(paths, kind=kind, cache=cache)
        self._files: list[_FileIndex] | None = None

    @property
    def max_length(self) -> int:
        """An upper bound of the symbols, ends of lines included, that is known without reading the files.

        Examples
        --------
        >>> Lines(os.devnull).max_length
        1
        """
        return sum(os.stat(path).st_size + 1 for path in self.paths)

    def __iter__(self) -> Iterator[Any]:
        for block in self.batches():
            yield from block

    def batches(self) -> Iterator[list[Any]]:
        r"""Give the lines as lists, those of about a megabyte each.

        Examples
        --------
        >>> list(Lines(os.devnull).batches())
        []
        """
        end: Any = "\n" if self.kind == "characters" else b"\n"
        begun: list[Any] = []  # the pieces of a line that has not ended
        files = (file_blocks(path, self.kind, BLOCK_SIZE) for path in self.paths)
        for block in ended_lines(files, self.kind):
            *lines, rest = block.split(end)
            if lines and begun:
                lines[0] = rest[:0].join([*begun, lines[0]])
                begun = []
            if lines:
                yield lines
            if rest:
                begun.append(rest)

    def __len__(self) -> int:
        return sum(file.n for file in self._index())

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        n = len(self)
        if isinstance(index, slice):
            return [self._line(i) for i in range(*index.indices(n))]
        i = operator.index(index)
        if not -n <= i < n:
            raise IndexError(f"index {i} is out of range for {n} lines")
        return self._line(i % n)

    def _line(self, i: int) -> Any:
        files = self._index()
        ends = np.cumsum([file.n for file in files])
        k = bisect_right(ends, i)
        file, i = files[k], i - int(ends[k] - files[k].n)
        entry = i // INDEX_STEP
        stop = int(file.starts[entry + 1]) if entry + 1 < len(file.starts) else file.size
        with open(self.paths[k], "rb") as stream:
            stream.seek(int(file.starts[entry]))
            data = stream.read(stop - int(file.starts[entry]))
        line = data.split(b"\n")[i % INDEX_STEP].removesuffix(b"\r")
        try:
            return line.decode() if self.kind == "characters" else line
        except UnicodeDecodeError as error:
            error.add_note(f"in line {i + 1} of the file {self.paths[k]!r}: convert it to UTF-8")
            raise

    def _index(self) -> list[_FileIndex]:
        """Return where the lines of each file are, from the last reading of the files if they are as they were."""
        now = [(found.st_size, found.st_mtime_ns) for found in map(os.stat, self.paths)]
        if self._files is None or [(file.size, file.time) for file in self._files] != now:
            self._files = [_indexed(path, *state) for path, state in zip(self.paths, now, strict=True)]
        return self._files

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_files": None}  # read again where the files may be others


def _indexed(path: str, size: int, time: int) -> _FileIndex:
    """Read a file and return where its lines are."""
    starts, n, position, last = [np.zeros(1, np.int64)], 0, 0, NEWLINE
    with open(path, "rb", buffering=0) as file:
        while data := file.read(BLOCK_SIZE):
            found = np.frombuffer(data, np.uint8) == NEWLINE
            ends = np.flatnonzero(found) + 1 + position
            starts.append(ends[-(n + 1) % INDEX_STEP :: INDEX_STEP])  # a line begins where one ends
            n, position, last = n + len(ends), position + len(data), data[-1]
    n += last != NEWLINE
    return _FileIndex(size, time, n, np.concatenate(starts)[: -(-n // INDEX_STEP)])
