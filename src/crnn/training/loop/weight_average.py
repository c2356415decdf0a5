"""WeightAverage: the mean of the weights over the last part of a call of training, kept while it goes on."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import NDArray

from ...model.state import WEIGHT_AVERAGE, ModelState
from ...runtime.deferred_signals import signals_deferred

__all__ = ["WeightAverage"]

STEPS = 32  # between two updates, at most: weights change little meanwhile, and an update of all takes time
FIRST_PART = 8  # in the beginning there is an update after each eighth of the steps so far


class WeightAverage:
    """Weights averaged over the steps of a call of training, those of older steps counting less and less.

    This is the polynomial-decay averaging of Shamir and Zhang (2013). An update after ``done`` steps, ``gap`` steps
    after the one before, moves the average to the weights by the part ``gap / (gap + share (done - gap))`` of their
    distance. So it reaches back over about ``share`` of the steps, however many there will be.

    Parameters
    ----------
    share : float
        Above 0 and at most 1; 1: all steps count alike.
    first_step : int
        `n_steps` of the model when the call began,
    n_steps : int
        and now.
    params, average : array of shape (layout.size,)
        The average is changed in place.

    Examples
    --------
    >>> import numpy as np
    >>> average = WeightAverage(1.0, 0, 0, np.array([3.0]), np.array([0.0]))
    >>> for step in range(1, 5):
    ...     average.params[0] = step
    ...     average.update(step)
    >>> average.average.tolist()
    [2.5]
    """

    def __init__(
        self, share: float, first_step: int, n_steps: int, params: NDArray[Any], average: NDArray[Any]
    ) -> None:
        self.share, self.first_step, self.params, self.average = share, first_step, params, average
        self._updated = n_steps

    @classmethod
    def of(cls, state: ModelState, share: float, first_step: int) -> Self | None:
        """Return that of a state whose weights are averaged, or None."""
        average = state.optimizer_state.get(WEIGHT_AVERAGE)
        return None if average is None else cls(share, first_step, state.n_steps, state.params, average)

    def steps_left(self, n_steps: int) -> int:
        """Return the number of steps to the next update of a model that has taken `n_steps`."""
        done = n_steps - self.first_step
        gap = _gap(done)
        return gap - done % gap

    def update(self, n_steps: int) -> None:
        """Take in the weights after `n_steps`, if an update is due there that has not been made: Ctrl-C may come."""
        done = n_steps - self.first_step
        gap = _gap(done - 1)
        if done % gap or n_steps == self._updated:
            return
        part = self.params.dtype.type(gap / (gap + self.share * (done - gap)))
        change = part * (self.params - self.average)
        with signals_deferred():
            self.average += change
            self._updated = n_steps

    def restored(self, n_steps: int) -> None:
        """Go on from an average that has been set to that after `n_steps`."""
        self._updated = n_steps


def _gap(done: int) -> int:
    """Return the number of steps from an update after `done` steps to the next; updates are at its multiples.

    Examples
    --------
    >>> [_gap(done) for done in (0, 1, 15, 16, 31, 32, 10_000)]
    [1, 1, 1, 2, 2, 4, 32]
    """
    return min(STEPS, 1 << max((done // FIRST_PART).bit_length() - 1, 0))
