"""CheckpointWriter: writes checkpoints of training to a file in the background."""

from __future__ import annotations

import os
import threading
import warnings
from contextlib import suppress
from typing import Protocol

import numpy as np

from ...errors import InvalidInputError, short_repr
from ...model.state import ModelState
from ...parameters.checks import MAX_STEPS, checked_float, checked_int
from ...runtime.deferred_signals import signals_deferred
from .run_state import RunState


class Write(Protocol):
    """Writes a model and its training run to a file, all or nothing."""

    def __call__(self, state: ModelState, *, run: RunState) -> None:
        """Write them."""


class CheckpointWriter:
    """Writes checkpoints at intervals of steps or seconds, on a background thread.

    Training pauses only while the snapshot is copied. No checkpoint begins while another is being written. A checkpoint
    that cannot be written causes a warning, not an error: training matters more, and the next write may succeed.
    `every` is steps (an int) or seconds (a float) between two checkpoints.
    """

    def __init__(self, write: Write, path: str, every: int | float) -> None:
        self._write, self._path, self.every = write, path, every
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._last_step, self._last_seconds = 0, 0.0

    def begin(self, done: int, seconds: float) -> None:
        """Start counting at this number of steps and seconds of the call."""
        self._last_step, self._last_seconds = done, seconds

    def steps_left(self, done: int) -> int | None:
        """Return the number of steps until the next checkpoint, or None if checkpoints go by seconds."""
        return max(1, self._last_step + self.every - done) if isinstance(self.every, int) else None

    def due(self, done: int, seconds: float) -> bool:
        """Return whether a checkpoint is due and the previous one has been written."""
        self._report()
        if isinstance(self.every, int):
            is_due = done - self._last_step >= self.every
        else:
            is_due = seconds - self._last_seconds >= self.every
        # A process forked by a callback trains a copy: the file stays its parent's.
        return is_due and not self._writing and os.getpid() == self._process

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

    @property
    def _writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self, state: ModelState, run: RunState) -> None:
        # The last update may have made non-finite weights: the next step finds out and returns to the snapshot.
        if not np.isfinite(state.params).all():
            return
        try:
            self._write(state, run=run)
        except Exception as error:
            self._error = error

    def _report(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            warnings.warn(f"the checkpoint {self._path} was not written: {error}", stacklevel=2)


def checked_every(value: int | float) -> int | float:
    """Return a checked `checkpoint_every`: an int of steps, or a float of seconds."""
    is_steps = isinstance(value, int | np.integer)
    try:
        if is_steps:
            return checked_int("checkpoint_every", value, 1, MAX_STEPS)
        return checked_float("checkpoint_every", value, above=0.0)
    except InvalidInputError:
        raise InvalidInputError(
            f"checkpoint_every is {short_repr(value)}. Pass a number of steps (an int of at least 1) or of seconds "
            f"(a finite float above 0)."
        ) from None
