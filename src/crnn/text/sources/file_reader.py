"""FileReader: reads files as one text or as lines: decompressed, decoded, transformed."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, NamedTuple

from ...errors import InvalidInputError
from ..symbols.codes import Kind
from .decompressed import plain_size
from .file_blocks import ended_lines, file_blocks
from .input_checks import Errors

Seen = Callable[[bytes], object]


class FileReader(NamedTuple):
    """Files and the way to read them; each method reads them again."""

    paths: tuple[str, ...]
    kind: Kind = "characters"
    lines: bool = False  # whether each line is a document
    errors: Errors = "strict"  # how to handle invalid UTF-8. "skip" is for lines only.
    transform: Callable[[Any], Any] | None = None  # turns each line into a document

    @property
    def decompresses(self) -> bool:
        """Whether to decompress gzip files: not for a text of bytes, which may contain any bytes."""
        return self.lines or self.kind == "characters"

    @property
    def max_length(self) -> int:
        """An upper bound of the number of symbols, including line ends, before the transform."""
        return sum(plain_size(path, decompress=self.decompresses) + self.lines for path in self.paths)

    def blocks(self, block_size: int, seen: Sequence[Seen] | None = None) -> Iterator[Any]:
        r"""Yield the text in blocks of str or bytes; every line ends with ``\n``, and skipped lines are left out.

        `block_size` bytes are read at a time. `seen` has a function per file, called with the file's bytes as they are
        read.
        """
        if not self.lines:
            return chain.from_iterable(self._files(self.kind, block_size, seen))
        if self.errors != "skip" and self.transform is None:
            return ended_lines(self._files(self.kind, block_size, seen), self.kind)
        return self._ended(self.batches(block_size, seen))

    def batches(self, block_size: int, seen: Sequence[Seen] | None = None) -> Iterator[list[Any]]:
        """Yield lists of lines, with None for each skipped line."""
        skip = self.errors == "skip" and self.kind == "characters"
        read_as: Kind = "bytes" if skip else self.kind
        for lines in _split(ended_lines(self._files(read_as, block_size, seen), read_as), read_as):
            decoded = decoded_lines(lines) if skip else lines
            yield decoded if self.transform is None else self.transformed(decoded)

    def transformed(self, lines: list[Any]) -> list[Any]:
        """Return the transformed lines; each must be a text of the same kind without a line end."""
        if self.transform is None:
            return lines
        texts = [None if line is None else self.transform(line) for line in lines]
        end: Any = "\n" if self.kind == "characters" else b"\n"
        for line, text in zip(lines, texts, strict=True):
            if line is not None and not (isinstance(text, type(end)) and end not in text):
                raise InvalidInputError(
                    f"transform returned {text!r} for the line {line!r}. It must return a {type(end).__name__} "
                    f"without a line end."
                )
        return texts

    def _files(self, kind: Kind, block_size: int, seen: Sequence[Seen] | None) -> Iterator[Iterator[Any]]:
        options: Any = {"decompress": self.decompresses, "errors": "replace" if self.errors == "replace" else "strict"}
        for i, path in enumerate(self.paths):
            blocks = file_blocks(path, kind, block_size, None if seen is None else seen[i], **options)
            yield without_mark(blocks) if kind == "bytes" != self.kind else blocks

    def _ended(self, batches: Iterator[list[Any]]) -> Iterator[Any]:
        end: Any = "\n" if self.kind == "characters" else b"\n"
        for lines in batches:
            kept = [line for line in lines if line is not None]
            if kept:
                yield end.join(kept) + end


def without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Yield the blocks of a file without UTF-8's byte-order mark.

    Examples
    --------
    >>> list(without_mark([b"\xef", b"\xbb\xbfto", b"be"])), list(without_mark([b"a"]))
    ([b'to', b'be'], [b'a'])
    """
    start, rest = b"", iter(blocks)
    for block in rest:
        start += block
        if len(start) >= len(BOM_UTF8):
            break
    yield start.removeprefix(BOM_UTF8)
    yield from rest


def _split(blocks: Iterator[Any], kind: Kind) -> Iterator[list[Any]]:
    """Split blocks of complete lines into lists of lines."""
    end: Any = "\n" if kind == "characters" else b"\n"
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


def decoded_lines(lines: list[bytes], errors: Literal["strict", "replace"] = "strict") -> list[str | None]:
    r"""Decode lines; return None for each line with invalid UTF-8, unless bad bytes are replaced.

    Examples
    --------
    >>> decoded_lines([b"to", b"b\xff"]), decoded_lines([b"b\xff"], "replace") == ["b\ufffd"]
    (['to', None], True)
    """
    try:
        return [*b"\n".join(lines).decode(errors=errors).split("\n")] if lines else []
    except UnicodeDecodeError:
        return [_decoded_line(line) for line in lines]


def _decoded_line(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
