"""Training: one call of `fit` or `partial_fit`, look by look: rates, records, validation, callbacks."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..model.state import state_of, states
from ..settings import Settings
from ..text.document_streams import DocumentStreams
from ..text.streams import Streams
from ..text.text_streams import TextStreams
from ..text.vocabulary import Vocabulary
from .budget import Budget
from .progress import Progress
from .schedule import Schedule
from .trainer import Trainer, threads_for
from .validation import Validation

if TYPE_CHECKING:
    from ..char_rnn import CharRNN

LOOK_SECONDS = 0.05  # between two looks at the clock, for progress, Ctrl-C, records and stopping
GROWTH = 10  # from one look to the next the steps between them grow at most so many times: the first are slow and few
HISTORY_LENGTH = 200  # most records of one call of so many steps; as a rule one for each 100 steps, at least 20
HISTORY_PART = 1 / 100  # of the time, between two records of a call of so many seconds

_training: dict[int, object] = {}  # the call that is training a model, by the model's id


class Training:
    """One call of training: makes `learned` the model's, and trains it.

    Nothing is done in Python for each step, only for each look, about every 50 ms.

    Parameters
    ----------
    model : CharRNN
        It is as it was until `run` is called.
    learned : dict
        Attributes of the model, as `learned` makes them.
    settings : Settings
    streams : Streams
        The text, or the documents.
    budget : Budget
        How long.
    validation_ids : array or None
        The text whose loss is measured now and then.
    start : float
        When the call began, by `time.perf_counter`.
    """

    def __init__(
        self,
        model: CharRNN,
        learned: dict[str, Any],
        settings: Settings,
        streams: Streams,
        budget: Budget,
        validation_ids: NDArray[Any] | None,
        start: float,
    ) -> None:
        self._model, self._learned, self._settings = model, learned, settings
        self._budget, self._start = budget, start
        self._first_step: int = learned["n_steps_"]
        self._per_epoch = streams.steps_per_epoch
        self._chars_per_step = streams.seq_length * streams.batch_size
        self._schedule = Schedule(settings.schedule, settings.learning_rate, settings.warmup)
        self._trainer = _trainer(learned, settings, streams)
        self._validation: Validation | None = None
        if validation_ids is not None:
            self._validation = Validation(
                validation_ids,
                budget,
                (streams.seq_length, streams.batch_size),
                every=settings.eval_every,
                patience=settings.patience,
                n_threads=settings.n_threads,
                boundary=learned["vocabulary_"].boundary,
            )
        self._best: dict[str, Any] = {}  # attributes of the model at its best, where it has become worse since
        self._every: int | None = None  # steps between two records
        if budget.seconds is None:
            n_steps = budget.n_steps or 0
            self._every = max(min(-(-n_steps // 20), 100), n_steps // HISTORY_LENGTH, 1)
        self._steps_per_look = 1
        self._seconds_per_step = 0.0  # of the last look; not known yet
        self._rate = settings.learning_rate  # of the last step
        self._recorded = (self._first_step, learned["smooth_loss_"], 0.0)  # step, smoothed loss and time of a record
        self._stopped = False

    def run(self) -> None:
        """Train to the end of the budget, or until patience or a callback ends it.

        However it ends, the model is left as it was after the last complete update, or, where the best weights are
        kept, as it was when the validation loss was lowest.
        """
        vars(self._model).update(self._learned)
        with Progress(self._model, self._budget, self._chars_per_step) as self._progress:
            try:
                with self._trainer:
                    self._steps()
            finally:
                self._store()
                vars(self._model).update(self._best)  # at one stroke: a second Ctrl-C comes before or after it

    def _steps(self) -> None:
        while not self._stopped and (n := self._steps_to_look()):
            start = time.perf_counter()
            rates = self._rates(n)
            self._trainer.advance(rates)
            self._rate = float(rates[-1])
            self._seconds_per_step = (time.perf_counter() - start) / n
            wanted = round(LOOK_SECONDS / max(self._seconds_per_step, 1e-9))
            self._steps_per_look = max(1, min(wanted, GROWTH * self._steps_per_look))
            self._look()
        self._trainer.finish()
        if self._validation and self._done and not self._validation.measured(self._done):  # a callback has stopped it
            self._last_record["validation_loss"] = self._validate(self._validation, over=True)

    # ------------------------------------------------------------------ a look

    def _look(self) -> None:
        """Look at what has been reached, and record, measure and show what is due."""
        self._store()
        done, seconds = self._done, self._seconds
        over = not self._steps_left()
        if over:
            self._trainer.finish()
        loss: float | None = None
        validation = self._validation
        if validation and (over or validation.due(done, seconds, self._seconds_per_step)):
            loss = self._validate(validation, over=over)
            self._stopped = validation.exhausted
        self._progress.show(done, self._model.smooth_loss_ / self._settings.seq_length, loss)
        if over or loss is not None or self._record_due(done, seconds):
            record = self._record(loss)
            for callback in self._settings.callbacks:
                answer = callback(self._model, record)
                self._stopped |= isinstance(answer, bool | np.bool_) and bool(answer)
            if self._settings.callbacks:
                self._trainer.go_on_from_arrays()  # it may have written to weights or states

    def _validate(self, validation: Validation, *, over: bool) -> float:
        """Return the validation loss, and keep the weights if they are the best."""
        trainer, learned = self._trainer, self._learned
        loss, improved = validation.measure(trainer.layout, trainer.params, self._done, self._seconds)
        if improved and self._settings.restore_best:
            self._best = {}
            if not over:
                kept = trainer.copy()
                self._best = {
                    "_params": kept.params,
                    "_memory": dict(zip(learned["_memory"], kept.memory, strict=True)),
                    "state_": state_of(kept.states),
                    "n_steps_": kept.cursor.n_steps,
                    "smooth_loss_": kept.cursor.smooth_loss,
                }
        return loss

    def _record(self, validation_loss: float | None) -> dict[str, Any]:
        model, cursor, seconds = self._model, self._trainer.cursor, self._seconds
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
        model.history_.append(record)
        self._last_record = record
        return record

    def _record_due(self, done: int, seconds: float) -> bool:
        if self._every is not None:
            return done % self._every == 0
        return seconds - self._recorded[2] >= HISTORY_PART * (self._budget.seconds or 0.0)

    def _store(self) -> None:
        cursor = self._trainer.cursor
        self._model.n_steps_, self._model.smooth_loss_ = cursor.n_steps, cursor.smooth_loss

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

    def _steps_to_look(self) -> int:
        """Return how many steps to take before the next look; 0 at the end."""
        left, done = self._steps_left(), self._done
        n = min(left, self._steps_per_look)
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


@contextmanager
def training_alone(model: CharRNN) -> Iterator[None]:
    """Hold that a model is being trained, which it can be by one call at a time.

    Raises
    ------
    InvalidInputError
        If another call, of a callback or of another thread, is training it.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=4)
    >>> with training_alone(model):
    ...     model.fit("abab")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: this model is being trained by another call: wait for its end, or train a copy
    """
    call = object()
    try:  # from here on, since Ctrl-C may come between any two steps
        if _training.setdefault(id(model), call) is not call:
            raise InvalidInputError("this model is being trained by another call: wait for its end, or train a copy")
        yield
    finally:
        if _training.get(id(model)) is call:
            del _training[id(model)]


def streams_for(
    ids: NDArray[Any], vocabulary: Vocabulary, settings: Settings, rng: np.random.Generator, n_steps: int
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
    """
    if vocabulary.boundary is None:
        return TextStreams(ids, settings.batch_size, settings.seq_length)
    seed = int(copy.deepcopy(rng).integers(2**63))
    order = np.random.default_rng([seed, n_steps])
    return DocumentStreams(ids, vocabulary.boundary, settings.batch_size, settings.seq_length, rng=order)


def _trainer(learned: dict[str, Any], settings: Settings, streams: Streams) -> Trainer:
    # The seed of the dropout comes from a copy of the generator: a run that is cut in two goes on with the same one.
    rng = copy.deepcopy(learned["_rng"])
    return Trainer(
        learned["_layout"],
        learned["_params"],
        list(learned["_memory"].values()),
        states(learned["state_"]),
        streams,
        seq_length=settings.seq_length,
        n_steps=learned["n_steps_"],
        smooth_loss=learned["smooth_loss_"],
        optimizer=settings.optimizer,
        optimizer_start=learned["_optimizer_start"],
        clip=settings.clip,
        clip_norm=settings.clip_norm,
        weight_decay=settings.weight_decay,
        beta_1=settings.beta_1,
        beta_2=settings.beta_2,
        dropout=settings.dropout,
        weight_dropout=settings.weight_dropout,
        dropout_seed=int(rng.integers(2**63)),
        n_threads=threads_for(learned["_layout"], streams, settings.n_threads),
        boundary=learned["vocabulary_"].boundary,
    )
