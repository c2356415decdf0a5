"""TextFile and Lines: text files as one text, or line by line as documents, and the reader of their blocks."""

from __future__ import annotations

import codecs
import errno
import operator
import os
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Literal, NamedTuple, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..parameters.checks import FilePath, checked_choice, checked_path, has_items
from .documents import Errors, checked_errors
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
        The folder for the cache file; a text of any size is then read from it. None: the folder named by the
        environment variable ``CRNN_CACHE``, or else ``crnn`` in the user's folder for caches, such as ``~/.cache``. If
        it cannot be written, a temporary file is used, and a UserWarning says so.

    Attributes
    ----------
    paths : tuple of str
        The paths of the files.
    kind : str
        The kind of symbols, "characters" or "bytes".
    cache : str or None
        The folder for the cache file; None if none was given.
    is_read_once : bool
        Whether one of the files is a pipe or device, which can be read only once.
    max_length : int
        An upper bound of the symbols, line ends included, before a transform. Only gzip files are read for it.
    reader : FileReader
        The reader of the files.

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


# ---------------------------------------------------------------- the reader

GZIP_MAGIC = b"\x1f\x8b"  # start of every gzip file, but of no UTF-8 text: the second byte cannot begin a character
GZIP_FORMAT = 31  # zlib's number for gzip
BYTE_ORDER_MARK = "\ufeff"  # the byte-order mark, which some editors on Windows write at the start of a file
BLOCK_SIZE = 1 << 20

Seen = Callable[[bytes], object]


