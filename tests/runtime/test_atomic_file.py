import errno
import os
import stat
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from crnn import InvalidInputError
from crnn.runtime.atomic_file import check_writable, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes as POSIX has them")
OLD, NEW = b"what was there", b"what comes instead"


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(OLD)
    return path


def raiser(error):
    def fail(*arguments, **keywords):
        raise error

    return fail


def assert_untouched(target):
    assert target.read_bytes() == OLD
    assert os.listdir(target.parent) == [target.name]


def test_parts_are_written_one_after_another(target):
    write_atomically(str(target), (part for part in [b"what ", memoryview(b"comes"), b" instead"]))
    assert target.read_bytes() == NEW


def test_names_without_a_folder_and_of_the_greatest_length(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("m" * 251, NEW)
    assert os.listdir() == ["m" * 251]
    assert Path("m" * 251).read_bytes() == NEW


@posix
def test_new_files_follow_umask_and_old_ones_keep_their_mode(target):
    target.chmod(0o640)
    old = os.umask(0o027)
    try:
        for path, mode in ((target, 0o640), (target.parent / "new", 0o666 & ~0o027)):
            write_atomically(str(path), NEW)
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(old)


@posix
@pytest.mark.parametrize("dangling", [False, True])
def test_link_continues_pointing_at_its_target(target, dangling):
    link = target.parent / "link"
    link.symlink_to(target.name)
    if dangling:
        target.unlink()
    write_atomically(str(link), NEW)
    assert link.is_symlink()
    assert target.read_bytes() == NEW


@posix
def test_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_atomically(str(pipe), NEW)
    reader.join(10)
    assert read == [NEW]
    assert pipe.is_fifo()


@posix
def test_full_disk(target):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4099, limits[1]))
    try:
        with pytest.raises(OSError, match="large") as caught:
            write_atomically(str(target), bytes(65537))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(target))
    assert_untouched(target)


def test_an_error_in_making_a_part_is_not_of_the_file(target):
    def parts():
        yield NEW
        raise error

    for error in (OSError(errno.EIO, "read error"), OSError(errno.EIO, "read error", "text")):
        with pytest.raises(OSError, match="read error") as caught:
            write_atomically(str(target), parts())
        assert caught.value is error
        assert_untouched(target)


FULL, READ_ONLY = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EROFS, "Read-only file system")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *((f"os.{step}", error) for step in ("fsync", "chmod", "replace") for error in (FULL, KeyboardInterrupt())),
        ("builtins.open", READ_ONLY), ("crnn.runtime.atomic_file._lock", KeyboardInterrupt()),
    ],
)  # fmt: skip
def test_any_failing_step_leaves_the_old_file(target, monkeypatch, step, error):
    monkeypatch.setattr(step, raiser(error))
    with pytest.raises(type(error)) as caught:
        write_atomically(str(target), NEW)
    monkeypatch.undo()
    named = (error.errno, str(target)) if isinstance(error, OSError) else (None, None)
    assert (getattr(caught.value, "errno", None), getattr(caught.value, "filename", None)) == named
    assert_untouched(target)


@posix
def test_data_is_on_the_disk_before_the_rename_and_the_folder_after(target, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor):
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.fstat(descriptor).st_size)
        fsync(descriptor)

    def note_replace(*paths):
        events.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_atomically(str(target), NEW)
    assert events == [len(NEW), "rename", "folder"]


@pytest.mark.parametrize("refused", [False, True])  # by the file system
def test_macos_is_asked_to_empty_the_cache_of_the_drive(target, monkeypatch, refused):
    fcntl = pytest.importorskip("fcntl")
    sizes = []

    def full_fsync(descriptor, command):
        assert command == 51
        sizes.append(os.fstat(descriptor).st_size)
        if refused:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", full_fsync)
    write_atomically(str(target), NEW)
    assert sizes == [len(NEW)]
    assert target.read_bytes() == NEW


