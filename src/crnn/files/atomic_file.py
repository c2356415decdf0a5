"""Writing a file so that it is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

__all__ = ["write_atomically"]


def write_atomically(path: str, data: bytes) -> None:
    """Put a whole file under a name, or leave what is there.

    The bytes go to a temporary file beside the target, to the disk, and only then under the target's name. On
    any failure the temporary file is removed. An older file keeps its mode, and a symbolic link goes on
    pointing at its target. What is no regular file (a pipe, ``/dev/null``) is written straight to.

    Parameters
    ----------
    path : str
        The file's name.
    data : bytes
        All that it shall hold.

    Raises
    ------
    OSError
        If the file cannot be written, as the system says it; an older file that may not be written is a
        PermissionError, as for `open`, though a rename could replace it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(os.path.join(folder, "new"), b"all of it")
    ...     os.listdir(folder)
    ['new']
    """
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):  # a rename would take the place of /dev/null
            with open(path, "wb") as stream:
                stream.write(data)
            return
        if not os.access(path, os.W_OK):  # a rename asks only the directory
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".crnn-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as stream:  # unlike tempfile's, its mode follows the umask
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:  # say it of the file that was asked for
            raise OSError(error.errno, error.strerror, path) from None
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make the rename itself last through a power cut, where a directory can be opened at all."""
    if os.name != "posix":
        return
    # The file is in place and whole: a file system that cannot do this is no reason to report a failed save.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