# By hand, since Python's `gzip` reads 8 kB at a time (a third slower), and waits for them from a pipe.
class DecompressedFile:
    """A binary file, or its contents if it starts like a gzip file; `seen` is called with the raw bytes as they are
    read.
    """

    def __init__(self, file: BinaryIO, name: str, *, decompress: bool = True, seen: Seen | None = None) -> None:
        self._file = file
        self._name = name
        self._seen = seen
        self._compressed: bool | None = None if decompress else False  # None: unknown before the first bytes
        self._raw = b""  # read but not yet decompressed
        self._member: zlib._Decompress | None = None

    def read1(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as any are available; b"" at the end."""
        if self._compressed is None:
            while len(self._raw) < len(GZIP_MAGIC) and (more := self._read_raw(size)):
                self._raw += more
            self._compressed = self._raw.startswith(GZIP_MAGIC)
        if not self._compressed:
            raw = self._raw or self._read_raw(size)
            self._raw = raw[size:]
            return raw[:size]
        while True:
            if self._member is None and not self._begin_member(size):
                return b""
            data = self._inflate(size)
            if data:
                return data

    def read(self) -> bytes:
        """Return the rest."""
        return b"".join(iter(lambda: self.read1(BLOCK_SIZE), b""))

    def _read_raw(self, size: int) -> bytes:
        raw: bytes = self._file.read1(size)  # type: ignore[attr-defined]  # BinaryIO does not name it
        if self._seen is not None:
            self._seen(raw)
        return raw

    def _begin_member(self, size: int) -> bool:
        """Begin the next member (concatenated logs have several), skipping zeros; return False at the end."""
        while not self._raw.lstrip(b"\0"):
            self._raw = self._read_raw(size)
            if not self._raw:
                return False
        self._raw = self._raw.lstrip(b"\0")
        self._member = zlib.decompressobj(GZIP_FORMAT)
        return True

    def _inflate(self, size: int) -> bytes:
        """Decompress the bytes read so far, or read more; return b"" until there is output."""
        assert self._member is not None
        try:
            data = self._member.decompress(self._raw, size)
        except zlib.error as error:
            raise OSError(errno.EIO, f"the gzip data are damaged: {error}", self._name) from None
        self._raw = self._member.unconsumed_tail
        if self._member.eof:
            self._raw = self._member.unused_data
            self._member = None
        elif not data and not self._raw:
            self._raw = self._read_raw(size)
            if not self._raw:
                raise OSError(errno.EIO, "the gzip data end too early: the file is incomplete", self._name)
        return data


def plain_size(path: str, *, decompress: bool = True) -> int:
    """Return the size of a file's contents in bytes; a gzip file is read for this, once until it changes."""
    status = os.stat(path)
    if not decompress or not os.path.isfile(path):
        return status.st_size
    return _plain_size(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _plain_size(path: str, size: int, time: int) -> int:
    """Measure a file's contents: a gzip file is read to its end."""
    with open(path, "rb") as file:
        if file.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
            return size
        file.seek(0)
        contents = DecompressedFile(file, path)
        n = 0
        while data := contents.read1(BLOCK_SIZE):
            n += len(data)
    return n


class FileReader(NamedTuple):
    """Files and the way to read them; each method reads them again."""

    paths: tuple[str, ...]
    kind: Kind = "characters"
    lines: bool = False  # whether each line is a document
    errors: Errors = "strict"  # how to handle invalid UTF-8. "skip" is for lines only.
    transform: Callable[[Any], Any] | None = None  # turns each line into a document

    @property
    def is_raw(self) -> bool:
        """Whether the files are read unchanged: a text of bytes may contain any bytes."""
        return self.kind == "bytes" and not self.lines

    @property
    def max_length(self) -> int:
        """An upper bound of the number of symbols, including line ends, before the transform."""
        return sum(plain_size(path, decompress=not self.is_raw) + self.lines for path in self.paths)

    def blocks(self, block_size: int, seen: Sequence[Seen] | None = None) -> Iterator[Any]:
        r"""Yield the text in blocks of `block_size` bytes; every line ends with ``\n``, and skipped lines are left
        out. `seen` has a function per file, called with the file's bytes as they are read.
        """
        if not self.lines or (self.errors != "skip" and self.transform is None):
            return self._text(self.kind, block_size, seen)
        return self._join_lines(self.batches(block_size, seen))

    def batches(self, block_size: int, seen: Sequence[Seen] | None = None) -> Iterator[list[Any]]:
        """Yield lists of lines, with None for each skipped line."""
        skip = self.errors == "skip" and self.kind == "characters"
        read_as: Kind = "bytes" if skip else self.kind
        for lines in _split(self._text(read_as, block_size, seen), read_as):
            decoded = decode_lines(lines) if skip else lines
            yield decoded if self.transform is None else self.transform_lines(decoded)

    def transform_lines(self, lines: list[Any]) -> list[Any]:
        """Apply the user's transform to lines; each result must be a text of the same kind without a line end."""
        if self.transform is None:
            return lines
        texts = [None if line is None else self.transform(line) for line in lines]
        end = line_end(self.kind)
        for line, text in zip(lines, texts, strict=True):
            if line is not None and not (isinstance(text, type(end)) and end not in text):
                raise InvalidInputError(
                    f"transform returned {text!r} for the line {line!r}. It must return a {type(end).__name__} "
                    f"without a line end."
                )
        return texts

    def _text(self, kind: Kind, block_size: int, seen: Sequence[Seen] | None) -> Iterator[Any]:
        """Yield the text of all files before the transform; of lines, each ends with a newline."""
        for i, path in enumerate(self.paths):
            see = None if seen is None else seen[i]
            if kind == "characters":
                errors: Any = "replace" if self.errors == "replace" else "strict"
                blocks: Iterator[Any] = utf8_blocks(path, block_size, see, errors=errors)
            else:
                blocks = _byte_blocks(path, block_size, see, decompress=not self.is_raw)
                blocks = without_mark(blocks) if self.kind == "characters" else blocks
            yield from blocks if self.is_raw else with_newlines(blocks, kind, ended=self.lines)

    def _join_lines(self, batches: Iterator[list[Any]]) -> Iterator[Any]:
        end = line_end(self.kind)
        for batch in batches:
            lines = [line for line in batch if line is not None]
            if lines:
                yield end.join(lines) + end


def line_end(kind: Kind) -> Any:
    """Return the end of a line, str or bytes."""
    return "\n" if kind == "characters" else b"\n"


def _byte_blocks(path: str, block_size: int, seen: Seen | None, *, decompress: bool) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    with open(path, "rb") as file:
        contents = DecompressedFile(file, path, decompress=decompress, seen=seen)
        while data := contents.read1(block_size):
            yield data


def utf8_blocks(
    path: FilePath, block_size: int, seen: Seen | None = None, *, errors: Literal["strict", "replace"] = "strict"
) -> Iterator[str]:
    """Yield the text of a file, pipe or device in non-empty blocks, without a byte-order mark at the start."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    position = 0  # of the next byte to read
    begun = False  # whether a character was decoded
    with open(path, "rb") as file:
        contents = DecompressedFile(file, os.fsdecode(path), seen=seen)
        while True:
            data = contents.read1(block_size)
            # The decoder keeps up to three bytes of an incomplete character.
            held = len(decoder.getstate()[0])
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise _move_to_file(error, position - held, path) from None
            if text and not begun:
                text = text.removeprefix(BYTE_ORDER_MARK)
                begun = True
            if text:
                yield text
            if not data:
                return
            position += len(data)


def encoding_advice(error: UnicodeDecodeError) -> str:
    """Name the encoding that a file probably has instead of UTF-8, and say how to convert it."""
    utf16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name, likely = ("UTF-16", "looks like UTF-16") if utf16 else ("CP1252", "may be Windows-1252 (cp1252)")
    return f"It {likely}. Save it as UTF-8 in an editor, or convert it: iconv -f {name} -t UTF-8 FILE > NEW."


def _move_to_file(error: UnicodeDecodeError, offset: int, path: FilePath) -> UnicodeDecodeError:
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


def _split(blocks: Iterator[Any], kind: Kind) -> Iterator[list[Any]]:
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