@pytest.fixture
def on_windows(monkeypatch):
    """Rename as on Windows, with a clock that only sleeping advances."""
    clock = [0.0]
    monkeypatch.setattr(os, "name", "nt")
    monkeypatch.setattr("crnn.runtime.atomic_file.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("crnn.runtime.atomic_file.time.sleep", lambda seconds: clock.append(clock.pop() + seconds))
    yield clock
    monkeypatch.undo()  # before pytest makes another path


def held_open(winerror, times):
    """Return a function that fails a number of times as renaming does, and then renames."""
    replace, failures = os.replace, [PermissionError(errno.EACCES, "Access is denied") for _ in range(times)]

    def rename(*paths):
        if failures:
            error = failures.pop()
            error.winerror = winerror
            raise error
        replace(*paths)

    return rename


@pytest.mark.parametrize(
    ("winerror", "times", "least", "most"),
    [(5, 3, 1e-9, 1.0), (32, 3, 1e-9, 1.0), (32, 999, 2.0, 2.2), (19, 1, 0.0, 0.0)],
)
def test_a_file_that_another_program_holds(target, monkeypatch, on_windows, winerror, times, least, most):
    """It is replaced when it is free, or an error after 2 seconds; or at once, where it is write-protected."""
    monkeypatch.setattr(os, "replace", held_open(winerror, times))
    replaced = most == 1.0
    with nullcontext() if replaced else pytest.raises(PermissionError) as caught:
        write_atomically(str(target), NEW)
    assert least <= on_windows[0] <= most
    monkeypatch.undo()
    assert replaced or caught.value.filename == str(target)
    assert target.read_bytes() == (NEW if replaced else OLD)
    assert os.listdir(target.parent) == [target.name]


def test_windows_keeps_temporary_files_that_another_process_may_be_about_to_rename(target, on_windows):
    old, young = (os.path.join(str(target.parent), f".crnn-00000000000000{end}.tmp") for end in ("aa", "bb"))
    for name, age in ((old, 3700), (young, 3500)):
        with open(name, "xb"):
            pass
        os.utime(name, (time.time() - age,) * 2)
    write_atomically(str(target), NEW)
    assert not os.path.exists(old)
    assert os.path.exists(young)


@posix
def test_unsyncable_folder_is_not_a_failure(target, monkeypatch):
    monkeypatch.setattr(os, "open", raiser(PermissionError(errno.EACCES, "Permission denied")))
    write_atomically(str(target), NEW)
    monkeypatch.undo()
    assert target.read_bytes() == NEW


def test_read_only_file(target, monkeypatch):
    target.chmod(0o400)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).stat().st_mode & 0o200 != 0)
    with pytest.raises(PermissionError, match="model"):
        write_atomically(str(target), NEW)
    assert_untouched(target)


@pytest.mark.parametrize("write", [check_writable, lambda path: write_atomically(path, NEW)])
def test_the_name_of_a_folder(tmp_path, write):
    for name in ("missing/", "a/b//"):
        with pytest.raises(InvalidInputError, match=r"/' is the path of a folder\. Pass the path of a file\.$"):
            write(str(tmp_path) + "/" + name)
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(NotADirectoryError):
        write(str(tmp_path) + "/file/")
    with pytest.raises(FileNotFoundError):
        write("")
    with pytest.raises(IsADirectoryError):
        write_atomically(str(tmp_path), NEW)
    assert os.listdir(tmp_path) == ["file"]


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    for path in (str(tmp_path / "no" / "such"), ""):
        with pytest.raises(FileNotFoundError) as raised:
            write_atomically(path, b"new")
        assert (raised.value.filename, raised.value.filename2) == (path, None)
        assert ".tmp" not in str(raised.value)


WRITER = """
import os, sys
from crnn.runtime.atomic_file import write_atomically
def pieces():
    yield b"the beginning"
    print("begun", flush=True)
    sys.stdin.read(1)
    yield b"and the end"
write_atomically(sys.argv[1], pieces())
"""


def begun_writer(path):
    """Start a process that is in the middle of writing a file."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"begun\n"
    return writer


@posix
def test_files_of_killed_processes_are_removed_and_no_others(target):
    others = [".crnn-0123456789abcdef.tmp.bak", ".crnn-0123.tmp", "crnn-0123456789abcdef.tmp"]
    for name in others:
        (target.parent / name).write_bytes(b"")
    (target.parent / ".crnn-00000000000000ff.tmp").mkdir()
    (target.parent / ".crnn-00000000000000fe.tmp").symlink_to(target.name)
    killed, alive = begun_writer(target), begun_writer(target.parent / "other")
    killed.kill()
    killed.communicate()
    assert len(list(target.parent.glob(".crnn-*.tmp"))) == 3 + 2
    write_atomically(str(target.parent / "third"), NEW)
    left = {path.name for path in target.parent.iterdir()}
    assert len(left) == len(others) + 2 + 1 + 2  # the live process's files, `target` and the new file
    assert {*others, ".crnn-00000000000000ff.tmp", ".crnn-00000000000000fe.tmp", "third", target.name} < left
    alive.communicate(b"x")
    assert alive.returncode == 0
    assert (target.parent / "other").read_bytes() == b"the beginningand the end"
    assert target.read_bytes() == OLD


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not list open files")
def test_no_file_stays_open(target):
    (target.parent / ".crnn-0123456789abcdef.tmp").write_bytes(b"")
    before = os.listdir("/proc/self/fd")
    write_atomically(str(target), NEW)
    assert os.listdir("/proc/self/fd") == before
    assert os.listdir(target.parent) == [target.name]


@posix
def test_file_removed_as_stale_is_written_again(target, monkeypatch):
    """Another process removes it between its making and its locking."""
    fcntl = pytest.importorskip("fcntl")
    flock, removed = fcntl.flock, []

    def late(descriptor, how):
        if not removed:
            removed.extend(target.parent.glob(".crnn-*.tmp"))
            removed[0].unlink()
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomically(str(target), NEW)
    assert removed
    assert target.read_bytes() == NEW
    assert os.listdir(target.parent) == [target.name]


@posix
def test_a_file_system_without_locks(target, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    (target.parent / ".crnn-0123456789abcdef.tmp").write_bytes(b"")
    monkeypatch.setattr(fcntl, "flock", raiser(OSError(errno.ENOLCK, "No locks available")))
    write_atomically(str(target), NEW)
    assert target.read_bytes() == NEW
    assert (target.parent / ".crnn-0123456789abcdef.tmp").exists()  # it may be another's
