"""Validation: when a held-out text is scored during training, and its loss."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..arrays import Array
from ..inference.network import Use
from ..inference.packed_network import PackedNetwork
from ..model.layout import Layout
from ..parameters.budget import Budget
from ..parameters.intervals import Interval
from ..scoring.limits import ScoringLimits
from ..scoring.text_scores import cuts, parallel_log_likelihood
from ..text.documents import n_unpredicted
from ..text.vocabulary import Ids
from .checkpoints import ValidationState

DEFAULT_EVALUATIONS = 20  # approximate number per training call by default
VALIDATION_TIME_SHARE = 0.05  # of the time; fewer evaluations are made if they would take more
# Training passes over a symbol forward, backward and for the weights' gradients; scoring only forward.
PASSES_PER_TRAINED_SYMBOL = 3
# Parts of the text, read in parallel, and the symbols read before each to find its hidden state.
LIMITS = ScoringLimits(max_parts=32, warm_up=512)
MIN_ROWS = 8  # fewer streams take hardly less time, since all weights must be read anyway


class Validation:
    """The loss of a held-out text during one training call.

    If training is limited by steps, the times of evaluation do not depend on the clock, so that every run finds the
    same best weights. `chunk` is T and B in training. `interval` is the distance between evaluations; if it is not
    given, there are about 20, fewer if they cost too much.
    """

    def __init__(
        self,
        ids: Ids,
        budget: Budget,
        chunk: tuple[int, int],
        *,
        interval: Interval,
        patience: int | None,
        n_threads: int | None,
        boundary: int | None = None,
        bfloat16: bool = False,
        state: ValidationState | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._clock = clock
        self._bfloat16 = bfloat16
        self._ids = ids
        self._budget = budget
        self._n_threads = n_threads
        self._boundary = boundary
        self._patience = math.inf if patience is None else patience
        # An estimate, in training steps.
        self._cost_in_steps = _rows(*shape_of(len(ids))) / (PASSES_PER_TRAINED_SYMBOL * _rows(*chunk))
        self.state = ValidationState() if state is None else state
        self._every_seconds = interval.seconds
        self.every_steps = interval.steps
        if interval == Interval() and budget.seconds is None and budget.n_steps:
            affordable = int(VALIDATION_TIME_SHARE * budget.n_steps / self._cost_in_steps)
            self.every_steps = -(-budget.n_steps // max(1, min(DEFAULT_EVALUATIONS, affordable)))

    def due(self, done: int, seconds: float, seconds_per_step: float) -> bool:
        """Return whether an evaluation is due and there is time for it, after `done` steps of this call."""
        cost = self._cost_in_steps * seconds_per_step if self.state.cost is None else self.state.cost
        total = self._budget.seconds
        if total is not None and seconds + cost > total:
            return False  # the loss is measured at the end anyway
        if self.every_steps is not None:
            return done % self.every_steps == 0
        every = self._every_seconds
        if every is None:
            every = max((total or math.inf) / DEFAULT_EVALUATIONS, cost / VALIDATION_TIME_SHARE)
        return seconds - self.state.last_seconds >= every

    def measure(self, layout: Layout, params: Array, done: int, seconds: float) -> tuple[float, bool]:
        """Return the loss in nats per symbol, and whether it is the lowest so far."""
        start = self._clock()
        loss = evaluate(layout, params, self._ids, self._n_threads, self._boundary, bfloat16=self._bfloat16)
        cost = self._clock() - start
        improved = loss < self.state.best_loss
        since_best = 0 if improved else self.state.since_best + 1
        self.state = ValidationState(min(loss, self.state.best_loss), since_best, done, seconds + cost, cost)
        return loss, improved

    @property
    def exhausted(self) -> bool:
        """Whether the last `patience` evaluations found no new best."""
        return self.state.since_best >= self._patience


def _rows(steps: int, streams: int) -> int:
    """Return the cost of reading streams for some time steps, in rows of a product, to compare it with training."""
    return steps * max(streams, MIN_ROWS)


def evaluate(
    layout: Layout,
    params: Array,
    ids: Ids,
    n_threads: int | None,
    boundary: int | None = None,
    *,
    bfloat16: bool = False,
) -> float:
    """Return the mean of -ln P per symbol of a text or of packed documents, whose ends count as symbols.

    A text of 4096 symbols or more is cut into up to 32 parts, which are read in parallel. Each part but the first
    finds its hidden state by reading the 512 symbols before it, so the influence of earlier symbols is neglected.
    """
    network = PackedNetwork.pack(layout, params, use=Use.MANY_STREAMS, boundary=boundary, bfloat16=bfloat16)
    n_read = n_unpredicted(boundary)
    log_p = parallel_log_likelihood(network, ids, n_threads, given=n_read, limits=LIMITS)
    return -log_p / (len(ids) - n_read)


def shape_of(n: int) -> tuple[int, int]:
    """Return the numbers of time steps and streams for reading a text of n symbols."""
    parts = cuts(n, LIMITS)
    return (n, 1) if len(parts) == 1 else (len(parts[-1]) + LIMITS.warm_up, len(parts))
