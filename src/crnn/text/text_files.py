"""TextFile and Lines: text files as one text, or line by line as documents."""

from __future__ import annotations

import operator
import os
from bisect import bisect_right
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..parameters.checks import FilePath, checked_choice, checked_path, has_items
from .documents import Errors, checked_errors
from .file_reader import BLOCK_SIZE, MAGIC, DecompressedFile, FileReader, encoding_advice
from .vocabulary import MAX_CODE, Kind

Paths = FilePath | Iterable[FilePath]


def paths_of(paths: Paths) -> tuple[str, ...]:
    """Return one or more paths as a tuple of str."""
    if isinstance(paths, (str, bytes, os.PathLike)):
        paths = [paths]
    if not has_items(paths):
        raise InvalidInputError(f"paths is of type {type(paths).__name__}. Pass a path or a list of paths.")
    names = tuple(checked_path(f"paths[{i}]", path) for i, path in enumerate(paths))
    if not names:
        raise InvalidInputError("paths is an empty list. Pass at least 1 file.")
    return names


def is_pipe(path: str) -> bool:
    """Return whether a path names a pipe or device, which can be read only once."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


class NamedFiles:
    """Files named now and read later."""

    def __init__(self, paths: Paths, *, kind: Kind = "characters", cache: FilePath | None = None) -> None:
        self.paths = paths_of(paths)
        checked_choice("kind", kind, MAX_CODE)
        self.kind = kind
        self.cache = None if cache is None else checked_path("cache", cache)

    @property
    def is_read_once(self) -> bool:
        """Whether one of the files is a pipe or device, which can be read only once."""
        return any(map(is_pipe, self.paths))

    @property
    def reader(self) -> FileReader:
        """The reader of the files."""
        return FileReader(self.paths, self.kind)

    @property
    def max_length(self) -> int:
        """An upper bound of the symbols, line ends included, before a transform. Only gzip files are read for it."""
        return self.reader.max_length

    def __repr__(self) -> str:
        shown = self.paths[0] if len(self.paths) == 1 else list(self.paths)
        kind = "" if self.kind == "characters" else f", kind={self.kind!r}"
        cache = "" if self.cache is None else f", cache={self.cache!r}"
        return f"{type(self).__name__}({shown!r}{kind}{cache})"


class TextFile(NamedFiles):
    r"""One text in one or more files, concatenated, for `CharRNN.fit` and other methods that take a text.

    ``fit(Path("book.txt"))`` and ``fit([Path("a.txt"), Path("b.txt")])`` are shortcuts for it. Files of more than 64 MB
    in total are mapped from a cache file, to which their symbols are written once, as ids. It takes as many bytes as
    the text has symbols, or 2 or 4 times as many if there are more than 256 different ones. It is reused while the
    files have the same size, and the same modification time or contents.

    Parameters
    ----------
    paths : path or list of paths
        UTF-8 files. gzip files are decompressed as they are read, and ``\r\n`` is read as ``\n``.
    kind : {"characters", "bytes"}, default="characters"
        "bytes": the symbols are bytes, and the files may have any contents; they are read unchanged.
    cache : path or None, default=None
        The folder for the cache file; a text of any size is then read from it. None: the folder of the first file, or
        the folder named by the environment variable ``CRNN_CACHE``. If it cannot be written, a temporary file is
        used, and a UserWarning says so.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from crnn import CharRNN, TextFile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("one.txt", "two.txt"):
    ...         _ = Path(folder, name).write_text(f"this is {name}")
    ...     text = TextFile(sorted(Path(folder).glob("*.txt")), cache=folder)
    ...     model = CharRNN(8, epochs=1, random_state=0).fit(text)
    ...     len(model.vocabulary_), len(list(Path(folder).glob("*.crnn-ids")))
    (11, 1)
    """

    def read(self) -> Any:
        """Return the whole text, str or bytes."""
        blocks = [*self.reader.blocks(BLOCK_SIZE)]
        return "".join(blocks) if self.kind == "characters" else b"".join(blocks)


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
    A line ends with ``\n`` or ``\r\n``, not part of the line itself; the last line of a file may lack an end. The
    index, needed only for `len` and subscripts, stores the position of every 64th line: an eighth of a byte per line.
    The lines of a pipe have neither, since they can be read only once.

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
        return FileReader(self.paths, self.kind, True, self.errors, self.transform)

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
        files = self._index()
        ends = np.cumsum([file.n for file in files])
        k = bisect_right(ends, i)
        file, i = files[k], i - int(ends[k] - files[k].n)
        entry = i // INDEX_STEP
        stop = int(file.starts[entry + 1]) if entry + 1 < len(file.starts) else file.end
        data = _part(self.paths[k], int(file.starts[entry]), stop)
        line = data.split(b"\n")[i % INDEX_STEP].removesuffix(b"\r")
        if self.kind == "bytes":
            return self.reader.transform_lines([line])[0]
        if i == 0:
            line = line.removeprefix(BOM_UTF8)
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
    starts, n, position, last = [np.zeros(1, np.int64)], 0, 0, NEWLINE
    with open(path, "rb") as file:
        contents = DecompressedFile(file, path)
        while data := contents.read1(BLOCK_SIZE):
            is_end = np.frombuffer(data, np.uint8) == NEWLINE
            ends = np.flatnonzero(is_end) + 1 + position
            starts.append(ends[-(n + 1) % INDEX_STEP :: INDEX_STEP])  # a line begins where one ends
            n, position, last = n + len(ends), position + len(data), data[-1]
    empty = kind == "characters" and position == len(BOM_UTF8) and _part(path, 0, position) == BOM_UTF8
    n += last != NEWLINE and not empty
    return _FileIndex(size, time, position, n, np.concatenate(starts)[: -(-n // INDEX_STEP)])


def _part(path: str, start: int, stop: int) -> bytes:
    """Return a part of a file, reading a compressed file from its start."""
    with open(path, "rb") as file:
        compressed = file.read(len(MAGIC)) == MAGIC
        file.seek(0 if compressed else start)
        if not compressed:
            return file.read(stop - start)
        contents, position, part = DecompressedFile(file, path), 0, b""
        while position < stop and (data := contents.read1(min(BLOCK_SIZE, stop - position))):
            part += data[max(0, start - position) :]
            position += len(data)
    return part
