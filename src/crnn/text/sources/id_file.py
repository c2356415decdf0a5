"""IdFile: a file of ids that is read in parts, by several threads, without being mapped into memory."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError

__all__ = ["IdFile"]


class IdFile:
    """A file opened for reading at any position.

    Parts are read into arrays of the caller. A memory mapping would be simpler, but each page that it has touched
    counts as memory of the process.

    Parameters
    ----------
    path : str
    temporary : bool, default=False
        Whether the folder of the file is deleted with this object.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ids")
    ...     with open(path, "wb") as file:
    ...         _ = file.write(bytes([7, 5, 3, 2]))
    ...     ids = np.empty(2, np.uint8)
    ...     IdFile(path).read_into(ids, 1)
    ...     ids
    array([5, 3], dtype=uint8)
    """

    def __init__(self, path: str, *, temporary: bool = False) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()  # where a read moves the position of the file
        folder = os.path.dirname(path) if temporary else None
        weakref.finalize(self, _close, self._descriptor, folder)

    def read_into(self, out: NDArray[Any], offset: int) -> None:
        """Fill a contiguous array with the bytes from an offset on.

        Raises
        ------
        InvalidInputError
            If the file ends before.
        OSError
            If it cannot be read.
        """
        view = out.reshape(-1).view(np.uint8).data
        while len(view):
            n = self._read(view, offset)
            if not n:
                raise InvalidInputError(f"{self.path} ends after {offset} bytes: it was changed; delete it")
            view, offset = view[n:], offset + n

    def will_need(self, offset: int, size: int) -> None:
        """Let the system read a part ahead, where it can."""
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
        import shutil  # here, since `import crnn` shall cost little

        shutil.rmtree(folder, ignore_errors=True)
