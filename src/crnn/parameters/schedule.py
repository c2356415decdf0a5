"""Schedule: the learning rate as a function of training progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DECAY = 0.97  # char-rnn's factor for each epoch
DECAY_AFTER = 10  # char-rnn's epochs at the full rate


def constant(progress: Array, epochs: Array) -> Array:
    """Return 1."""
    return np.ones_like(progress)


def linear(progress: Array, epochs: Array) -> Array:
    """Return a factor that falls linearly from 1 at the start to 0 at the end."""
    return 1 - progress


def cosine(progress: Array, epochs: Array) -> Array:
    """Return a factor that falls from 1 at the start to 0 at the end along half a period of the cosine."""
    return 0.5 * (1 + np.cos(math.pi * progress))


def exponential(progress: Array, epochs: Array) -> Array:
    """Return char-rnn's decay: 1 for the first ten epochs, then multiplied by 0.97 in each epoch."""
    return np.asarray(DECAY ** np.maximum(np.floor(epochs) - (DECAY_AFTER - 1), 0))


SCHEDULES: dict[str, Callable[[Array, Array], Array]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "exponential": exponential,
}


@dataclass(frozen=True)
class Schedule:
    """The learning rate of each training step, the product of schedule and warm-up."""

    name: str
    learning_rate: float  # the rate that both factors multiply
    # The first steps (an int), or the first part of training (a float below 1), while the rate rises linearly to the
    # schedule's value. 0: no warm-up.
    warmup: int | float = 0

    def rates(self, done: int, progress: NDArray[Any], epochs: NDArray[Any]) -> Array:
        """Return the learning rates of the next n steps, after `done` steps of this call.

        `progress` (n + 1,) is the part of training completed before each step and after the last, 0 … 1; greater values
        count as 1. `epochs` (n,) are those completed before each step. The schedule is evaluated at the step's start
        and the warm-up at its end, so that neither the first nor the last step has a rate of 0.
        """
        progress = np.clip(progress, 0.0, 1.0)
        rates = self.learning_rate * SCHEDULES[self.name](progress[:-1], epochs)
        if isinstance(self.warmup, int):
            if done < self.warmup:
                rates *= np.minimum(done + 1.0 + np.arange(len(rates)), self.warmup) / self.warmup
        elif self.warmup > 0:
            rates *= np.minimum(progress[1:], self.warmup) / self.warmup
        return rates
