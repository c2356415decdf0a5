"""Atomic writing: a file exists as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..errors import InvalidInputError

_TEMPORARY = re.compile(r"\.crnn-[0-9a-f]{16}\.tmp")


def write_atomically(path: str, data: bytes | Iterable[bytes | memoryview]) -> None:
    """Write a whole file under a name, or leave the old one unchanged.

    The bytes go to a temporary file in the same folder, then to the disk, and only then is the file renamed. An
    existing file keeps its mode, and a symbolic link its target. A pipe or device is written directly.
    """
    mode = _mode_of_target(path)
    folder = ""
    temporary = ""
    parts = _Parts([data] if isinstance(data, bytes) else data)
    try:
        if mode is not None and not stat.S_ISREG(mode):  # renaming would replace /dev/null
            with open(path, "wb") as special:
                special.writelines(parts)
            return
        target = os.path.realpath(path)
        folder = os.path.dirname(target)
        _remove_stale_files(folder)
        with contextlib.ExitStack() as stack:
            temporary, stream = _locked_file(folder, stack)
            stream.writelines(parts)
            stream.flush()
            _flush_to_disk(stream.fileno())
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            if os.name == "posix":
                os.replace(temporary, target)  # still locked, so nobody takes it for a stale one
        if os.name != "posix":
            _replace_when_free(temporary, target)  # Windows does not rename open files
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError) and error is not parts.error and not _names_a_file(error):
            raise OSError(error.errno, error.strerror, path) from None  # the system names no file if the disk is full
        raise
    _sync_folder(folder)


def check_writable(path: str) -> None:
    """Raise an error now if writing there later would fail; see `write_atomically`."""
    mode = _mode_of_target(path)
    if mode is None or stat.S_ISREG(mode):  # a new file is created next to it; /dev/null is written to
        try:
            import tempfile  # here, since `import crnn` should be fast

            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None


def _mode_of_target(path: str) -> int | None:
    """Return the mode of what a file would replace, or None for nothing; raise an error if it cannot be replaced."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.basename(path):
            raise InvalidInputError(f"{path!r} is the path of a folder. Pass the path of a file.") from None
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if stat.S_ISREG(mode) and not os.access(path, os.W_OK):  # renaming only needs permission for the directory
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return mode


class _Parts:
    """The parts of a file, and the error raised while making them rather than by the file."""

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        self._parts = parts
        self.error: OSError | None = None

    def __iter__(self) -> Iterator[bytes | memoryview]:
        try:
            yield from self._parts
        except OSError as error:
            self.error = error
            raise


def _names_a_file(error: OSError) -> bool:
    """Return whether an error names a file known to the caller."""
    return error.filename is not None and not _is_temporary(error.filename)


def _is_temporary(name: object) -> bool:
    return isinstance(name, str) and _TEMPORARY.fullmatch(os.path.basename(name)) is not None


def _locked_file(folder: str, stack: contextlib.ExitStack) -> tuple[str, BinaryIO]:
    """Return the name of a new temporary file and the file, locked while this process is alive."""
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


def _remove_stale_files(folder: str) -> None:
    """Remove temporary files left in a folder by killed processes: those that can be locked, since the system unlocks a
    file when the process that locked it ends.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _is_temporary(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_if_stale(entry.path)


def _remove_if_stale(name: str) -> None:
    """Remove a temporary file if the process that made it has ended."""
    with contextlib.suppress(OSError):
        if os.name != "posix":  # not locked: a young one may be complete, closed, and about to be renamed
            if time.time() - os.stat(name).st_mtime > 3600:
                os.unlink(name)
            return
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        try:
            if _lock(descriptor):
                os.unlink(name)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file and return True; return None if another process has, False if files cannot be locked."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[attr-defined, unused-ignore]
    except BlockingIOError:
        return None
    except (ImportError, OSError):  # Windows, or a file system without locks
        return False
    return True


def _flush_to_disk(descriptor: int) -> None:
    """Make the bytes of an open file survive a power cut."""
    os.fsync(descriptor)
    if sys.platform == "darwin":  # where fsync leaves them in the drive's cache
        import fcntl

        with contextlib.suppress(OSError):  # not every file system can flush it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)


def _replace_when_free(temporary: str, target: str) -> None:
    """Rename a file on Windows, trying for 2 s while a virus scanner or another program has one of the two open."""
    end = time.monotonic() + 2.0
    while True:
        try:
            return os.replace(temporary, target)
        except PermissionError as error:
            # 5: access denied; 32: sharing violation
            if getattr(error, "winerror", None) not in (5, 32) or time.monotonic() >= end:
                raise
        time.sleep(0.05)


def _sync_folder(folder: str) -> None:
    """Make a rename survive a power cut, on systems that can open directories."""
    if os.name != "posix":
        return
    # The file is complete and in place, so a file system that cannot do this must not make the save fail.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
