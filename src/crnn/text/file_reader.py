"""FileReader: the bytes and characters of files, plain or compressed, in blocks."""

from __future__ import annotations

import codecs
import errno
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Literal, NamedTuple

from ..errors import InvalidInputError
from ..parameters.checks import FilePath
from .decoding import BYTE_ORDER_MARK, decode_lines, line_end, move_to_file, split_blocks, with_newlines, without_mark
from .documents import Errors
from .vocabulary import Kind

GZIP_MAGIC = b"\x1f\x8b"  # start of every gzip file, but of no UTF-8 text: the second byte cannot begin a character
GZIP_FORMAT = 31  # zlib's number for gzip

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
        for lines in split_blocks(self._text(read_as, block_size, seen), read_as):
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
                raise move_to_file(error, position - held, path) from None
            if text and not begun:
                text = text.removeprefix(BYTE_ORDER_MARK)
                begun = True
            if text:
                yield text
            if not data:
                return
            position += len(data)
