"""Lines: the lines of files as a sequence that is not in memory."""

from __future__ import annotations

import codecs
import operator
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..parameters.checks import FilePath
from .decoding import encoding_advice, split_lines
from .documents import Errors, checked_errors
from .file_reader import BLOCK_SIZE, GZIP_MAGIC, DecompressedFile, FileReader
from .text_files import NamedFiles, Paths, is_pipe
from .vocabulary import Kind

INDEX_STEP = 64  # lines per index entry: an eighth of a byte per line
NEWLINE = ord("\n")


class _FileIndex(NamedTuple):
    """The positions of the lines in a file."""

    size: int
    time: int  # of the last change, in nanoseconds
    end: int  # the number of bytes, decompressed
    n: int  # lines
    starts: NDArray[np.int64]  # of every 64th line, in bytes


class Lines(NamedFiles, Sequence[Any]):
    r"""The lines of one or more files as a list of documents, not held in memory.

    `CharRNN.fit`, `score`, `score_samples`, ``sample(exclude=...)`` and everything else that takes documents accept it.
    A line ends with ``\n`` or ``\r\n``, which is not part of the line; the last line of a file may lack an end. `len`
    and subscripts need an index of the position of every 64th line, an eighth of a byte per line. The lines of a pipe
    have neither, since they can be read only once.

    For training, up to 64 MB of lines are held in memory and shuffled like a list. Beyond that, the ids are kept in a
    cache file, as for a `TextFile`. In each epoch, pieces of 8 kB are shuffled, 1,024 pieces are read together, and
    their lines are shuffled, so that neighbors in a sorted file are far apart in training.

    Parameters
    ----------
    paths : path or list of paths
        UTF-8 files. gzip files are decompressed as they are read; a subscript reads a gzip file from its start.
    kind : {"characters", "bytes"}, default="characters"
        "bytes": the lines are bytes.
    errors : {"strict", "replace", "skip"}, default="strict"
        How to handle lines with invalid UTF-8. "strict": raise an error. "replace": read U+FFFD for each bad byte.
        "skip": return None instead of the line, which `CharRNN.fit` leaves out and whose score is NaN.
    transform : callable, default=None
        Turns each line into the text to be read, for instance by masking numbers: ``transform=mask`` is to `Lines`
        what ``map(mask, lines)`` is to a list. The ids of large files are then kept in a temporary file, since a later
        call may use another transform.
    cache : path or None, default=None
        The folder for the cache files of texts larger than 64 MB. None: chosen as for `TextFile`.

    Attributes
    ----------
    paths : tuple of str
        The paths of the files.
    kind : str
        The kind of symbols, "characters" or "bytes".
    cache : str or None
        The folder for the cache file; None if none was given.
    errors : str
        How lines with invalid UTF-8 are handled: the parameter.
    transform : callable or None
        What turns each line into the text to be read: the parameter.
    is_read_once : bool
        Whether one of the files is a pipe or device, which can be read only once.
    max_length : int
        An upper bound of the symbols, line ends included, before a transform. Only gzip files are read for it.
    reader : FileReader
        The reader of the files.

    Examples
    --------
    >>> import os
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

    def __init__(
        self,
        paths: Paths,
        *,
        kind: Kind = "characters",
        errors: Errors = "strict",
        transform: Callable[[Any], Any] | None = None,
        cache: FilePath | None = None,
    ) -> None:
        super().__init__(paths, kind=kind, cache=cache)
        self.errors = checked_errors(errors)
        if transform is not None and not callable(transform):
            raise InvalidInputError(f"transform must be a function of a line, not {type(transform).__name__}")
        self.transform = transform
        self._files: list[_FileIndex] | None = None

    @property
    def reader(self) -> FileReader:
        """The reader of the files."""
        return FileReader(self.paths, self.kind, lines=True, errors=self.errors, transform=self.transform)

    def __iter__(self) -> Iterator[Any]:
        for block in self.batches():
            yield from block

    def batches(self) -> Iterator[list[Any]]:
        """Yield lists of lines, each with about a megabyte."""
        return self.reader.batches(BLOCK_SIZE)

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
        """Read one line by its number, from the nearest indexed line before it."""
        files = self._index()
        ends = np.cumsum([file.n for file in files])
        k = bisect_right(ends, i)
        file = files[k]
        i -= int(ends[k] - files[k].n)
        entry = i // INDEX_STEP
        stop = int(file.starts[entry + 1]) if entry + 1 < len(file.starts) else file.end
        data = _part(self.paths[k], int(file.starts[entry]), stop)
        line = split_lines(data)[i % INDEX_STEP]
        if self.kind == "bytes":
            return self.reader.transform_lines([line])[0]
        if i == 0:
            line = line.removeprefix(codecs.BOM_UTF8)
        errors = "replace" if self.errors == "replace" else "strict"
        try:
            return self.reader.transform_lines([line.decode(errors=errors)])[0]
        except UnicodeDecodeError as error:
            if self.errors == "skip":
                return None
            error.add_note(f"in line {i + 1} of the file {self.paths[k]!r}. {encoding_advice(error)}")
            raise

    def _index(self) -> list[_FileIndex]:
        """Return where each file's lines are; unchanged files are not read again."""
        now = [(status.st_size, status.st_mtime_ns) for status in map(os.stat, self.paths)]
        if self._files is None or [(file.size, file.time) for file in self._files] != now:
            self._files = [_index_file(path, *state, self.kind) for path, state in zip(self.paths, now, strict=True)]
        return self._files

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_files": None}  # read again in the new place, where the files may differ


def _index_file(path: str, size: int, time: int, kind: Kind) -> _FileIndex:
    """Read a file and return the positions of its lines."""
    if is_pipe(path):  # list(lines) asks for `len`, too
        raise TypeError(f"{path} is a pipe or device, whose lines can be read only once. Use list(lines).")
    starts = [np.zeros(1, np.int64)]
    n = 0
    position = 0
    last = NEWLINE
    with open(path, "rb") as file:
        contents = DecompressedFile(file, path)
        while data := contents.read1(BLOCK_SIZE):
            is_end = np.frombuffer(data, np.uint8) == NEWLINE
            ends = np.flatnonzero(is_end) + 1 + position
            starts.append(ends[-(n + 1) % INDEX_STEP :: INDEX_STEP])  # a line begins where one ends
            n += len(ends)
            position += len(data)
            last = data[-1]
    empty = kind == "characters" and position == len(codecs.BOM_UTF8) and _part(path, 0, position) == codecs.BOM_UTF8
    n += last != NEWLINE and not empty
    return _FileIndex(size, time, position, n, np.concatenate(starts)[: -(-n // INDEX_STEP)])


def _part(path: str, start: int, stop: int) -> bytes:
    """Return a part of a file, reading a compressed file from its start."""
    with open(path, "rb") as file:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0 if compressed else start)
        if not compressed:
            return file.read(stop - start)
        contents = DecompressedFile(file, path)
        position = 0
        part = b""
        while position < stop and (data := contents.read1(min(BLOCK_SIZE, stop - position))):
            part += data[max(0, start - position) :]
            position += len(data)
    return part
