"""RuinWatch: notices that training has ruined a model whose numbers are still finite."""

from __future__ import annotations

import warnings
from typing import Generic, NamedTuple, TypeVar

Snapshot = TypeVar("Snapshot")

UNIFORM_GUESSES = 10  # times the loss of a uniform guess: a model that learns has a lower loss
STEPS = 1000  # in which the loss must come back
WINDOW = 50  # time steps, at least, that a mean loss is of
# Training from bad first weights, or on a few strange symbols, can take a while to come back.
FEW_STEPS = 100  # above the limit: fewer ruin a model only if the loss is extreme,
EXTREME = 1000  # that is, above this number of times the limit
ROUNDING = 4e-16  # of a smoothed loss, relative, at each step


class RuinState(NamedTuple):
    """What a watch has seen; it is replaced as a whole: Ctrl-C may come between any two lines.

    Attributes
    ----------
    step : int
        `n_steps` of the model at the beginning of the window,
    smooth_loss : float
        and its smoothed loss there.
    sound_step : int
        The last step after which the loss was not above the limit.
    above, extreme : bool
        Whether the last mean loss was above the limit, and whether it was extreme.
    warned : bool
        Whether there has been a warning since the loss was last not above the limit.
    factor : float
        Of the losses: see `RuinWatch.see`.
    """

    step: int
    smooth_loss: float
    sound_step: int
    above: bool = False
    extreme: bool = False
    warned: bool = False
    factor: float = 1.0


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
    >>> watch.see(50, 110.0, 112.0, scale=1.0)
    >>> watch.keep("second")
    >>> watch.see(90, 1e20, 1e21, scale=1.0)
    >>> watch.keep("third")
    >>> watch.ruined(100), watch.sound
    (True, 'second')
    """

    def __init__(self, uniform: float, seq_length: int, step: int, smooth_loss: float, snapshot: Snapshot) -> None:
        self._limit = UNIFORM_GUESSES * uniform
        self._window = -(-WINDOW // seq_length)  # steps
        self._first_step = step
        self.seen = RuinState(step, smooth_loss, sound_step=step)
        self.sound = snapshot  # the newest one after which the loss was not above the limit

    def go_on(self, first_step: int, seen: RuinState, sound: Snapshot | None) -> None:
        """Go on as the watch of an interrupted call, which began at `first_step`.

        Parameters
        ----------
        first_step : int
        seen : RuinState
        sound : object or None
            Its sound snapshot. None: that of the moment of the interruption, at which the loss was not above the limit.
        """
        self._first_step, self.seen = first_step, seen
        if sound is not None:
            self.sound = sound

    def see(self, step: int, smooth_loss: float, last_loss: float, scale: float) -> None:
        """Take notice of the loss after some steps.

        Parameters
        ----------
        step : int
        smooth_loss : float
        last_loss : float
            That of the last step, for as many symbols. It decides where the smoothed loss is so large, after violent
            first weights, that the mean loss is lost in its rounding.
        scale : float
            The largest factor by which a loss has been multiplied: see `sample_weight`.
        """
        before, factor = self.seen, max(self.seen.factor, scale)
        n = step - before.step
        if n < min(self._window, max(1, before.step - self._first_step)):
            self.seen = before._replace(factor=factor)
            return
        # The smoothed loss forgets 0.001 with each step; what it has taken in is the mean of the losses.
        kept = 0.999**n
        mean = (smooth_loss - kept * before.smooth_loss) / (1 - kept)
        rounding = n * ROUNDING * before.smooth_loss / (1 - kept)
        limit = self._limit * factor
        if abs(mean - limit) <= rounding:
            mean = last_loss
        above, extreme = mean > limit, mean > EXTREME * limit
        sound_step = before.sound_step if above else step
        too_long = step - sound_step >= STEPS
        warned = (above and before.warned) or too_long
        self.seen = RuinState(step, smooth_loss, sound_step, above, extreme, warned, factor)
        if warned and not before.warned:
            warnings.warn(
                f"the loss has been more than {UNIFORM_GUESSES} times that of a uniform guess since step "
                f"{sound_step}: the model is being ruined; lower learning_rate or clip",
                RuntimeWarning,
                stacklevel=2,
            )

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot unless the loss is above the limit."""
        if not self.seen.above:
            self.sound = snapshot

    def ruined(self, step: int) -> bool:
        """Say whether a call that ends at this step has ruined the model."""
        above = step - self.seen.sound_step
        enough = above >= FEW_STEPS or self.seen.extreme
        return self.seen.above and enough and above >= min(STEPS, (step - self._first_step) / 2)
