"""Decompressed: a file read sequentially, decompressed on the fly if it is a gzip file."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO

MAGIC = b"\x1f\x8b"  # start of every gzip file, but of no UTF-8 text: the second byte cannot begin a character
GZIP_FORMAT = 31  # zlib's number for gzip
BLOCK_SIZE = 1 << 20


class Decompressed:
    """A binary file, read from its current position, or its decompressed contents if it starts like a gzip file.

    A gzip file may have several members, as concatenated logs do. Data from a pipe are decompressed as they arrive.
    `seen` is called with the raw bytes as they are read.
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
            self._look_at_the_start(size)
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

    def _look_at_the_start(self, size: int) -> None:
        while len(self._raw) < len(MAGIC) and (more := self._read_raw(size)):
            self._raw += more
        self._compressed = self._raw.startswith(MAGIC)

    def _begin_member(self, size: int) -> bool:
        """Begin the gzip file's next member, skipping zeros before it; return False at the end."""
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
        contents, n = Decompressed(file, path), 0
        while data := contents.read1(BLOCK_SIZE):
            n += len(data)
    return n
