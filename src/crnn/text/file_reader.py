"""FileReader: the text of one or more files, read in blocks and decompressed on the fly."""

from __future__ import annotations

import codecs
import errno
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Literal, NamedTuple

from ..errors import InvalidInputError
from .documents import Errors
from .vocabulary import Kind

MAGIC = b"\x1f\x8b"  # start of every gzip file, but of no UTF-8 text: the second byte cannot begin a character
GZIP_FORMAT = 31  # zlib's number for gzip
BLOCK_SIZE = 1 << 20


# By hand, since Python's `gzip` reads 8 kB at a time (a third slower), and waits for them from a pipe.
class DecompressedFile:
    """A binary file, or its contents if it starts like a gzip file; `seen` is called with the raw bytes as they are
    read.
    """

    def __init__(
        self, file: BinaryIO, name: str, *, decompress: bool = True, seen: Callable[[bytes], object] | None = None
    ) -> None:
        self._file, self._name, self._seen = file, name, seen
        self._compressed: bool | None = None if decompress else False  # None: unknown before the first bytes
        self._raw = b""  # read but not yet decompressed
        self._member: zlib._Decompress | None = None

    def read1(self, size: int) -> bytes:
        """Return up to `size` bytes as soon as any are available; b"" at the end."""
        if self._compressed is None:
            while len(self._raw) < len(MAGIC) and (more := self._read_raw(size)):
                self._raw += more
            self._compressed = self._raw.startswith(MAGIC)
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
            self._raw, self._member = self._member.unused_data, None
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
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return size
        file.seek(0)
        contents, n = DecompressedFile(file, path), 0
        while data := contents.read1(BLOCK_SIZE):
            n += len(data)
    return n


Seen = Callable[[bytes], object]
Path = str | os.PathLike[str] | os.PathLike[bytes]

MARK = "\ufeff"  # the byte-order mark, which some editors on Windows write at the start of a file


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
        """Return the transform_lines lines; each must be a text of the same kind without a line end."""
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
    path: Path, block_size: int, seen: Seen | None = None, *, errors: Literal["strict", "replace"] = "strict"
) -> Iterator[str]:
    """Yield the text of a file, pipe or device in non-empty blocks, without a byte-order mark at the start."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    position, begun = 0, False  # of the next byte to read; whether a character was decoded
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
                text, begun = text.removeprefix(MARK), True
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


def _move_to_file(error: UnicodeDecodeError, offset: int, path: Path) -> UnicodeDecodeError:
    """Move a decoding error of the bytes at `offset` of a file to its position in the file."""
    # `start` refers to the error's object, which therefore needs the length of the file so far. Earlier bytes are NUL,
    # since a pipe cannot be read again.
    data = error.object.rjust(offset + len(error.object), b"\0")
    moved = UnicodeDecodeError(error.encoding, data, offset + error.start, offset + error.end, error.reason)
    moved.add_note(f"in the file {os.fspath(path)!r}. {encoding_advice(moved)} Or pass its bytes instead of its path.")
    return moved


def with_newlines(blocks: Iterable[Any], kind: Kind, *, ended: bool = False) -> Iterator[Any]:
    r"""Yield the blocks of a file with ``\n`` for ``\r\n`` and, if `ended`, at the end; another lone ``\r`` stays."""
    end, carriage = line_end(kind), "\r" if kind == "characters" else b"\r"
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
    if ended and (held or last != end):
        yield end
    elif held:
        yield carriage


def without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a file without UTF-8's byte-order mark."""
    start, rest = b"", iter(blocks)
    for block in rest:
        start += block
        if len(start) >= len(codecs.BOM_UTF8):
            break
    yield start.removeprefix(codecs.BOM_UTF8)
    yield from rest


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
