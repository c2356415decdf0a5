"""Checkpoints: the state of a training run as plain values and arrays, and the thread that writes it."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..model.state import ModelState
from ..parameters.checks import MAX_SCALE, checked_float, checked_steps
from ..parameters.intervals import Interval, refuse_both
from ..runtime.signals import signals_deferred
from ..text.id_cache import Fingerprint
from ..text.streams import Backlog, DocumentsPosition

# ---------------------------------------------------------------- run state

RUNNING = "running"
FINISHED = "finished"
DIVERGED = "diverged"


class ValidationState(NamedTuple):
    """The results of a call's evaluations so far; each evaluation replaces it as a whole."""

    best_loss: float = math.inf  # the lowest loss; infinity before the first measurement
    since_best: int = 0  # evaluations since then
    last_step: int = -1  # steps of the call at the last evaluation; -1 before the first
    last_seconds: float = 0.0  # time of the call after the last evaluation
    cost: float | None = None  # seconds that the last evaluation took


class PollState(NamedTuple):
    """The outcome of a call's polls so far; each poll replaces it as a whole."""

    step: int  # steps of the call at the last poll. An interrupted poll is repeated.
    recorded_step: int  # the model's `n_steps` at the call's last record
    recorded_loss: float  # the smoothed loss there
    recorded_seconds: float  # of the call
    stopped: bool  # whether patience or a callback has ended training
    validation: ValidationState


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class RunState:
    """A call of `fit` or `partial_fit`: its limits, and its progress at the moment of the model state."""

    outcome: str  # only a running call can be resumed
    texts: dict[str, Fingerprint]  # the text ``X`` and, if given, the text ``validation``
    max_steps: int | None  # the maximum number of steps of the call, over all epochs
    max_seconds: float | None
    first_step: int  # the model's `n_steps` when the call began
    dropout_seed: int  # see `StepSettings`
    seconds: float  # time the call has taken
    checkpoint_every: int | None  # steps between checkpoints; None: they go by seconds
    checkpoint_seconds: float | None
    position: Any  # the streams' position before the current block
    block_step: int  # the model's `n_steps` when the current block began
    last_loss: float  # `last_loss`, `gradient_norm`: values at the last step; NaN if unknown
    gradient_norm: float
    polled: PollState
    best: ModelState | None = None  # the model with the lowest validation loss, if training has continued since
    sample_weight: Array | None = None  # (n,): weights of the documents' losses

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the arrays and the best model, ready for JSON."""
        return {
            **_plain({name: getattr(self, name) for name in _RUN_NUMBERS}),
            "outcome": self.outcome,
            "texts": {name: text._asdict() for name, text in self.texts.items()},
            "position": position_parts(self.position)[0],
            "polled": {**_plain(self.polled._asdict()), "validation": _plain(self.polled.validation._asdict())},
        }

    def arrays(self) -> dict[str, Array]:
        """Return the arrays of a run by the names under which a file stores them."""
        arrays = {f"position.{name}": array for name, array in position_parts(self.position)[1].items()}
        return arrays if self.sample_weight is None else arrays | {_WEIGHTS: self.sample_weight}

    @classmethod
    def from_dict(
        cls, document: Any, arrays: dict[str, Array], state: ModelState, best: ModelState | None = None
    ) -> Self:
        """Return the run described by `to_dict` and `arrays`, checked against the model in the same file."""
        names = {field.name for field in fields(cls)} - {_WEIGHTS, "best"}
        complete = isinstance(document, dict) and document.keys() == names
        _require(complete, f"it must have exactly the fields {', '.join(sorted(names))}")
        _require(document["outcome"] in (RUNNING, FINISHED, DIVERGED), "its outcome is unknown")
        weights = arrays.get(_WEIGHTS)
        places = {name.removeprefix("position."): array for name, array in arrays.items() if name != _WEIGHTS}
        numbers = _numbers(document, _RUN_NUMBERS)
        run = cls(
            outcome=document["outcome"],
            texts=_texts(document["texts"]),
            position=position_from(document["position"], places),
            polled=_poll_state(document["polled"]),
            best=best,
            sample_weight=None if weights is None else _checked_weights(weights),
            **numbers,
        )
        run._check_order(state)
        return run

    def _check_order(self, state: ModelState) -> None:
        """Raise if the counts contradict each other: the loop might never end."""
        _require(self.max_steps is not None or self.max_seconds is not None, "it has no limit")
        if self.outcome == RUNNING:
            done = state.n_steps - self.first_step
            in_order = state.optimizer_start <= self.first_step <= self.block_step <= state.n_steps
            _require(in_order, "its step counts are not in order")
            _require(0 <= self.polled.step <= done, "its last poll comes after its last step")
            _require(self.polled.recorded_step <= state.n_steps, "its last record comes after its last step")
            _require(self.max_steps is None or done <= self.max_steps, "it has taken more than max_steps steps")


_WEIGHTS = "sample_weight"  # an optional array of a RunState
# The numbers of a RunState and its parts: their types, whether None is allowed, and the smallest value.
_NUMBERS: dict[str, tuple[tuple[type, ...], bool, float]] = {
    "max_steps": ((int,), True, 0),
    "max_seconds": ((float, int), True, 0),
    "first_step": ((int,), False, 0),
    "dropout_seed": ((int,), False, 0),
    "seconds": ((float, int), False, 0),
    "checkpoint_every": ((int,), True, 1),
    "checkpoint_seconds": ((float, int), True, 0),
    "block_step": ((int,), False, 0),
    "last_loss": ((float, int), True, -math.inf),
    "gradient_norm": ((float, int), True, -math.inf),
    "step": ((int,), False, 0),
    "recorded_step": ((int,), False, 0),
    "recorded_loss": ((float, int), False, -math.inf),
    "recorded_seconds": ((float, int), False, 0),
    "stopped": ((bool,), False, 0),
    "best_loss": ((float, int), True, -math.inf),
    "since_best": ((int,), False, 0),
    "last_step": ((int,), False, -1),
    "last_seconds": ((float, int), False, 0),
    "cost": ((float, int), True, 0),
}
_RUN_NUMBERS = [field.name for field in fields(RunState) if field.name in _NUMBERS]
_NOT_FINITE = {"last_loss": math.nan, "gradient_norm": math.nan, "best_loss": math.inf}  # stored as None


def _require(condition: bool, fault: str) -> None:
    if not condition:
        raise InvalidInputError(f"its training run cannot be resumed: {fault}")


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(it, float) and not math.isfinite(it) else it for name, it in values.items()}


def _numbers(document: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _number(name, document[name], *_NUMBERS[name]) for name in names}


def _number(name: str, value: Any, types: tuple[type, ...], optional: bool, minimum: float) -> Any:
    if value is None and optional:
        return _NOT_FINITE.get(name)
    good = type(value) in types and minimum <= value and abs(value) < (math.inf if type(value) is float else 2**63)
    _require(good, f"its {name} is {value!r:.40}, but must be a number of at least {minimum}")
    return value if types == (int,) or types == (bool,) else float(value)


def _poll_state(document: Any) -> PollState:
    """Return the outcome of a call's polls from a document, or raise an error if a field is missing."""
    complete = isinstance(document, dict) and document.keys() == set(PollState._fields)
    _require(complete, "its polls are missing or incomplete")
    validation = document["validation"]
    complete = isinstance(validation, dict) and validation.keys() == set(ValidationState._fields)
    _require(complete, "its validation is missing or incomplete")
    numbers = _numbers(document, PollState._fields[:-1])
    return PollState(**numbers, validation=ValidationState(**_numbers(validation, ValidationState._fields)))


