"""RuinWatch: notices that training has ruined a model whose numbers are still finite."""

from __future__ import annotations

import warnings
from typing import Generic, TypeVar

Snapshot = TypeVar("Snapshot")

UNIFORM_GUESSES = 10  # a loss above so many times that of a uniform guess is no longer one of learning
STEPS = 1000  # in which the loss must come back


class RuinWatch(Generic[Snapshot]):
    """Compares the loss with that of a uniform guess, poll by poll.

    A model is being ruined while both its smoothed loss and its last loss are above the limit. After 1,000 such steps
    this is a warning. If the loss has not come back when training ends, it is divergence; in a call of fewer than 2,000
    steps, if that has lasted for half of it.

    Parameters
    ----------
    uniform : float
        The loss of a uniform guess, in nats per chunk.
    step : int
        The step at which the call begins.
    snapshot : object
        The model as it is then.

    Examples
    --------
    >>> watch = RuinWatch(uniform=10.0, step=0, snapshot="first")
    >>> watch.see(50, smooth_loss=11.0, last_loss=10.0, scale=1.0)
    >>> watch.keep("second", last_loss=10.0)
    >>> watch.see(90, smooth_loss=1e20, last_loss=1e20, scale=1.0)
    >>> watch.keep("third", last_loss=1e20)
    >>> watch.ruined(100), watch.sound
    (True, 'second')
    """

    def __init__(self, uniform: float, step: int, snapshot: Snapshot) -> None:
        self._limit, self._first_step, self._sound_step = UNIFORM_GUESSES * uniform, step, step
        self._warned = False
        self._factor = 1.0  # of the losses
        self.sound = snapshot  # the newest one from which training went on with a loss below the limit

    def see(self, step: int, smooth_loss: float, last_loss: float, scale: float) -> None:
        """Take notice of the losses after a step.

        Parameters
        ----------
        step : int
        smooth_loss, last_loss : float
        scale : float
            The largest factor by which a loss has been multiplied: see `sample_weight`.
        """
        self._factor = max(self._factor, scale)
        if not min(smooth_loss, last_loss) > self._limit * self._factor:
            self._sound_step, self._warned = step, False
        elif step - self._sound_step >= STEPS and not self._warned:
            self._warned = True
            warnings.warn(
                f"the loss has been more than {UNIFORM_GUESSES} times that of a uniform guess since step "
                f"{self._sound_step}: the model is being ruined; lower learning_rate or clip",
                RuntimeWarning,
                stacklevel=2,
            )

    def keep(self, snapshot: Snapshot, last_loss: float) -> None:
        """Keep a snapshot if the loss after it was below the limit."""
        if last_loss <= self._limit * self._factor:
            self.sound = snapshot

    def ruined(self, step: int) -> bool:
        """Say whether a call that ends at this step has ruined the model."""
        above = step - self._sound_step
        return above > 0 and above >= min(STEPS, (step - self._first_step) / 2)
