"""Check whether a file can be written before doing any work."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

__all__ = ["check_writable"]


def check_writable(path: str) -> None:
    """Raise an OSError now if writing the file later would fail.

    Parameters
    ----------
    path : str
        The file's path.

    Examples
    --------
    >>> check_writable("no-such-folder/book.crnn")
    Traceback (most recent call last):
    FileNotFoundError: [Errno 2] No such file or directory: 'no-such-folder/book.crnn'
    """
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if mode is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    if mode is None or stat.S_ISREG(mode):  # a new file is created next to it; /dev/null is written directly
        try:
            import tempfile  # here, since `import crnn` should be fast

            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