def _texts(document: Any) -> dict[str, Fingerprint]:
    """Check the fingerprints of a run's texts in an untrusted document."""
    names = isinstance(document, dict) and "X" in document and document.keys() <= {"X", "validation"}
    _require(names, "it must name the text X, and may name the text validation")
    texts = {}
    for name, text in document.items():
        fault = f"its text {name} has no fingerprint"
        _require(isinstance(text, dict) and text.keys() == set(Fingerprint._fields), fault)
        fingerprint = Fingerprint(**text)
        _require(fingerprint.kind in ("characters", "bytes") and isinstance(fingerprint.sha256, str), fault)
        counts = [fingerprint.symbols, *(() if fingerprint.documents is None else (fingerprint.documents,))]
        _require(all(type(count) is int and count >= 0 for count in counts), fault)
        texts[name] = fingerprint
    return texts


def _checked_weights(array: Array) -> Array:
    fits = array.dtype == np.float64 and array.ndim == 1 and bool(((array >= 0) & (array <= MAX_SCALE)).all())
    _require(fits, f"its sample_weight must be float64 numbers from 0 to {MAX_SCALE:g}")
    return array


# ---------------------------------------------------------------- stream position

MAX_COUNT = 2**63 - 1
MAX_SHUFFLES = 1 << 16  # per position; streams have a handful, and each costs a shuffle


def position_parts(position: int | DocumentsPosition) -> tuple[Any, dict[str, Array]]:
    """Return a position of `TextStreams` or `DocumentStreams` as a JSON value and named arrays."""
    if not isinstance(position, DocumentsPosition):
        return int(position), {}
    arrays = {
        "parts": np.array([len(backlog.numbers) for backlog in position.held], np.int64),
        "begun": np.array([backlog.read for backlog in position.held], np.int64),
        "numbers": np.concatenate([backlog.numbers for backlog in position.held]).astype(np.int64),
    }
    return {"order": position.order, "shuffles": position.shuffles, "read": position.read}, arrays


def position_from(document: Any, arrays: dict[str, Array]) -> Any:
    """Return the position that `position_parts` has taken apart, or raise an InvalidInputError."""
    if isinstance(document, int) and not isinstance(document, bool) and document >= 0 and not arrays:
        return document
    try:
        if document.keys() != {"order", "shuffles", "read"}:
            raise ValueError("it must have exactly the fields order, shuffles and read")
        np.random.PCG64(0).state = document["order"]  # raises if the state is invalid
        shuffles = _count(document["shuffles"], MAX_SHUFFLES)
        read = _count(document["read"])
        return DocumentsPosition(document["order"], _backlogs(arrays), shuffles, read)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"the checkpoint's position is invalid: {error}") from None


