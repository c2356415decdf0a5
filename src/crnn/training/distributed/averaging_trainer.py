"""AveragingTrainer: a trainer in one of several processes that train independently and average their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.state import ModelState
from ...parameters.checks import checked_int
from ...text.streams.protocol import Streams
from ..loop.step_settings import StepSettings
from .joint_trainer import JointTrainer
from .processes import Processes

MAX_AVERAGE_EVERY = 10**6


def checked_average_every(value: Any) -> int:
    """Return the number of steps between two averages, or raise `InvalidInputError`.

    Examples
    --------
    >>> checked_average_every(0)
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: average_every must be a whole number of at least 1, not 0
    """
    return checked_int("average_every", value, 1, MAX_AVERAGE_EVERY)


class AveragingTrainer(JointTrainer):
    """A trainer that takes several steps on its own streams, then averages with all processes.

    Parameters and optimizer state are averaged, each process weighted by its number of streams. All processes have
    bitwise equal weights after each average and whenever `advance` returns. Dropout differs between processes. Steps
    between averages are counted from `first_step`, the model's `n_steps` when the call began. The streams cover all
    processes.
    """

    def __init__(
        self,
        processes: Processes,
        average_every: int,
        first_step: int,
        state: ModelState,
        streams: Streams,
        settings: StepSettings,
        **options: Any,
    ) -> None:
        self._average_every, self._first_step = average_every, first_step
        settings = replace(settings, dropout_seed=(settings.dropout_seed + processes.rank) % 2**63)
        super().__init__(processes, state, streams, settings, reduce=None, **options)
        self._weight = len(processes.own(streams.batch_size))

    def _take_steps(self, rates: NDArray[np.float64]) -> None:
        every = self._average_every
        while len(rates) and not self.cursor.diverged:
            n = every - (self.cursor.n_steps - self._first_step) % every
            super()._take_steps(rates[:n])
            self._average()
            rates = rates[n:]

    def _average(self) -> None:
        """Average the processes' models, unless a process has diverged."""
        cursor = self.cursor
        losses = cursor.smooth_loss, cursor.last_loss, cursor.gradient_norm
        found = self._processes.gathered((cursor.diverged, cursor.n_steps, self._weight, losses))
        diverged = [(step, of_process[1]) for bad, step, _, of_process in found if bad]
        if diverged:
            cursor.diverged, (cursor.n_steps, cursor.last_loss) = True, min(diverged)
            return
        weights = [weight for _, _, weight, _ in found]
        for array in (self.params, *self.optimizer_state):
            self._processes.average(array, weights)
        columns = zip(*(of_process for _, _, _, of_process in found), strict=True)
        cursor.smooth_loss, cursor.last_loss, cursor.gradient_norm = (_mean(column, weights) for column in columns)
        self.state.smooth_loss = cursor.smooth_loss
        self._load_arrays()


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
