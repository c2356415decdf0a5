"""The machine: its cores, its free memory and the limits of control groups; their files lose no signal."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from command_line import POSIX

from crnn.runtime import machine
from crnn.runtime.machine import (
    available_bytes,
    cgroup_quota,
    cores,
    physical_cores,
    usable_cores,
    variable_limit,
    whole_number,
)

EIGHT = frozenset(range(8))


def test_free_memory_without_meminfo_is_total_or_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "freebsd14")
    whole = available_bytes(tmp_path)
    if hasattr(os, "sysconf"):
        assert whole == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        assert whole is None
    monkeypatch.delattr(machine.os, "sysconf", raising=False)
    assert available_bytes(tmp_path) is None


class MemoryStatus(ctypes.Structure):
    """Windows' own declaration."""

    _fields_ = [
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "free", "total_pages", "free_pages")),
        *((name, ctypes.c_uint64) for name in ("addresses", "free_addresses", "extended")),
    ]


@pytest.mark.parametrize(
    ("works", "free", "free_pages", "expected"),
    [(1, 7 << 30, 11 << 30, 7 << 30), (1, 7 << 30, 5 << 30, 5 << 30), (0, 0, 0, None)],
)
def test_free_memory_of_windows(monkeypatch, tmp_path, works, free, free_pages, expected):
    def fill(reference):
        status = MemoryStatus.from_buffer(reference._obj)
        assert status.length == ctypes.sizeof(MemoryStatus) == ctypes.sizeof(reference._obj)
        status.load, status.total, status.free, status.free_pages = 50, 16 << 30, free, free_pages
        return works

    kernel32 = SimpleNamespace(GlobalMemoryStatusEx=fill)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    assert available_bytes(tmp_path) == expected


@pytest.mark.parametrize(("percent", "expected"), [(37, 3700), (None, 10_000)])  # None: an unknown name
def test_free_memory_of_macos(monkeypatch, tmp_path, percent, expected):
    def sysctlbyname(name, level, size, *_):
        assert (name, size._obj.value) == (b"kern.memorystatus_level", 4)
        if percent is None:
            return -1
        level._obj.value = percent
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": 100}.get, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(sysctlbyname=sysctlbyname))
    assert available_bytes(tmp_path) == expected


MEMINFO = "MemTotal: 9000000 kB\nMemAvailable: 7000 kB\n"
VERSION_2 = {
    "proc/self/cgroup": "0::/jobs/mine\n",
    "sys/fs/cgroup/jobs/mine/memory.max": "5000000\n",
    "sys/fs/cgroup/jobs/mine/memory.current": "3000000\n",
}
VERSION_1 = {
    "proc/self/cgroup": "11:cpu,cpuacct:/jobs\n7:memory:/jobs\n",
    "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "5000000\n",
    "sys/fs/cgroup/memory/jobs/memory.usage_in_bytes": "3000000\n",
}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 7000 * 1024),
        (VERSION_2, 2_000_000),
        (VERSION_1, 2_000_000),
        # The cache of files is given up where memory is short.
        (VERSION_2 | {"sys/fs/cgroup/jobs/mine/memory.stat": "anon 9\ninactive_file 700000\n"}, 2_700_000),
        (VERSION_1 | {"sys/fs/cgroup/memory/jobs/memory.stat": "total_inactive_file 700000\n"}, 2_700_000),
        # The group above has less; the host has less; the group has no limit; it has used more than it may.
        (VERSION_2 | {"sys/fs/cgroup/jobs/memory.max": "4000000", "sys/fs/cgroup/jobs/memory.current": "3300000"},
         700_000),
        (VERSION_2 | {"proc/meminfo": "MemAvailable: 700 kB\n"}, 700 * 1024),
        (VERSION_2 | {"sys/fs/cgroup/jobs/mine/memory.max": "max\n"}, 7000 * 1024),
        (VERSION_1 | {"sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "9223372036854771712\n"}, 7000 * 1024),
        (VERSION_2 | {"sys/fs/cgroup/jobs/mine/memory.current": "5000001\n"}, 0),
        (VERSION_2 | {"proc/meminfo": "MemAvailable:\n"}, 2_000_000),
        (VERSION_2 | {"proc/meminfo": "MemAvailable: many\n"}, 2_000_000),
        # In a container the path may be one that only the host sees: the mounted root is the container's group.
        ({"proc/self/cgroup": "0::/host/path\n", "sys/fs/cgroup/memory.max": "5000000",
          "sys/fs/cgroup/memory.current": "3000000"}, 2_000_000),
        (VERSION_2 | {"sys/fs/cgroup/jobs/mine/memory.current": "many\n"}, 7000 * 1024),
    ],
)  # fmt: skip
def test_the_limit_of_a_container_counts(tmp_path, files, expected):
    for name, text in ({"proc/meminfo": MEMINFO} | files).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert available_bytes(tmp_path) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no processor affinity")
