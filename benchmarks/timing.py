"""Time a function: the least seconds of some calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def least_time(
    action: Callable[[], T], repeats: int = 1, clock: Callable[[], float] = time.perf_counter
) -> tuple[float, T]:
    """Return the least seconds of some calls, and what the last one returns."""
    times = []
    for _ in range(repeats):
        start = clock()
        result = action()
        times.append(clock() - start)
    return min(times), result
