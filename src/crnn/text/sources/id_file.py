"""IdFile: a file of ids, read in parts by several threads without memory mapping.

Each block of such a file has a checksum, verified whenever a part of the block is read.
"""

from __future__ import annotations

import os
import threading
import weakref
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError

# Bytes of a block. Smaller blocks need more checksums; with larger ones, many streams read more than they need:
# with 4,096 streams a million ids take 65 ms with blocks of 4 kB and 120 ms with 16 kB.
CHECKED_SIZE = 1 << 12
REMEDY = "Delete the file and try again: it will be rebuilt from the text."


class IdFile:
    """A file opened for reading at any position; a `temporary` file's folder is deleted with this object.

    Parts are read into the caller's arrays. A memory mapping would be simpler, but each page it has touched counts as
    memory of the process.
    """

    def __init__(self, path: str, *, temporary: bool = False) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()  # for systems where a read moves the position of the file
        folder = os.path.dirname(path) if temporary else None
        weakref.finalize(self, _close, self._descriptor, folder)

    def read_into(self, out: NDArray[Any], offset: int) -> None:
        """Fill a contiguous array with bytes from an offset."""
        view = out.reshape(-1).view(np.uint8).data
        while len(view):
            n = self._read(view, offset)
            if not n:
                raise InvalidInputError(f"{self.path} ends after {offset} bytes, because it was changed. {REMEDY}")
            view, offset = view[n:], offset + n

    def will_need(self, offset: int, size: int) -> None:
        """Ask the system to read a part ahead, if it can."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def _read(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._descriptor, [view], offset)
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            data = os.read(self._descriptor, len(view))
        view[: len(data)] = data
        return len(data)


def _close(descriptor: int, folder: str | None) -> None:
    os.close(descriptor)
    if folder is not None:
        import shutil  # here, since `import crnn` should be fast

        shutil.rmtree(folder, ignore_errors=True)


class CheckedBlocks(NamedTuple):
    """The blocks at the start of a file, each verified against its checksum when read."""

    file: IdFile
    size: int  # bytes of all blocks
    checksums: NDArray[np.uint32]  # of each block

    def read_into(self, out: NDArray[Any], offset: int) -> None:
        """Fill a contiguous array with bytes from an offset."""
        wanted = out.reshape(-1).view(np.uint8)
        end = offset + len(wanted)
        for i in range(offset // CHECKED_SIZE, n_blocks(end)):
            start, stop = i * CHECKED_SIZE, min((i + 1) * CHECKED_SIZE, self.size)
            inside = offset <= start and stop <= end
            block = wanted[start - offset : stop - offset] if inside else np.empty(stop - start, np.uint8)
            self.file.read_into(block, start)
            if zlib.crc32(block.data) != self.checksums[i]:
                raise InvalidInputError(f"{self.file.path} is damaged between bytes {start} and {stop}. {REMEDY}")
            if not inside:
                first, last = max(start, offset), min(stop, end)
                wanted[first - offset : last - offset] = block[first - start : last - start]


def n_blocks(size: int) -> int:
    """Return the number of blocks for this many bytes."""
    return -(-size // CHECKED_SIZE)


def with_checksums(parts: Iterable[bytes | memoryview], checksums: list[int]) -> Iterator[bytes | memoryview]:
    """Yield the parts of a file unchanged, and append the checksum of each block to a list."""
    checksum, room = 0, CHECKED_SIZE
    for part in parts:
        view = memoryview(part)
        while len(view):
            checksum, n = zlib.crc32(view[:room], checksum), min(room, len(view))
            view, room = view[n:], room - n
            if not room:
                checksums.append(checksum)
                checksum, room = 0, CHECKED_SIZE
        yield part
    if room < CHECKED_SIZE:
        checksums.append(checksum)
