"""Budget: the limit of a call of training, in steps or seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import MAX_STEPS
from .settings import Settings


@dataclass(frozen=True)
class Budget:
    """A limit in steps, in seconds or both; the first limit reached ends the call."""

    n_steps: int | None = None
    seconds: float | None = None  # time since the beginning of the call. At least one step is taken.

    @classmethod
    def of_call(cls, settings: Settings, steps_per_epoch: int, max_epochs: int | None) -> Budget:
        """Return the budget of a call, which ends at the first limit reached."""
        limits = [settings.max_steps, None if max_epochs is None else int(max_epochs) * steps_per_epoch]
        n_steps = min((limit for limit in limits if limit is not None), default=None)
        return cls(n_steps, settings.max_seconds)

    def steps_left(self, done: int, seconds: float, seconds_per_step: float) -> float:
        """Return how many steps may be taken, perhaps infinity; the last one only if it ends closer to the limit."""
        left = math.inf if self.n_steps is None else self.n_steps - done
        if self.seconds is not None and left > 0:
            in_time = min((self.seconds - seconds) / max(seconds_per_step, 1e-12), MAX_STEPS)
            left = min(left, max(0, round(in_time), 1 if done == 0 else 0))
        return left

    def part_done(self, done: int, seconds: float) -> float:
        """Return the part of the budget used, 0 … 1: of the limit, steps or seconds, that is closer to its end."""
        steps_part = done / self.n_steps if self.n_steps else 0.0
        if self.seconds is None:
            return steps_part
        return min(1.0, max(steps_part, seconds / self.seconds))

    def progress(self, done: int, n: int, seconds: float, seconds_per_step: float) -> NDArray[Any]:
        """Return the part used before each of the next n steps and after the last one, (n + 1,).

        As in `part_done`, it is the part of the limit that is closer to its end.
        """
        steps = np.arange(n + 1)
        steps_part: NDArray[Any] = (done + steps) / float(self.n_steps or 1)
        if self.seconds is None:
            return steps_part
        with np.errstate(over="ignore"):  # a budget too short for any step
            seconds_part: NDArray[Any] = (seconds + steps * seconds_per_step) / self.seconds
        if not self.n_steps:
            return seconds_part
        return np.asarray(np.maximum(steps_part, seconds_part))
