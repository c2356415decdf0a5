"""TrainingRun: one call of training: rates, records, validation, callbacks and checkpoints at each poll."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display.progress import Progress
from ..errors import DivergenceError, InvalidInputError
from ..model.draft import ExclusiveUse
from ..model.state import ModelState
from ..parameters.intervals import Interval
from ..parameters.schedules import WarmUp, learning_rates
from .checkpoints import (
    DIVERGED,
    FINISHED,
    RUNNING,
    CheckpointWriter,
    PollState,
    RunState,
    ValidationState,
)
from .plan import TrainingPlan
from .processes import Processes
from .team import threads_for
from .trainer import JointTrainer, SmoothedLoss, StepSettings, Trainer
from .validation import Validation

POLL_SECONDS = 0.05  # between two polls, for progress, Ctrl-C, records and stopping
MAX_POLL_GROWTH = 10  # maximum growth of the steps from one poll to the next: the first steps are slow
HISTORY_LENGTH = 200  # maximum records of a call limited by steps; usually one per 100 steps, at least 20
HISTORY_PART = 1 / 100  # of the time between two records of a call limited by seconds


class TrainingRun:
    """One call of training: trains a model state in place until a budget, a callback or `stop` ends it.

    Python code runs once per poll, about every 50 ms, never per step. With several processes, rank 0 decides for all.
    `sample` returns the samples that ``verbose=2`` shows.
    """

    def __init__(
        self, plan: TrainingPlan, model: object, stop: ExclusiveUse, sample: Callable[[], Iterable[str | bytes]]
    ) -> None:
        state = plan.state
        settings = plan.settings
        streams = plan.streams
        resumed = plan.resumed
        self.state = state
        self._plan = plan
        self._settings = settings
        self._budget = plan.budget
        self._stop = stop
        self._writer = plan.writer
        self._processes = plan.processes
        self._callbacks = [partial(callback, model) for callback in settings.callbacks]
        self._first_step = state.n_steps if resumed is None else resumed.first_step
        self._per_epoch = streams.steps_per_epoch
        self._chars_per_step = streams.seq_length * streams.batch_size
        self._progress = Progress(
            plan.budget,
            self._chars_per_step,
            verbose=settings.verbose,
            summary=plan.summary,
            sample=sample,
            elapsed=0.0 if resumed is None else resumed.seconds,
        )
        self._step_settings = StepSettings.of(settings, state.rng)
        if resumed is not None:
            self._step_settings = replace(self._step_settings, dropout_seed=resumed.dropout_seed)
            try:
                streams.position = resumed.position
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise InvalidInputError(f"the stored position does not fit this text: {error}") from None
        self._trainer = self._new_trainer()
        self._driver = JointTrainer(self._trainer, plan.processes) if plan.processes else self._trainer
        self._polled = PollState(
            step=0,
            recorded_step=state.n_steps,
            recorded_loss=state.smooth_loss,
            recorded_seconds=0.0,
            stopped=False,
            validation=ValidationState(),
        )
        self._best: ModelState | None = None  # a snapshot at the lowest validation loss, if training continued since
        if resumed is not None:
            self._polled = resumed.polled
            if not plan.processes or plan.processes.rank == 0:  # which sends it to the others
                self._best = resumed.best
            self._trainer.cursor.last_loss = resumed.last_loss
            self._trainer.cursor.gradient_norm = resumed.gradient_norm
        self._history_length = len(state.history)  # at the last poll
        self._validation = self._new_validation()
        self._record_every: int | None = None  # steps between two records
        if plan.budget.seconds is None:
            n_steps = plan.budget.n_steps or 0
            self._record_every = max(min(-(-n_steps // 20), 100), n_steps // HISTORY_LENGTH, 1)
        self._steps_per_poll = 1
        self._seconds_per_step = 0.0  # since the last poll; unknown at first
        self._recorded = SmoothedLoss(self._polled.recorded_step, self._polled.recorded_loss)
        self._recorded_seconds = self._polled.recorded_seconds
        self._stopped = self._polled.stopped
        self._newest_record: dict[str, Any] = state.history[-1] if state.history else {}

    def _new_trainer(self) -> Trainer:
        """Return the trainer; an error of one of several processes, such as too little memory, is raised in all."""
        plan = self._plan
        settings = self._step_settings
        make = partial(
            Trainer,
            plan.state,
            plan.streams,
            settings,
            n_threads=threads_for(plan.state.layout, plan.streams, plan.settings.n_threads, bfloat16=settings.bfloat16),
            adaptive=plan.settings.n_threads is None,
            block_step=None if plan.resumed is None else plan.resumed.block_step,
            processes=plan.processes,
        )
        return plan.processes.call_in_all(make) if plan.processes else make()

    def _new_validation(self) -> Validation | None:
        """Set up the measurement of the validation loss, if there is a validation text."""
        plan = self._plan
        if plan.validation_ids is None:
            return None
        return Validation(
            plan.validation_ids,
            self._budget,
            (plan.streams.seq_length, plan.streams.batch_size),
            interval=Interval(self._settings.eval_every, self._settings.eval_seconds),
            patience=self._settings.patience,
            n_threads=self._settings.n_threads,
            boundary=self.state.vocabulary.boundary,
            bfloat16=self._step_settings.bfloat16,
            state=self._polled.validation,
        )

    def run(self) -> None:
        """Train; however it ends, the state, and a checkpoint if any, are those after the last complete update."""
        outcome = RUNNING
        try:
            with self._progress, self._driver:
                if self._processes and self._processes.rank:
                    assert isinstance(self._driver, JointTrainer)
                    self._driver.follow()
                else:
                    self._begin()
                    while not self._stopped and (n := self._steps_to_poll()):
                        start = time.perf_counter()
                        rates = self._rates(self._done, n)
                        self._driver.advance(rates)
                        self._rate = float(rates[-1])
                        self._seconds_per_step = (time.perf_counter() - start) / n
                        steps = round(POLL_SECONDS / max(self._seconds_per_step, 1e-9))
                        self._steps_per_poll = max(1, min(steps, MAX_POLL_GROWTH * self._steps_per_poll))
                        self._poll()
                        self._write_checkpoint_if_due()
                    self._end()
            if self._processes:
                self._share_final_state(self._processes)
            outcome = FINISHED
        except DivergenceError:
            outcome = DIVERGED
            raise
        finally:
            try:
                if self._writer:
                    self._write_last_checkpoint(self._writer, outcome)
            finally:
                self._trainer.close()

    def _share_final_state(self, processes: Processes) -> None:
        """Send the state that rank 0 keeps to every process."""
        final = self.final_state
        state = self.state
        learned = final.params, final.optimizer_state, final.hidden, final.n_steps, final.smooth_loss, final.history
        *arrays, n_steps, smooth_loss, history = processes.from_first(learned)
        if processes.rank:
            state.overwrite(*arrays)
            state.n_steps = n_steps
            state.smooth_loss = smooth_loss
            state.history = history

    @property
    def final_state(self) -> ModelState:
        """The state that the model will keep: now or, if its validation loss was lower, an earlier snapshot."""
        if self._best is None:
            return self.state
        return replace(self._best, history=self.state.history, rng=self.state.rng)

    def _begin(self) -> None:
        """Begin counting toward a checkpoint, and repeat a poll interrupted after its steps."""
        if self._writer:
            self._writer.begin(self._done, self._seconds)
        if self._done > self._polled.step:
            self._rate = float(self._rates(self._done - 1, 1)[-1])
            self._poll()

    def _end(self) -> None:
        """Check the last weights, and measure their validation loss if a callback ended training before a poll did."""
        self._driver.finish()
        if self._validation and self._done and self._validation.state.last_step != self._done:
            self._newest_record["validation_loss"] = self._validate(self._validation, over=True)

    # ------------------------------------------------------------------ a poll

    def _poll(self) -> None:
        """Do all recording, measuring and reporting due after the steps so far."""
        done = self._done
        seconds = self._seconds
        over = not self._steps_left()
        if over:
            self._driver.finish()
        loss: float | None = None
        validation = self._validation
        if validation:
            validation.state = self._polled.validation  # an interrupted poll is repeated
        if validation and (over or validation.due(done, seconds, self._seconds_per_step)):
            loss = self._validate(validation, over=over)
            self._stopped = validation.exhausted
        shown_as_ended = over or self._stopped
        self._show_progress(loss, ended=shown_as_ended)
        if over or loss is not None or self._record_due(done, seconds):
            record = self._record(loss)
            changes = self.state.gate.changes
            for callback in self._callbacks:
                answer = callback(record)
                self._stopped |= isinstance(answer, bool | np.bool_) and bool(answer)
            if self.state.gate.changes != changes:  # a callback has edited the model
                self._driver.resume_from_arrays()
        self._stopped |= self._stop.stopped
        if self._stopped and not shown_as_ended:
            self._show_progress(None, ended=True)
        self._history_length = len(self.state.history)
        measured = validation.state if validation else ValidationState()
        self._polled = PollState(done, *self._recorded, self._recorded_seconds, self._stopped, measured)

    def _show_progress(self, validation_loss: float | None, *, ended: bool) -> None:
        loss = self.state.smooth_loss / self._settings.seq_length
        self._progress.show(self._done, loss, validation_loss, ended=ended)

    def _validate(self, validation: Validation, *, over: bool) -> float:
        """Return the validation loss, and keep a snapshot if it is the lowest."""
        loss, improved = validation.measure(self.state.layout, self.state.params, self._done, self._seconds)
        if improved and self._settings.restore_best:
            self._best = None if over else self.state.copy()
        return loss

    def _record(self, validation_loss: float | None) -> dict[str, Any]:
        """Add a record to the history: where training is, the losses since the last record, and the speed."""
        cursor = self._trainer.cursor
        seconds = self._seconds
        before = self._recorded
        self._recorded = self._trainer.smoothed_loss
        self._recorded_seconds = seconds
        train_loss = before.mean_until(self._recorded)
        record = {
            "step": cursor.n_steps,
            "seconds": seconds,
            "epoch": self._done / self._per_epoch,
            "smooth_loss": cursor.smooth_loss / self._settings.seq_length,
            "train_loss": train_loss / self._settings.seq_length,
            "validation_loss": validation_loss,
            "learning_rate": self._rate,
            "gradient_norm": cursor.gradient_norm,
            "chars_per_second": self._done * self._chars_per_step / max(seconds, 1e-9),
        }
        self.state.history.append(record)
        self._newest_record = record
        return record

    def _record_due(self, done: int, seconds: float) -> bool:
        if self._record_every is not None:
            return done % self._record_every == 0
        return seconds - self._recorded_seconds >= HISTORY_PART * (self._budget.seconds or 0.0)

    # -------------------------------------------------------------- checkpoints

    def _write_checkpoint_if_due(self) -> None:
        writer = self._writer
        done = self._done
        if writer and not self._stopped and self._steps_left() and writer.due(done, self._seconds):
            writer.start(self.state.copy(), self._run_state(writer, RUNNING), done)

    def _write_last_checkpoint(self, writer: CheckpointWriter, outcome: str) -> None:
        """Write the finished model, or the progress of an interrupted call."""
        if outcome != RUNNING:
            writer.write_last(self.final_state, self._run_state(writer, outcome))
            return
        if not self._done:
            return
        # Records of an interrupted poll will be made again.
        state = replace(self.state, history=self.state.history[: self._history_length])
        writer.write_last(state, self._run_state(writer, RUNNING))

    def _run_state(self, writer: CheckpointWriter, outcome: str) -> RunState:
        """Gather what a checkpoint needs to continue the run with the same bits."""
        block = self._trainer.block_start
        cursor = self._trainer.cursor
        return RunState(
            outcome=outcome,
            texts=self._plan.texts,
            max_steps=self._budget.n_steps,
            max_seconds=self._budget.seconds,
            first_step=self._first_step,
            dropout_seed=self._step_settings.dropout_seed,
            seconds=self._seconds,
            checkpoint_every=writer.interval.steps,
            checkpoint_seconds=writer.interval.seconds,
            position=block.position,
            block_step=block.n_steps,
            last_loss=cursor.last_loss,
            gradient_norm=cursor.gradient_norm,
            polled=self._polled,
            best=self._best if outcome == RUNNING else None,
            sample_weight=self._plan.sample_weight,
        )

    # ------------------------------------------------------------ steps and time

    @property
    def _done(self) -> int:
        """Steps of this call."""
        return self._trainer.cursor.n_steps - self._first_step

    @property
    def _seconds(self) -> float:
        """Seconds of this call."""
        return time.perf_counter() - self._plan.start

    def _steps_left(self) -> float:
        return self._budget.steps_left(self._done, self._seconds, self._seconds_per_step)

    def _steps_to_poll(self) -> int:
        """Return the number of steps before the next poll; 0 at the end."""
        left = self._steps_left()
        done = self._done
        n = min(left, self._steps_per_poll)
        if self._budget.seconds is not None and left > 1:
            n = min(n, left // 2)  # halving the rest hits the end although the speed varies
        for every in (self._record_every, self._validation.every_steps if self._validation else None):
            if every is not None:
                n = min(n, every - done % every)
        to_checkpoint = self._writer.steps_left(done) if self._writer else None
        return int(n if to_checkpoint is None else min(n, to_checkpoint))

    def _rates(self, done: int, n: int) -> NDArray[np.float64]:
        """Return the learning rates of the next n steps of a call that has taken `done`."""
        progress = self._budget.progress(done, n, self._seconds, self._seconds_per_step)
        epochs = (done + np.arange(n)) / self._per_epoch
        settings = self._settings
        warm_up = WarmUp(settings.warmup_steps, settings.warmup_fraction)
        return learning_rates(settings.schedule, settings.learning_rate, warm_up, done, progress, epochs)