def _backlogs(arrays: dict[str, Array]) -> tuple[Backlog, ...]:
    """Return what remains of each stream; how many symbols, the documents will tell."""
    if arrays.keys() != {"parts", "begun", "numbers"}:
        raise ValueError("it must have exactly the arrays parts, begun and numbers")
    parts, begun, numbers = (_row(arrays[name]) for name in ("parts", "begun", "numbers"))
    if len(parts) != len(begun) or not len(parts) or (parts > len(numbers)).any() or parts.sum() != len(numbers):
        raise ValueError("its counts of parts do not add up to the number of parts")
    backlogs = np.split(numbers, np.cumsum(parts)[:-1])
    return tuple(Backlog(backlog.copy(), read, 0) for backlog, read in zip(backlogs, begun.tolist(), strict=True))


def _row(array: Array) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1 or (array < 0).any():
        raise ValueError("its arrays must be one-dimensional int64 arrays of at least 0")
    return array


def _count(value: Any, maximum: int = MAX_COUNT) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{value!r:.40} is not a whole number from 0 to {maximum}")
    return value


# ---------------------------------------------------------------- checkpoint writer


@dataclass(frozen=True)
class CheckpointFile(os.PathLike[str]):
    """The path of a checkpoint that holds more than a network's run, and the function that writes it."""

    path: str
    write: Callable[..., None]  # a state and, by keyword, its run, parameters and path

    def __fspath__(self) -> str:
        """Return the path."""
        return self.path


class CheckpointWriter:
    """Writes checkpoints at intervals of steps or seconds, on a background thread.

    A checkpoint that cannot be written causes a warning: training matters more, and the next write may succeed.
    `write` writes a state and, by keyword, its run. `interval` is the distance between checkpoints.
    """

    def __init__(self, write: Callable[..., None], path: str, interval: Interval) -> None:
        self._write = write
        self._path = path
        self.interval = interval
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._last_step = 0
        self._last_seconds = 0.0

    def begin(self, done: int, seconds: float) -> None:
        """Start counting at this number of steps and seconds of the call."""
        self._last_step = done
        self._last_seconds = seconds

    def steps_left(self, done: int) -> int | None:
        """Return the number of steps until the next checkpoint, or None if checkpoints go by seconds."""
        if self.interval.steps is None:
            return None
        return max(1, self._last_step + self.interval.steps - done)

    def due(self, done: int, seconds: float) -> bool:
        """Return whether a checkpoint is due and the previous one has been written."""
        self._report()
        if self.interval.steps is not None:
            is_due = done - self._last_step >= self.interval.steps
        else:
            assert self.interval.seconds is not None
            is_due = seconds - self._last_seconds >= self.interval.seconds
        writing = self._thread is not None and self._thread.is_alive()
        # A process forked by a callback trains a copy: the file stays its parent's.
        return is_due and not writing and os.getpid() == self._process

    def start(self, state: ModelState, run: RunState, done: int) -> None:
        """Start writing a snapshot, which must not change any more."""
        self.begin(done, run.seconds)
        thread = threading.Thread(target=self._run, args=(state, run), name="crnn-checkpoint")
        self._thread = None
        # Nobody can wait for a thread whose start was interrupted; the system may have run out of threads.
        with signals_deferred(), suppress(RuntimeError):
            thread.start()
            self._thread = thread
        if self._thread is None:
            self._run(state, run)

    def write_last(self, state: ModelState, run: RunState) -> None:
        """Write the model at the end of a call, and wait until it is written."""
        if os.getpid() != self._process:
            return
        self.wait()
        self._run(state, run)
        self._report()

    def wait(self) -> None:
        """Wait until nothing is being written."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, state: ModelState, run: RunState) -> None:
        """Write a checkpoint, and keep the error, if any, for `_report`."""
        # The last update may have made non-finite weights: the next step finds out and returns to the snapshot.
        if not np.isfinite(state.params).all():
            return
        try:
            self._write(state, run=run)
        except Exception as error:
            self._error = error

    def _report(self) -> None:
        error = self._error
        self._error = None
        if error is not None:
            warnings.warn(f"the checkpoint {self._path} was not written: {error}", stacklevel=2)


CHECKPOINT_SECONDS = 60.0  # between checkpoints, unless an interval is given


def checkpoint_interval(every: Any, seconds: Any) -> Interval:
    """Return the checked interval of `checkpoint_every` and `checkpoint_seconds`; neither given means a minute."""
    refuse_both("checkpoint_every", every, "checkpoint_seconds", seconds)
    if every is not None:
        return Interval(steps=checked_steps("checkpoint_every", every, 1, otherwise="checkpoint_seconds"))
    if seconds is not None:
        return Interval(seconds=checked_float("checkpoint_seconds", seconds, above=0.0))
    return Interval(seconds=CHECKPOINT_SECONDS)
