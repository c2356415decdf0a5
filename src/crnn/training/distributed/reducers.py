"""Reducers: how several processes that train together make one model, by summing gradients or by averaging weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...parameters.checks import checked_int
from .processes import Processes

MAX_AVERAGE_EVERY = 10**6

Array = NDArray[Any]


def checked_average_every(value: Any) -> int:
    """Return the number of steps between two averages, or raise `InvalidInputError`.

    Examples
    --------
    >>> checked_average_every(0)
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: average_every must be a whole number of at least 1, not 0
    """
    return checked_int("average_every", value, 1, MAX_AVERAGE_EVERY)


class GradientSum:
    """The `Reducer` that sums the gradient of each step over the processes, so that all have the same weights."""

    def __init__(self, processes: Processes) -> None:
        self._processes, self.sum_gradient = processes, processes.reduce
        self.own, self.decided, self.everywhere = processes.own, processes.from_first, processes.all

    def parts(self, n_steps: int, rates: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
        """Return the rates as a whole."""
        return (rates,)

    def average(self, cursor: core.Cursor, arrays: Sequence[Array]) -> bool:
        """Do nothing: the arrays are equal."""
        return False


class WeightMean:
    """The `Reducer` that averages the processes' weights and optimizer state after every `every` of their own steps.

    Each process is weighted by its number of streams. All processes have bitwise equal weights after each average and
    whenever `Trainer.advance` returns. Steps are counted from `first_step`, the model's `n_steps` when the call began.
    """

    sum_gradient = None

    def __init__(self, processes: Processes, every: int, first_step: int, batch_size: int) -> None:
        self._processes, self._every, self._first_step = processes, every, first_step
        self._weight = len(processes.own(batch_size))
        self.own, self.decided, self.everywhere = processes.own, processes.from_first, processes.all

    def parts(self, n_steps: int, rates: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
        """Yield the rates up to each average."""
        end = self._every - (n_steps - self._first_step) % self._every
        while len(rates):
            yield rates[:end]
            rates, end = rates[end:], self._every

    def average(self, cursor: core.Cursor, arrays: Sequence[Array]) -> bool:
        """Average the arrays and the losses; if a process has diverged, the cursor gets its step and loss instead."""
        losses = cursor.smooth_loss, cursor.last_loss, cursor.gradient_norm
        reports = self._processes.gathered((cursor.diverged, cursor.n_steps, self._weight, losses))
        diverged = [(step, last_loss) for bad, step, _, (_, last_loss, _) in reports if bad]
        if diverged:
            cursor.diverged, (cursor.n_steps, cursor.last_loss) = True, min(diverged)
            return False
        weights = [weight for _, _, weight, _ in reports]
        for array in arrays:
            self._processes.average(array, weights)
        columns = zip(*(of_process for _, _, _, of_process in reports), strict=True)
        cursor.smooth_loss, cursor.last_loss, cursor.gradient_norm = (_mean(column, weights) for column in columns)
        return True


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
