"""Schedules: the learning rate of each step, as a table of schedules and a warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CHAR_RNN_DECAY = 0.97  # char-rnn's factor for each epoch
CHAR_RNN_FULL_EPOCHS = 10  # char-rnn's epochs at the full rate


def _exponential(progress: Array, epochs: Array) -> Array:
    """Return char-rnn's factors: a decay for each epoch after those at the full rate."""
    decays = np.maximum(np.floor(epochs) - (CHAR_RNN_FULL_EPOCHS - 1), 0)
    return np.asarray(CHAR_RNN_DECAY**decays)


# Factors of the learning rate, given the part of training completed, 0 … 1, and the epochs completed.
SCHEDULES: dict[str, Callable[[Array, Array], Array]] = {
    "constant": lambda progress, epochs: np.ones_like(progress),
    "linear": lambda progress, epochs: 1 - progress,
    "cosine": lambda progress, epochs: 0.5 * (1 + np.cos(math.pi * progress)),
    "exponential": _exponential,
}


@dataclass(frozen=True)
class WarmUp:
    """The beginning of a call, during which the learning rate rises: in steps, as a fraction of the call, or none."""

    steps: int | None = None
    fraction: float | None = None


def learning_rates(
    schedule: str, rate: float, warm_up: WarmUp, done: int, progress: NDArray[Any], epochs: NDArray[Any]
) -> Array:
    """Return the learning rates of the next n steps, after `done` steps of this call: schedule times warm-up.

    `progress` (n + 1,) is the part of training completed before each step and after the last; `epochs` (n,) are those
    completed before each step. The warm-up is evaluated at a step's end, the schedule at its start: no rate is 0.
    """
    progress = np.clip(progress, 0.0, 1.0)
    rates = rate * SCHEDULES[schedule](progress[:-1], epochs)
    if warm_up.steps is not None and done < warm_up.steps:
        steps = done + 1.0 + np.arange(len(rates))
        rates *= np.minimum(steps, warm_up.steps) / warm_up.steps
    if warm_up.fraction:
        rates *= np.minimum(progress[1:], warm_up.fraction) / warm_up.fraction
    return rates
