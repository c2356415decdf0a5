"""AdaptiveThreads: the number of threads to use, chosen by the measured time of a step."""

from __future__ import annotations

import math

WORTH = 0.97  # another number of threads must take at most this part of the time, or noise would decide
FIRST_TRIAL = 0.5  # seconds from a decision to the next trial; this time doubles with each trial that changes nothing
LONGEST_TRIAL = 8.0  # seconds from a decision to the next trial, at most
TRIAL_SECONDS = 0.025  # approximate length of a trial: calls may last seconds, and the number tried may be a bad one
MEMORY = 0.5  # weight of the newest measurement in the mean for a number of threads


class AdaptiveThreads:
    """Chooses between 1, 2, 4, … threads and the largest number, by measured seconds per step.

    Work begins with the largest number. The first call is not measured, since it also allocates memory; after the
    second, a call with one thread is tried. From then on the faster number is used, and occasionally a call is tried
    with the next smaller or larger number. Threads that must share their cores with another program thus become fewer,
    and more again when that program ends. `n_threads` may change between any two calls, since the results do not depend
    on it.
    """

    def __init__(self, max_threads: int) -> None:
        self._choices = [n for n in (1 << k for k in range(max_threads.bit_length())) if n < max_threads]
        self._choices.append(max_threads)
        self._seconds: dict[int, float] = {}  # per step, by number of threads
        self._chosen = max_threads
        self._pause = FIRST_TRIAL
        self._next_trial = 0.0
        self._upwards = False  # the direction of the last trial
        self._first = True
        self.n_threads = max_threads

    @property
    def on_trial(self) -> bool:
        """Whether the next call is a trial, which should take few steps."""
        return self.n_threads != self._chosen

    def steps(self, n: int) -> int:
        """Return how many of the next n steps the next call should take: all, or at most half of them in a trial."""
        if not self.on_trial:
            return n
        return min((n + 1) // 2, math.ceil(TRIAL_SECONDS / max(self._seconds[self._chosen], 1e-9)))

    def record(self, seconds_per_step: float, now: float) -> None:
        """Add the time of a step with `n_threads`, and decide on the next call; `now` is in seconds from any fixed
        moment.
        """
        if len(self._choices) == 1 or self._first:
            self._first = False
            return
        used = self.n_threads
        before = self._seconds.get(used)
        if used == self._chosen and before is not None:
            self._seconds[used] = before + MEMORY * (seconds_per_step - before)
        else:
            self._seconds[used] = seconds_per_step  # for a trial, earlier measurements do not count
        if used != self._chosen:
            self._judge(used, now)
        if 1 not in self._seconds:
            self.n_threads = 1
        elif now >= self._next_trial and used == self._chosen:
            self.n_threads = self._neighbor()
        else:
            self.n_threads = self._chosen

    def _judge(self, tried: int, now: float) -> None:
        """Choose the number tried if it is faster; plan the next trial."""
        if self._seconds[tried] < WORTH * self._seconds[self._chosen]:
            self._chosen, self._pause = tried, FIRST_TRIAL
        else:
            self._pause = min(2 * self._pause, LONGEST_TRIAL)
        self._next_trial = now + self._pause

    def _neighbor(self) -> int:
        """Return the next larger or the next smaller number, in turn."""
        i = self._choices.index(self._chosen)
        self._upwards = not self._upwards if 0 < i < len(self._choices) - 1 else i == 0
        return self._choices[i + 1 if self._upwards else i - 1]
