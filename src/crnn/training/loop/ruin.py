"""RuinWatch: notices that training has ruined a model although its numbers are still finite."""

from __future__ import annotations

import warnings
from typing import Generic, NamedTuple, TypeVar

Snapshot = TypeVar("Snapshot")

UNIFORM_GUESSES = 10  # times the loss of a uniform guess: a model that learns stays below
STEPS = 1000  # within which the loss must recover
WINDOW = 50  # minimum time steps averaged in a mean loss
# Training from bad initial weights, or on a few unusual symbols, can take a while to recover.
FEW_STEPS = 100  # above the limit; fewer steps ruin a model only if the loss is extreme,
EXTREME = 1000  # that is, more than this many times the limit
ROUNDING = 4e-16  # relative rounding error of a smoothed loss per step


class RuinState(NamedTuple):
    """The observations of a watch; replaced as a whole, since Ctrl-C may come between any two lines."""

    step: int  # the model's `n_steps` at the beginning of the window
    smooth_loss: float  # the smoothed loss at the beginning of the window
    sound_step: int  # the last step after which the loss was within the limit
    # `above`, `extreme`: whether the last mean loss was above the limit, and whether it was extreme
    above: bool = False
    extreme: bool = False
    warned: bool = False  # whether a warning was given since the loss last was within the limit
    factor: float = 1.0  # the largest factor applied to a loss so far: see `RuinWatch.see`


class RuinWatch(Generic[Snapshot]):
    """Compares the loss with that of a uniform guess at each poll.

    A model is being ruined while its mean loss is above the limit. The mean covers at least `WINDOW` time steps, since
    a single symbol can be guessed by chance. After 1,000 such steps a warning is given. If the loss has not recovered
    when training ends, the call has diverged; in a call of fewer than 2,000 steps, half of them must have been above
    the limit. A handful of steps count only if the loss is extreme.

    Losses are scaled like the smoothed loss: nats for as many symbols.
    """

    def __init__(self, uniform: float, seq_length: int, step: int, smooth_loss: float, snapshot: Snapshot) -> None:
        self._limit = UNIFORM_GUESSES * uniform
        self._window = -(-WINDOW // seq_length)  # steps
        self._first_step = step
        self.seen = RuinState(step, smooth_loss, sound_step=step)
        self.sound = snapshot  # the newest snapshot after which the loss was within the limit

    def go_on(self, first_step: int, seen: RuinState, sound: Snapshot | None) -> None:
        """Continue the watch of an interrupted call, which began at `first_step`.

        Without `sound`, its sound snapshot is the one at the interruption, when the loss was within the limit.
        """
        self._first_step, self.seen = first_step, seen
        if sound is not None:
            self.sound = sound

    def see(self, step: int, smooth_loss: float, last_loss: float, scale: float) -> None:
        """Observe the loss after some steps.

        `last_loss`, of the last step, decides when the smoothed loss is so large, after a bad start, that the mean loss
        is lost in rounding. `scale` is the largest factor applied to a loss: see `sample_weight`.
        """
        before, factor = self.seen, max(self.seen.factor, scale)
        n = step - before.step
        if n < min(self._window, max(1, before.step - self._first_step)):
            self.seen = before._replace(factor=factor)
            return
        # The smoothed loss forgets 0.001 per step; what it has taken in is the mean of the losses.
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
                f"{sound_step}: training is ruining the model. Lower learning_rate or clip.",
                RuntimeWarning,
                stacklevel=2,
            )

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot unless the loss is above the limit."""
        if not self.seen.above:
            self.sound = snapshot

    def ruined(self, step: int) -> bool:
        """Return whether a call that ends at this step has ruined the model."""
        above = step - self.seen.sound_step
        enough = above >= FEW_STEPS or self.seen.extreme
        return self.seen.above and enough and above >= min(STEPS, (step - self._first_step) / 2)
