"""Progress: what `fit` shows in a terminal, a log file or a notebook."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Self, TextIO

from ..parameters.budget import Budget
from .bars import Display, display_on
from .pace import PACE, Pace
from .terminal import printable, rate_of


class _Shown:
    """What both kinds of progress share: a display on standard error that opens late and may fail.

    An error while writing (a closed pipe, a full disk) ends the display and never the work. `verbose` is 0 for
    nothing, `summary` the line shown first, `pace` how often the display changes.
    """

    def __init__(
        self, verbose: int, summary: str, pace: Pace = PACE, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._verbose = verbose
        self._summary = summary
        self._pace = pace
        self._clock = clock
        self._display: Display | None = None
        self._start = clock()

    def __exit__(self, *exception: object) -> None:
        if self._display is not None:
            self._try(self._display.close)

    def _try(self, action: Callable[..., object], *arguments: Any) -> None:
        """Call a function that writes; stop showing progress once it fails (for a closed stream with ValueError)."""
        try:
            action(*arguments)
        except (OSError, ValueError):
            self._display = None
            self._verbose = 0


class Progress(_Shown):
    """Progress of training a network: loss, bits per character, characters per second and the time left.

    Use it in a `with` statement and call `show` after some steps. `sample` draws the texts that ``verbose=2`` shows
    now and then. `chars_per_step` is T * B; `elapsed` is the seconds before an interruption, if the run is resumed.
    """

    def __init__(
        self,
        budget: Budget,
        chars_per_step: int,
        *,
        verbose: int,
        summary: str,
        sample: Callable[[], Iterable[str | bytes]],
        elapsed: float = 0.0,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(verbose, summary, pace, clock)
        self._budget = budget
        self._chars_per_step = chars_per_step
        self._sample = sample
        self._validation = ""
        self._last_sample = self._start
        self._start -= elapsed

    def __enter__(self) -> Self:
        if self._verbose and sys.stderr is not None:
            self._try(self._open, sys.stderr)
        return self

    def show(self, steps_done: int, loss: float, validation_loss: float | None = None, *, ended: bool = False) -> None:
        """Show the progress of this call; losses are in nats per character. The last validation loss stays visible.

        `ended`: whether training is over, so that the bar is full even if the budget is not used up.
        """
        if self._display is None:
            return
        now = self._clock()
        seconds = now - self._start
        if validation_loss is not None:
            self._validation = f", validation {validation_loss:.3f} nats"
        chars = steps_done * self._chars_per_step
        text = f"{rate_of(chars, seconds)}, loss {loss:.3f} nats, {loss / math.log(2):.3f} bits/char{self._validation}"
        part = 1.0 if ended else self._budget.part_done(steps_done, seconds)
        self._try(self._display.update, part, chars, seconds, text, (loss, validation_loss))
        is_due = now - self._last_sample > self._pace.sample_pause(seconds)
        if self._verbose > 1 and self._display is not None and is_due:
            self._last_sample = now
            shown = "\n".join(map(printable, self._sample()))
            self._try(self._display.write, f"----\n{shown}\n----")

    def _open(self, stream: TextIO) -> None:
        print(self._summary, file=stream, flush=True)
        total = None if self._budget.seconds is not None else (self._budget.n_steps or 0) * self._chars_per_step
        self._display = display_on(stream, total, self._pace)


class CountingProgress(_Shown):
    """Progress of counting: how much of a text has been counted. `show` is the `progress` argument of `Builder`."""

    def __enter__(self) -> Self:
        if self._verbose:
            self.write(self._summary)
        return self

    def write(self, line: str) -> None:
        """Show a line."""
        self._try(lambda: print(line, file=sys.stderr, flush=True))

    def show(self, done: int, total: int) -> None:
        """Show how many symbols have been counted."""
        if self._verbose and sys.stderr is not None:
            self._try(self._update, done, total, sys.stderr)

    def _update(self, done: int, total: int, stream: TextIO) -> None:
        seconds = self._clock() - self._start
        if self._display is None:
            self._display = display_on(stream, total, self._pace)
        self._display.update(done / total, done, seconds, rate_of(done, seconds), (None, None))
