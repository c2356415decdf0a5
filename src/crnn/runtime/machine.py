"""The machine: usable cores, free memory, and the limits of a container or a user's session."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import InvalidInputError

# ---------------------------------------------------------------- cgroups


def control_groups(controller: str, root: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders of this process's control groups, from its own group up to the root.

    Both versions of control groups are read. In a container the path in ``/proc`` may name a group that only the host
    can see; the root of the mounted hierarchy is then the container's group. `root` is the folder of ``proc`` and
    ``sys``; tests pass their own.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = (line + "::").split(":")[:3]
        if controllers == "":  # version 2; when combined with version 1, it is mounted in its own folder
            tops = [mounted, mounted / "unified"]
        elif controller in controllers.split(","):
            tops = [mounted / controllers, mounted / controller]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for top in tops:
            for depth in range(len(parts), -1, -1):
                yield top.joinpath(*parts[:depth])


def first_line(path: Path) -> str | None:
    """Return the first line of a file without its end, or None if the file cannot be read."""
    try:
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, ValueError):
        return None


def whole_number(text: str | None) -> int | None:
    """Return the number in a text, or None unless the text is a number without a sign.

    `int` is not called for other texts: Python 3.11 drops the exception of a signal that arrives while `int` composes
    its error message.
    """
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None


# ---------------------------------------------------------------- free memory

GB = 1e9
SMALL = 0.1 * GB  # bytes; for less, free memory is not asked for: that would take longer than a short call


def check_free_memory(
    needed: float, what: str, remedy: str, *, available: int | None = None, argument: str | None = None
) -> None:
    """Raise an error if a call needs more memory than `available`, by default what the process can still get.

    By default, calls that need less than 0.1 GB are not checked.
    """
    if available is None and needed > SMALL:
        available = available_bytes()
    if available is not None and needed > available:
        raise InvalidInputError(
            f"{what} need about {needed / GB:,.1f} GB of memory, but {available / GB:,.1f} GB are available. {remedy}",
            argument=argument,
        )


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that this process can still get, in bytes, or None if unknown.

    This is the lesser of the machine's available memory and what is left within the limits of the process's control
    groups, as set for containers.
    """
    known = [_machine_bytes(root), *map(_group_bytes, control_groups("memory", root))]
    return min((n for n in known if n is not None), default=None)


def _machine_bytes(root: Path) -> int | None:
    """Return the machine's memory that is free or can be freed, or else its total memory, or None if unknown."""
    available = _entry(root / "proc/meminfo", "MemAvailable:")
    if available is not None:
        return available * 1024
    known = None
    with suppress(AttributeError, OSError, ValueError):
        if sys.platform == "win32":
            known = _windows_bytes()
        else:
            known = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            if sys.platform == "darwin":
                known = known * _macos_percent() // 100
    return known


def _windows_bytes() -> int | None:
    """Return Windows' free memory, or what it may still promise to programs if that is less."""
    import ctypes

    # MEMORYSTATUSEX: its size in 4 bytes, the load in 4, then total and available bytes: physical, promised, addresses
    status = (ctypes.c_uint64 * 8)(64)
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined, unused-ignore]
        return None
    return min(status[2], status[4])


def _macos_percent() -> int:
    """Return the percentage of macOS' memory that is free or can be freed or compressed, or 100 if it does not say."""
    import ctypes

    level, size = ctypes.c_int(100), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    ctypes.CDLL(None).sysctlbyname(
        b"kern.memorystatus_level", ctypes.byref(level), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return level.value


def _group_bytes(group: Path) -> int | None:
    """Return the memory left within the limit of a control group, or None without a limit."""
    version_2 = (group / "memory.max", group / "memory.current", "inactive_file")
    version_1 = (group / "memory.limit_in_bytes", group / "memory.usage_in_bytes", "total_inactive_file")
    for limit_file, usage_file, cached in (version_2, version_1):
        limit, used = whole_number(first_line(limit_file)), whole_number(first_line(usage_file))
        if limit is None or used is None:  # no such file, or "max": no limit
            continue
        # Usage includes cached files, which the system drops when memory is short.
        return max(0, limit - used + (_entry(group / "memory.stat", cached) or 0))
    return None


def _entry(path: Path, name: str) -> int | None:
    """Return the number after a name in a file with one name and number per line."""
    with suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return whole_number(words[1])
    return None
