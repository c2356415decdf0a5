"""Budget: how long a call of training lasts, in steps or in seconds, and how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..settings import MOST_STEPS, Settings


@dataclass(frozen=True)
class Budget:
    """A number of steps, a number of seconds, or both: then whichever comes first.

    Parameters
    ----------
    n_steps : int or None
    seconds : float or None
        From the beginning of the call. One step is taken however short it is.

    Examples
    --------
    >>> Budget(n_steps=100).steps_left(done=30, seconds=7.0, seconds_per_step=0.1)
    70
    >>> Budget(seconds=10.0).steps_left(done=30, seconds=9.8, seconds_per_step=0.1)
    2
    """

    n_steps: int | None = None
    seconds: float | None = None

    @classmethod
    def of_call(cls, settings: Settings, steps_per_epoch: int, sweeps: int, most_sweeps: int | None = None) -> Budget:
        """Return the budget of a call: `max_seconds`, `max_steps` or a number of sweeps.

        Parameters
        ----------
        settings : Settings
        steps_per_epoch : int
            Of the text.
        sweeps : int
            To be made if neither is given.
        most_sweeps : int, optional
            To be made at most if there is no `max_seconds`.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> Budget.of_call(Settings.check(CharRNN(max_steps=50).get_params()), 30, sweeps=1, most_sweeps=1)
        Budget(n_steps=30, seconds=None)
        """
        if settings.max_seconds is not None:
            return cls(settings.max_steps, settings.max_seconds)
        n_steps = int(sweeps) * steps_per_epoch if settings.max_steps is None else settings.max_steps
        return cls(n_steps if most_sweeps is None else min(n_steps, most_sweeps * steps_per_epoch))

    def steps_left(self, done: int, seconds: float, seconds_per_step: float) -> float:
        """Return how many steps may still be taken: a whole number, or infinity.

        Parameters
        ----------
        done : int
            Steps that have been taken.
        seconds : float
            That have gone by.
        seconds_per_step : float
            As it is expected; a step that would end later than it is now early is not taken.
        """
        left = math.inf if self.n_steps is None else self.n_steps - done
        if self.seconds is not None and left > 0:
            in_time = min((self.seconds - seconds) / max(seconds_per_step, 1e-12), MOST_STEPS)
            left = min(left, max(0, round(in_time), 1 if done == 0 else 0))
        return left

    def part_done(self, done: int, seconds: float) -> float:
        """Return which part of it is over, 0 … 1; the seconds tell where there is a number of them.

        Examples
        --------
        >>> Budget(n_steps=8).part_done(done=2, seconds=0.5), Budget(8, 1.0).part_done(done=2, seconds=0.5)
        (0.25, 0.5)
        """
        if self.seconds is not None:
            return min(1.0, seconds / self.seconds)
        return done / self.n_steps if self.n_steps else 0.0

    def progress(self, done: int, n: int, seconds: float, seconds_per_step: float) -> NDArray[Any]:
        """Return the parts that are over before each of the next n steps and after the last one, (n + 1,).

        Without a number of seconds this is a function of the steps alone.
        """
        steps = np.arange(n + 1)
        if self.seconds is not None:
            return (seconds + steps * seconds_per_step) / self.seconds
        return (done + steps) / float(self.n_steps or 1)
