"""TrainingRun: one call of `fit` or `partial_fit`, poll by poll: rates, records, validation, callbacks."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.state import ModelState
from ..settings import Settings
from ..text.document_streams import DocumentStreams
from ..text.streams import Streams
from ..text.text_streams import TextStreams
from ..text.vocabulary import Vocabulary
from .budget import Budget
from .progress import Progress
from .schedule import Schedule
from .step_settings import StepSettings
from .trainer import Trainer, threads_for
from .validation import Validation

POLL_SECONDS = 0.05  # between two polls, for progress, Ctrl-C, records and stopping
GROWTH = 10  # the steps from one poll to the next grow at most by this factor: the first steps are slow
HISTORY_LENGTH = 200  # at most so many records of a call of so many steps; usually one for each 100 steps, at least 20
HISTORY_PART = 1 / 100  # of the time, between two records of a call of so many seconds


class TrainingRun:
    """One call of training: trains a model state for as long as a budget lasts.

    Python code runs once for each poll, about every 50 ms, never for each step.

    Parameters
    ----------
    state : ModelState
        Trained in place.
    settings : Settings
    streams : Streams
        The text, or the documents.
    budget : Budget
        How long the call lasts.
    validation_ids : array or None
        The text whose loss is measured now and then.
    start : float
        When the call began, by `time.perf_counter`.
    callbacks : sequence of functions
        Each is called with the newest record; True ends the training.
    summary : str
        The line that ``verbose=1`` shows first.
    sample : function
        Returns the samples that ``verbose=2`` shows.
    """

    def __init__(
        self,
        state: ModelState,
        settings: Settings,
        streams: Streams,
        budget: Budget,
        validation_ids: NDArray[Any] | None,
        *,
        start: float,
        callbacks: Sequence[Callable[[dict[str, Any]], Any]],
        summary: str,
        sample: Callable[[], Iterable[str | bytes]],
    ) -> None:
        self._state, self._settings, self._callbacks = state, settings, callbacks
        self._budget, self._start = budget, start
        self._first_step = state.n_steps
        self._per_epoch = streams.steps_per_epoch
        self._chars_per_step = streams.seq_length * streams.batch_size
        self._schedule = Schedule(settings.schedule, settings.learning_rate, settings.warmup)
        self._trainer = Trainer(
            state,
            streams,
            StepSettings.of(settings, state.rng),
            n_threads=threads_for(state.layout, streams, settings.n_threads),
            boundary=state.vocabulary.boundary,
        )
        self._progress = Progress(
            budget, self._chars_per_step, verbose=settings.verbose, summary=summary, sample=sample
        )
        self._validation: Validation | None = None
        if validation_ids is not None:
            self._validation = Validation(
                validation_ids,
                budget,
                (streams.seq_length, streams.batch_size),
                every=settings.eval_every,
                patience=settings.patience,
                n_threads=settings.n_threads,
                boundary=state.vocabulary.boundary,
            )
        self._best: ModelState | None = None  # a snapshot at the lowest validation loss, if training went on since
        self._every: int | None = None  # steps between two records
        if budget.seconds is None:
            n_steps = budget.n_steps or 0
            self._every = max(min(-(-n_steps // 20), 100), n_steps // HISTORY_LENGTH, 1)
        self._steps_per_poll = 1
        self._seconds_per_step = 0.0  # since the last poll; not known yet
        self._rate = settings.learning_rate  # of the last step
        self._recorded = (self._first_step, state.smooth_loss, 0.0)  # step, smoothed loss and time of a record
        self._stopped = False

    def run(self) -> None:
        """Train to the end of the budget, or until patience or a callback ends it.

        However it ends, the state is that after the last complete update.
        """
        with self._progress, self._trainer:
            self._steps()

    @property
    def final_state(self) -> ModelState:
        """The state that the model shall keep: with a lower validation loss in the past, the snapshot of then."""
        if self._best is None:
            return self._state
        return replace(self._best, history=self._state.history, rng=self._state.rng)

    def _steps(self) -> None:
        while not self._stopped and (n := self._steps_to_poll()):
            start = time.perf_counter()
            rates = self._rates(n)
            self._trainer.advance(rates)
            self._rate = float(rates[-1])
            self._seconds_per_step = (time.perf_counter() - start) / n
            wanted = round(POLL_SECONDS / max(self._seconds_per_step, 1e-9))
            self._steps_per_poll = max(1, min(wanted, GROWTH * self._steps_per_poll))
            self._poll()
        self._trainer.finish()
        if self._validation and self._done and not self._validation.measured(self._done):  # a callback ended it
            self._last_record["validation_loss"] = self._validate(self._validation, over=True)

    # ------------------------------------------------------------------ a poll

    def _poll(self) -> None:
        """Record, measure and show what is due after the steps so far."""
        done, seconds = self._done, self._seconds
        over = not self._steps_left()
        if over:
            self._trainer.finish()
        loss: float | None = None
        validation = self._validation
        if validation and (over or validation.due(done, seconds, self._seconds_per_step)):
            loss = self._validate(validation, over=over)
            self._stopped = validation.exhausted
        self._progress.show(done, self._state.smooth_loss / self._settings.seq_length, loss)
        if over or loss is not None or self._record_due(done, seconds):
            record = self._record(loss)
            for callback in self._callbacks:
                answer = callback(record)
                self._stopped |= isinstance(answer, bool | np.bool_) and bool(answer)
            if self._callbacks:  # they may have written to the weights or the hidden state, or assigned a new one
                self._state.check(self._settings, same_batch_size=True)
                self._trainer.resume_from_arrays()

    def _validate(self, validation: Validation, *, over: bool) -> float:
        """Return the validation loss, and keep a snapshot if it is the lowest."""
        loss, improved = validation.measure(self._state.layout, self._state.params, self._done, self._seconds)
        if improved and self._settings.restore_best:
            self._best = None if over else self._state.copy()
        return loss

    def _record(self, validation_loss: float | None) -> dict[str, Any]:
        cursor, seconds = self._trainer.cursor, self._seconds
        step, smooth_loss, _ = self._recorded
        # The smoothed loss forgets 0.001 with each step; what it has taken in since the last record is their mean.
        kept = 0.999 ** (cursor.n_steps - step)
        train_loss = (cursor.smooth_loss - kept * smooth_loss) / (1 - kept)
        self._recorded = cursor.n_steps, cursor.smooth_loss, seconds
        record = {
            "step": cursor.n_steps,
            "seconds": seconds,
            "epoch": self._trainer.epoch,
            "smooth_loss": cursor.smooth_loss / self._settings.seq_length,
            "train_loss": train_loss / self._settings.seq_length,
            "validation_loss": validation_loss,
            "learning_rate": self._rate,
            "gradient_norm": cursor.gradient_norm,
            "chars_per_second": self._done * self._chars_per_step / max(seconds, 1e-9),
        }
        self._state.history.append(record)
        self._last_record = record
        return record

    def _record_due(self, done: int, seconds: float) -> bool:
        if self._every is not None:
            return done % self._every == 0
        return seconds - self._recorded[2] >= HISTORY_PART * (self._budget.seconds or 0.0)

    # ------------------------------------------------------------ steps and time

    @property
    def _done(self) -> int:
        """Steps of this call."""
        return self._trainer.cursor.n_steps - self._first_step

    @property
    def _seconds(self) -> float:
        """Seconds of this call."""
        return time.perf_counter() - self._start

    def _steps_left(self) -> float:
        return self._budget.steps_left(self._done, self._seconds, self._seconds_per_step)

    def _steps_to_poll(self) -> int:
        """Return how many steps to take before the next poll; 0 at the end."""
        left, done = self._steps_left(), self._done
        n = min(left, self._steps_per_poll)
        if self._budget.seconds is not None and left > 1:
            n = min(n, left // 2)  # halving what is left hits the end, though the speed is never quite as expected
        for every in (self._every, self._validation.every_steps if self._validation else None):
            if every is not None:
                n = min(n, every - done % every)
        return int(n)

    def _rates(self, n: int) -> NDArray[np.float64]:
        """Return the learning rates of the next n steps."""
        done = self._done
        progress = self._budget.progress(done, n, self._seconds, self._seconds_per_step)
        return self._schedule.rates(done, progress, (done + np.arange(n)) / self._per_epoch)


def streams_for(
    ids: NDArray[Any],
    vocabulary: Vocabulary,
    settings: Settings,
    rng: np.random.Generator,
    n_steps: int,
    weights: NDArray[np.float64] | None = None,
) -> Streams:
    """Return a text, or documents, as the streams that training reads.

    Parameters
    ----------
    ids : array of unsigned integers, shape (N,)
    vocabulary : Vocabulary
        With a boundary the ids are those of documents.
    settings : Settings
    rng : numpy.random.Generator
        The model's: it stays where it is.
    n_steps : int
        Steps that have been taken before: the order of the documents goes on from there.
    weights : array of float, optional
        Of the documents' losses, the first of them those of `ids`; the others are of documents held out.
    """
    if vocabulary.boundary is None:
        return TextStreams(ids, settings.batch_size, settings.seq_length)
    seed = int(copy.deepcopy(rng).integers(2**63))
    order = np.random.default_rng([seed, n_steps])
    if weights is not None:
        weights = weights[: int(np.count_nonzero(ids == vocabulary.boundary)) - 1]
    return DocumentStreams(
        ids, vocabulary.boundary, settings.batch_size, settings.seq_length, rng=order, weights=weights
    )
