"""The machine: usable cores, free memory, and the limits of a container or a user's session.

`root` is the folder of ``proc`` and ``sys``; tests pass their own.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import InvalidInputError

GB = 1e9
SMALL_REQUEST = 0.1 * GB  # bytes; for less, free memory is not asked for: that would take longer than a short call
VARIABLES = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")  # joblib and Dask set the first one in their workers

# ---------------------------------------------------------------- cores


def cores() -> int:
    """Return the number of logical processors that this process may run on, the maximum number of useful threads."""
    return len(affinity())


def usable_cores(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads that can run at full speed at the same time: at least 1, at most the fast physical
    cores, the quota of its control groups (rounded up) and ``OMP_NUM_THREADS``.
    """
    processors = affinity()
    limits = [
        physical_cores(processors, root),
        fast_cores(),
        cgroup_quota(root),
        *(variable_limit(environment.get(name)) for name in VARIABLES),
    ]
    return max(1, min([len(processors), *(limit for limit in limits if limit is not None)]))


def affinity() -> frozenset[int]:
    """Return the numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def physical_cores(processors: frozenset[int], root: Path = Path("/")) -> int | None:
    """Return the number of physical cores of logical processors (hyper-threads share one), or None if unknown."""
    found = set()
    for number in processors:
        topology = root / "sys/devices/system/cpu" / f"cpu{number}" / "topology"
        siblings = _first_line(topology / "core_cpus_list") or _first_line(topology / "thread_siblings_list")
        if not siblings:
            return None
        found.add(siblings)
    return len(found)


class _CoreRecord(ctypes.Structure):
    """The start of Windows' SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX of a core."""

    _fields_ = (
        ("relationship", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint8),
        ("efficiency_class", ctypes.c_uint8),  # higher for faster cores
    )


def fast_cores() -> int | None:
    """Return the number of fast cores on macOS and Windows, or None; a thread on a slow one would hold up all."""
    count = None
    with suppress(AttributeError, OSError):
        if sys.platform == "darwin":
            count = _system_value(b"hw.perflevel0.physicalcpu") or _system_value(b"hw.physicalcpu")
        elif sys.platform == "win32":
            needed = ctypes.c_ulong(0)
            ask = ctypes.windll.kernel32.GetLogicalProcessorInformationEx
            ask(0, None, ctypes.byref(needed))  # 0: of each core
            records = ctypes.create_string_buffer(needed.value)
            classes = []
            start = 0
            if ask(0, records, ctypes.byref(needed)):
                while start < needed.value:
                    core = _CoreRecord.from_buffer(records, start)
                    classes.append(core.efficiency_class)
                    start += core.size
                count = classes.count(max(classes))
    return count


def _system_value(name: bytes) -> int | None:
    """Return a number that macOS knows under a name, or None if it does not."""
    value = ctypes.c_int(0)
    size = ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    ask = ctypes.CDLL(None).sysctlbyname
    failed = ask(name, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    return None if failed else value.value


def variable_limit(value: str | None) -> int | None:
    """Return the (first) number in a variable like ``OMP_NUM_THREADS``, or None if it is unset or not a number."""
    return whole_number((value or "").split(",")[0].strip()) or None


def cgroup_quota(root: Path = Path("/")) -> int | None:
    """Return the smallest number of processors granted by a control group, rounded up; None without a quota."""
    quotas = [quota for folder in _control_groups("cpu", root) if (quota := _quota_of(folder)) is not None]
    return math.ceil(min(quotas)) if quotas else None


def _quota_of(folder: Path) -> float | None:
    """Return the number of processors granted by one control group, or None without a quota."""
    version_2 = _first_line(folder / "cpu.max")
    quota: str | None
    period: str | None
    if version_2 is not None:
        quota, _, period = version_2.partition(" ")
    else:
        quota = _first_line(folder / "cpu.cfs_quota_us")
        period = _first_line(folder / "cpu.cfs_period_us")
    granted = whole_number(quota)  # None means no quota: "max", or -1 in version 1
    return granted / (whole_number(period) or 100_000) if granted else None


# ---------------------------------------------------------------- free memory


def check_free_memory(
    needed: float, what: str, remedy: str, *, available: int | None = None, argument: str | None = None
) -> None:
    """Raise an error if a call needs more memory than `available`; by default, only calls from 0.1 GB are checked."""
    if available is None and needed > SMALL_REQUEST:
        available = available_bytes()
    if available is not None and needed > available:
        raise InvalidInputError(
            f"{what} need about {needed / GB:,.1f} GB of memory, but {available / GB:,.1f} GB are available. {remedy}",
            argument=argument,
        )


def available_bytes(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still get from the machine and its control groups, or None if unknown."""
    limits = [_machine_bytes(root), *map(_group_bytes, _control_groups("memory", root))]
    return min((n for n in limits if n is not None), default=None)


class _MemoryStatus(ctypes.Structure):
    """Windows' MEMORYSTATUSEX; "pages" are what it may still promise to programs."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "total_pages", "free_pages")),
        *((name, ctypes.c_uint64) for name in ("addresses", "free_addresses", "extended")),
    )


def _machine_bytes(root: Path) -> int | None:
    """Return the machine's memory that is free or can be freed, or else its total memory, or None if unknown."""
    available = _entry(root / "proc/meminfo", "MemAvailable:")
    if available is not None:
        return available * 1024
    with suppress(AttributeError, OSError, ValueError):
        if sys.platform == "win32":
            status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
            if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
                available = min(status.free, status.free_pages)
        else:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            percent = _system_value(b"kern.memorystatus_level") if sys.platform == "darwin" else None
            available = total if percent is None else total * percent // 100  # free, or can be freed or compressed
    return available


def _group_bytes(group: Path) -> int | None:
    """Return the memory left within the limit of a control group, or None without a limit."""
    version_2 = (group / "memory.max", group / "memory.current", "inactive_file")
    version_1 = (group / "memory.limit_in_bytes", group / "memory.usage_in_bytes", "total_inactive_file")
    for limit_file, usage_file, cached in (version_2, version_1):
        limit = whole_number(_first_line(limit_file))
        used = whole_number(_first_line(usage_file))
        if limit is None or used is None:  # no such file, or "max": no limit
            continue
        # Usage includes cached files, which the system drops when memory is short.
        return max(0, limit - used + (_entry(group / "memory.stat", cached) or 0))
    return None


# ---------------------------------------------------------------- the system's files


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, of both versions, from its own group up to the root."""
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
        # In a container the path may name a group that only the host sees; its own group is then the mounted root.
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for top in tops:
            for depth in range(len(parts), -1, -1):
                yield top.joinpath(*parts[:depth])


def _first_line(path: Path) -> str | None:
    """Return the first line of a file without its end, or None if the file cannot be read."""
    try:
        return path.read_text(encoding="ascii").partition("\n")[0].strip()
    except (OSError, ValueError):
        return None


def _entry(path: Path, name: str) -> int | None:
    """Return the number after a name in a file with one name and number per line."""
    with suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == name:
                return whole_number(words[1])
    return None


def whole_number(text: str | None) -> int | None:
    """Return the number in a text, or None unless the text is a number without a sign."""
    # `int` is not called for other texts: Python 3.11 drops the exception of a signal that arrives while `int` composes
    # its error message.
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
