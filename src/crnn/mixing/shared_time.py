"""SharedTime divides the time limit of a mixture among its counts, its networks and what follows them."""

from __future__ import annotations

import math
import time
from typing import Any

from ..parameters.checks import MAX_SIZE, checked_float

COUNTED_PER_SECOND = 250_000  # symbols counted per second of the budget, which take at most a second on one core
WEIGHTS_SHARE = 0.03  # of the time, for the first weights
LOGITS_PER_SECOND = 1 << 19  # of each member on the held-out text, per second of the budget
MIN_SHARE = 0.1  # minimum fraction of the time for the networks, however long counting takes


class SharedTime:
    """The time budget of a mixture's members, in seconds since the `start`, which is now if None; None: no limit."""

    def __init__(self, seconds: float | None, start: float | None = None) -> None:
        self._seconds = checked_seconds(seconds)
        self._start = now() if start is None else start
        self._reserved = 0.0 if self._seconds is None else WEIGHTS_SHARE * self._seconds
        self._last_order = 0.0  # when an order was last tried
        self.has_limit = self._seconds is not None

    def networks_end(self) -> None:
        """Note that the networks are trained."""
        self._last_order = self.elapsed

    @property
    def elapsed(self) -> float:
        """The seconds since the start."""
        return now() - self._start

    @property
    def max_counted(self) -> int | None:
        """How many symbols at the end of a long text are counted; None for all."""
        if self._seconds is None:
            return None
        return max(1, int(min(COUNTED_PER_SECOND * self._seconds, MAX_SIZE)))

    @property
    def max_logits(self) -> float:
        """The limit of the logits that each member computes for the weights."""
        return math.inf if self._seconds is None else LOGITS_PER_SECOND * self._seconds

    def reserve(self, seconds: float) -> None:
        """Set time aside for what follows the networks."""
        self._reserved += seconds

    def allows_another_order(self) -> bool:
        """Return whether there is time to try shorter counts, if that takes as long as since the last call."""
        elapsed = self.elapsed
        since = elapsed - self._last_order
        self._last_order = elapsed
        return self._seconds is None or not self.has_limit or elapsed + since < self._seconds

    def left(self) -> float | None:
        """Return the seconds left for the networks; None for no limit."""
        if self._seconds is None:
            return None
        return max(self._seconds - self.elapsed - self._reserved, MIN_SHARE * self._seconds)


def checked_seconds(seconds: Any) -> float | None:
    """Return the checked parameter `max_seconds`."""
    return None if seconds is None else checked_float("max_seconds", seconds, above=0.0)


def now() -> float:
    """Return the time in seconds since an arbitrary moment."""
    return time.perf_counter()
