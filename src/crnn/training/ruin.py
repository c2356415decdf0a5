"""RuinWatch: notices that training has ruined a model whose numbers are still finite."""

from __future__ import annotations

import warnings
from typing import Generic, TypeVar

Snapshot = TypeVar("Snapshot")

UNIFORM_GUESSES = 10  # times the loss of a uniform guess: a model that learns has a lower loss
STEPS = 1000  # in which the loss must come back
WINDOW = 50  # time steps, at least, that a mean loss is of
# Training from bad first weights, or on a few strange symbols, can take a while to come back.
FEW_STEPS = 100  # above the limit: fewer ruin a model only if the loss is extreme,
EXTREME = 1000  # that is, above this number of times the limit
ROUNDING = 4e-16  # of a smoothed loss, relative, at each step


class RuinWatch(Generic[Snapshot]):
    """Compares the loss with that of a uniform guess, poll by poll.

    A model is being ruined while its loss is above the limit, as the mean over windows of at least `WINDOW` time steps:
    a single symbol can be guessed by chance. After 1,000 such steps this is a warning. If the loss has not come back
    when training ends, it is divergence; in a call of fewer than 2,000 steps, if that has lasted for half of it. A few
    steps count only with a loss that is extreme.

    Parameters
    ----------
    uniform : float
        The loss of a uniform guess, in the units of the smoothed loss: nats for as many symbols as that refers to.
    seq_length : int
        T.
    step : int
        The step at which the call begins.
    smooth_loss : float
        The smoothed loss then.
    snapshot : object
        The model as it is then.

    Examples
    --------
    >>> watch = RuinWatch(104.4, 25, 0, 104.4, "first")
    >>> watch.see(50, 110.0, scale=1.0)
    >>> watch.keep("second")
    >>> watch.see(90, 1e20, scale=1.0)
    >>> watch.keep("third")
    >>> watch.ruined(100), watch.sound
    (True, 'second')
    """

    def __init__(self, uniform: float, seq_length: int, step: int, smooth_loss: float, snapshot: Snapshot) -> None:
        self._limit = UNIFORM_GUESSES * uniform
        self._window = -(-WINDOW // seq_length)  # steps
        self._begin, self._smooth_loss = step, smooth_loss  # of the window
        self._first_step = self._sound_step = step
        self._above = self._warned = self._extreme = False
        self._factor = 1.0  # of the losses
        self.sound = snapshot  # the newest one after which the loss was not above the limit

    def see(self, step: int, smooth_loss: float, scale: float) -> None:
        """Take notice of the loss after some steps.

        Parameters
        ----------
        step : int
        smooth_loss : float
        scale : float
            The largest factor by which a loss has been multiplied: see `sample_weight`.
        """
        self._factor = max(self._factor, scale)
        n = step - self._begin
        if n < min(self._window, max(1, self._begin - self._first_step)):
            return
        # The smoothed loss forgets 0.001 with each step; what it has taken in is the mean of the losses.
        kept = 0.999**n
        mean = (smooth_loss - kept * self._smooth_loss) / (1 - kept)
        rounding = n * ROUNDING * self._smooth_loss / (1 - kept)
        self._begin, self._smooth_loss = step, smooth_loss
        self._above = mean > self._limit * self._factor + rounding
        self._extreme = mean > EXTREME * self._limit * self._factor
        if not self._above:
            self._sound_step, self._warned = step, False
        elif step - self._sound_step >= STEPS and not self._warned:
            self._warned = True
            warnings.warn(
                f"the loss has been more than {UNIFORM_GUESSES} times that of a uniform guess since step "
                f"{self._sound_step}: the model is being ruined; lower learning_rate or clip",
                RuntimeWarning,
                stacklevel=2,
            )

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot unless the loss is above the limit."""
        if not self._above:
            self.sound = snapshot

    def ruined(self, step: int) -> bool:
        """Say whether a call that ends at this step has ruined the model."""
        above = step - self._sound_step
        enough = above >= FEW_STEPS or self._extreme
        return self._above and enough and above >= min(STEPS, (step - self._first_step) / 2)
