"""Writing a file so that it is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable
from typing import BinaryIO

__all__ = ["remove_stale_files", "write_atomically"]

_TEMPORARY = re.compile(r"\.crnn-[0-9a-f]{16}\.tmp")


def write_atomically(path: str, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Put a whole file under a name, or leave what is there.

    The bytes go to a temporary file beside the target, to the disk, and only then under the target's name. On
    any failure the temporary file is removed; those that killed processes have left beside it are removed too. An older
    file keeps its mode, and a symbolic link goes on pointing at its target. What is no regular file (a pipe,
    ``/dev/null``) is written straight to.

    Parameters
    ----------
    path : str
        The file's name.
    data : bytes, or iterable of bytes-like
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
    pieces = [data] if isinstance(data, bytes) else data
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):  # a rename would take the place of /dev/null
            with open(path, "wb") as special:
                special.writelines(pieces)
            return
        if not os.access(path, os.W_OK):  # a rename asks only the directory
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    temporary = ""
    try:
        remove_stale_files(folder)
        with contextlib.ExitStack() as stack:
            temporary, stream = _locked_file(folder, stack)
            stream.writelines(pieces)
            stream.flush()
            os.fsync(stream.fileno())
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            if os.name == "posix":
                os.replace(temporary, target)  # still locked: nobody takes it for a stale one
        if os.name != "posix":
            os.replace(temporary, target)  # Windows renames no open file
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError) and _is_temporary(error.filename):  # say it of the file that was asked for
            raise OSError(error.errno, error.strerror, path) from None
        raise
    _sync_folder(folder)


def _is_temporary(name: object) -> bool:
    return isinstance(name, str) and _TEMPORARY.fullmatch(os.path.basename(name)) is not None


def _locked_file(folder: str, stack: contextlib.ExitStack) -> tuple[str, BinaryIO]:
    """Return a new temporary file, locked as long as the process that writes it is alive, and its name."""
    while True:
        name = os.path.join(folder, f".crnn-{os.urandom(8).hex()}.tmp")
        stream = open(name, "xb")  # noqa: SIM115 (it outlives this function); unlike tempfile's, its mode follows the umask
        try:
            taken = _lock(stream.fileno()) is None or not os.fstat(stream.fileno()).st_nlink
        except BaseException:
            stream.close()
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        if taken:  # another process took it for a stale one before it was locked
            stream.close()
            continue
        stack.enter_context(stream)
        return name, stream


def remove_stale_files(folder: str) -> None:
    """Remove the temporary files that killed processes have left in a folder.

    The system unlocks a file when the process that locked it ends, however it ends. A file that can be locked belongs
    to no process that is alive, on this machine or, with a file system that shares locks, on another.

    Parameters
    ----------
    folder : str
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_if_stale(entry.path)


def _remove_if_stale(name: str) -> None:
    with contextlib.suppress(OSError):
        if os.name != "posix":
            os.unlink(name)  # refused while a process has it open
            return
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _lock(descriptor):
                os.unlink(name)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file: True. None if another process has locked it, False where files cannot be locked."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except (ImportError, OSError):  # Windows, or a file system without locks
        return False
    return True


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