def test_cores_are_those_the_process_may_use():
    before = os.sched_getaffinity(0)
    assert cores() == len(before)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_cores_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def write(root: Path, **files: str) -> Path:
    """Write files, given as path=text, below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def siblings(root: Path, lists: list[str], file: str = "core_cpus_list") -> Path:
    folder = "sys/devices/system/cpu"
    return write(root, **{f"{folder}/cpu{i}/topology/{file}": f"{text}\n" for i, text in enumerate(lists)})


@pytest.mark.parametrize("file", ["core_cpus_list", "thread_siblings_list"])
def test_hyper_threads_of_a_core_count_once(tmp_path, file):
    assert physical_cores(EIGHT, tmp_path) is None  # without topology
    root = siblings(tmp_path, ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"], file)
    assert physical_cores(EIGHT, root) == 4
    assert physical_cores(frozenset({0, 4}), root) == 1


@pytest.mark.parametrize(("known", "wanted"), [(2, 6), (1, 8), (0, None)])
def test_on_macos_fast_cores_count(monkeypatch, known, wanted):
    """An Apple M has 6 fast cores of 10; an Intel processor has one kind."""
    found = {b"hw.perflevel0.physicalcpu": 6, b"hw.physicalcpu": 8}

    def sysctlbyname(name, count, size, new, new_size):
        if name not in list(found)[2 - known :]:
            return -1
        count._obj.value = found[name]
        return 0

    monkeypatch.setattr(machine, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(sysctlbyname=sysctlbyname))
    assert machine.fast_cores() == wanted


@pytest.mark.parametrize(("classes", "wanted"), [([0, 0, 0], 3), ([1, 0, 1, 0, 0, 0], 2)])
def test_on_windows_fast_cores_count(monkeypatch, classes, wanted):
    records = b"".join(struct.pack("<IIBB38x", 0, 48, i % 2, of_class) for i, of_class in enumerate(classes))

    def ask(relation, buffer, size):
        size._obj.value = len(records)
        if buffer:
            ctypes.memmove(buffer, records, len(records))
        return bool(buffer)

    kernel32 = SimpleNamespace(GetLogicalProcessorInformationEx=ask)
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel32), raising=False)
    monkeypatch.setattr(machine, "sys", SimpleNamespace(platform="win32"))
    assert machine.fast_cores() == wanted


MINE, MAX = "proc/self/cgroup", "sys/fs/cgroup/jobs/mine/cpu.max"
BOTH = "7:memory:/other\n4:cpu,cpuacct:/mine\n0::/\n"


@pytest.mark.parametrize(("files", "granted"), [
    *(({MINE: "0::/jobs/mine\n", MAX: f"{text}\n"}, granted) for text, granted in (
        ("150000 100000", 2), ("300000 100000", 3), ("50000 100000", 1), ("max 100000", None), ("300000", 3),
        ("300001 ", 4), ("90000 30000", 3), ("0 100000", None))),
    ({MINE: "0::/jobs/mine\n", MAX: "700000 100000\n", "sys/fs/cgroup/jobs/cpu.max": "300000 100000\n"}, 3),
    ({MINE: "0::/docker/0123abc\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),  # of a container, without its path
    *(({MINE: BOTH, f"sys/fs/cgroup/{folder}/mine/cpu.cfs_quota_us": f"{quota}\n",
        f"sys/fs/cgroup/{folder}/mine/cpu.cfs_period_us": "100000\n"}, granted)
      for folder in ("cpu", "cpu,cpuacct") for quota, granted in (("250000", 3), ("-1", None))),
    ({MINE: "4:cpu:/mine\n", "sys/fs/cgroup/cpu/mine/cpu.cfs_quota_us": "300001\n"}, 4),  # without its period
    *(({MINE: text}, None) for text in ("", "garbage", "0::", "5:cpu:\n0::/../..\n")),
])  # fmt: skip
def test_quotas_of_control_groups(tmp_path, files, granted):
    assert cgroup_quota(write(tmp_path, **files)) == granted


def test_variables_limit_cores():
    for value, limit in (("3", 3), ("5,2", 5), ("0", None), ("-1", None), ("x", None), ("", None)):
        assert variable_limit(value) == limit


def test_usable_cores_are_the_least_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "affinity", lambda: EIGHT)
    assert usable_cores(tmp_path, {}) == 8
    pairs = siblings(tmp_path / "pairs", ["0-1", "0-1", "2-3", "2-3", "4-5", "4-5", "6-7", "6-7"])
    assert usable_cores(pairs, {}) == 4
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "420000 100000\n"}
    assert usable_cores(write(tmp_path, **files), {}) == 5
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        assert usable_cores(tmp_path, {name: "3"}) == 3


@POSIX
def test_a_signal_during_a_refusal_is_not_lost():
    """In Python 3.11 `int("max")` in its place lost every third signal."""

    def interrupt(number, frame):
        seen.append(number)
        raise KeyboardInterrupt

    def refuse():  # Python 3.13 leaves the jump back of a loop out of the try statement around it
        while not seen:
            whole_number("max")

    seen, caught, before = [], 0, signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(60):
            seen.clear()
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005)
                refuse()
            except KeyboardInterrupt:
                caught += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught == 60
