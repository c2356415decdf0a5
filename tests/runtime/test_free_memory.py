"""Free memory: the least of what the machine and the limits of its groups leave."""

from __future__ import annotations

import ctypes
import os
import sys
from types import SimpleNamespace

import pytest

from crnn.runtime import machine
from crnn.runtime.machine import available_bytes


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
