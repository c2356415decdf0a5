"""Usable processor cores: the least of the limits set by system, container and user."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from .cgroups import control_groups, first_line, whole_number

VARIABLES = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")  # joblib and Dask set the first one in their workers


def usable_cores(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int:
    """Return the number of threads that can run at full speed at the same time: at least 1.

    This is the least of: the processors that the process may run on, the physical cores among them, the quota of its
    control groups (rounded up) and ``OMP_NUM_THREADS``. `root` is the folder of ``proc`` and ``sys``; tests pass their
    own.
    """
    processors = affinity()
    limits = [
        physical_cores(processors, root),
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
    """Return the number of physical cores that some logical processors belong to, or None if unknown.

    Two hyper-threads of a core share its arithmetic units, so for products they count as one core.
    """
    cores = set()
    for number in processors:
        topology = root / "sys/devices/system/cpu" / f"cpu{number}" / "topology"
        siblings = first_line(topology / "core_cpus_list") or first_line(topology / "thread_siblings_list")
        if not siblings:
            return None
        cores.add(siblings)
    return len(cores)


def cgroup_quota(root: Path = Path("/")) -> int | None:
    """Return the number of processors granted by the process's control groups, rounded up; None without a quota.

    Both versions of control groups are read, and every group from the process's own up to the root; the smallest
    quota counts. In a container the path in ``/proc`` may name a group that only the host can see; the root of
    the mounted hierarchy is then the container's group.
    """
    quotas = [quota for folder in control_groups("cpu", root) if (quota := _quota_of(folder)) is not None]
    return math.ceil(min(quotas)) if quotas else None


def variable_limit(value: str | None) -> int | None:
    """Return the limit set by a variable like ``OMP_NUM_THREADS``, or None if it is unset or not a number.

    In a list, which OpenMP reads as one number per nesting level, the first number counts.
    """
    return whole_number((value or "").split(",")[0].strip()) or None


def _quota_of(folder: Path) -> float | None:
    """Return the number of processors granted by one control group, or None without a quota."""
    version_2 = first_line(folder / "cpu.max")
    quota: str | None
    period: str | None
    if version_2 is not None:
        quota, _, period = version_2.partition(" ")
    else:
        quota, period = first_line(folder / "cpu.cfs_quota_us"), first_line(folder / "cpu.cfs_period_us")
    granted = whole_number(quota)  # None means no quota: "max", or -1 in version 1
    return granted / (whole_number(period) or 100_000) if granted else None
