"""WeightAverage: the mean of the weights over the last part of training."""

from __future__ import annotations

from typing import Any, Self

from numpy.typing import NDArray

from ...model.state import WEIGHT_AVERAGE, ModelState
from ...runtime.deferred_signals import signals_deferred

STEPS = 32  # maximum between updates, during which the weights change little; each update takes time
FIRST_PART = 8  # at first, an update follows after each eighth of the steps so far


class WeightAverage:
    """A running average of the weights during training; older steps count less and less.

    This is the polynomial-decay averaging of Shamir and Zhang (2013). An update after ``done`` steps, ``gap`` steps
    after the previous one, moves the average toward the weights by the part ``gap / (gap + share (done - gap))`` of
    their distance. The average thus covers about the last ``share`` of the steps, however many there will be.

    With a share of 1, all steps count alike. `first_step` is the model's `n_steps` when the call began. The `average`
    changes in place.
    """

    def __init__(
        self, share: float, first_step: int, n_steps: int, params: NDArray[Any], average: NDArray[Any]
    ) -> None:
        self.share, self.first_step, self.params, self.average = share, first_step, params, average
        self._updated = n_steps

    @classmethod
    def of(cls, state: ModelState, share: float, first_step: int) -> Self | None:
        """Return the average of a state whose weights are averaged, or None."""
        average = state.optimizer_state.get(WEIGHT_AVERAGE)
        return None if average is None else cls(share, first_step, state.n_steps, state.params, average)

    def steps_left(self, n_steps: int) -> int:
        """Return the number of steps until the next update of a model that has taken `n_steps`."""
        done = n_steps - self.first_step
        gap = _gap(done)
        return gap - done % gap

    def update(self, n_steps: int) -> None:
        """Add the weights after `n_steps` if an update is due and not made yet, as Ctrl-C may have repeated a call."""
        done = n_steps - self.first_step
        gap = _gap(done - 1)
        if done % gap or n_steps == self._updated:
            return
        part = self.params.dtype.type(gap / (gap + self.share * (done - gap)))
        change = part * (self.params - self.average)
        with signals_deferred():
            self.average += change
            self._updated = n_steps


def _gap(done: int) -> int:
    """Return the number of steps between the update after `done` steps and the next; updates are at its multiples."""
    return min(STEPS, 1 << max((done // FIRST_PART).bit_length() - 1, 0))
