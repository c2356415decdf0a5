"""CheckpointWriter: writes snapshots of a run of training to a file while training goes on."""

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

__all__ = ["CheckpointWriter", "Write", "checked_every"]


class Write(Protocol):
    """Writes a model and its run of training to a file, all of it or nothing."""

    def __call__(self, state: ModelState, *, run: RunState) -> None:
        """Write them."""


class CheckpointWriter:
    """Writes checkpoints at intervals of steps or of seconds, on a thread of its own.

    Training pauses only while the snapshot is copied. While a checkpoint is being written no other one begins.
    A checkpoint that cannot be written is a warning: training is worth more than its copy, and the next may succeed.

    Parameters
    ----------
    write : function
    path : str
        Where it writes, for the warning.
    every : int or float
        Steps or seconds between two checkpoints.
    """

    def __init__(self, write: Write, path: str, every: int | float) -> None:
        self._write, self._path, self.every = write, path, every
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._last_step, self._last_seconds = 0, 0.0

    def begin(self, done: int, seconds: float) -> None:
        """Count from here: steps of the call and its time."""
        self._last_step, self._last_seconds = done, seconds

    def steps_left(self, done: int) -> int | None:
        """Return how many steps there are to the next checkpoint; None where seconds count."""
        return max(1, self._last_step + self.every - done) if isinstance(self.every, int) else None

    def due(self, done: int, seconds: float) -> bool:
        """Say whether a checkpoint is due and the one before has been written."""
        self._report()
        if isinstance(self.every, int):
            is_due = done - self._last_step >= self.every
        else:
            is_due = seconds - self._last_seconds >= self.every
        # A process that a callback has forked trains a copy: the file stays that of its parent.
        return is_due and not self._writing and os.getpid() == self._process

    def start(self, state: ModelState, run: RunState, done: int) -> None:
        """Begin to write a snapshot, which must not change any more."""
        self.begin(done, run.seconds)
        thread = threading.Thread(target=self._run, args=(state, run), name="crnn-checkpoint")
        self._thread = None
        # Nobody can wait for a thread whose start was interrupted; the system may have no thread left.
        with signals_deferred(), suppress(RuntimeError):
            thread.start()
            self._thread = thread
        if self._thread is None:
            self._run(state, run)

    def write_last(self, state: ModelState, run: RunState) -> None:
        """Write the model as it is at the end of a call, and wait until that is done."""
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
        # The last update can have made weights that are not finite: the next step finds out and goes back.
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
    """Return a checked `checkpoint_every`: an int of steps, or a float of seconds.

    Examples
    --------
    >>> checked_every(100), checked_every(0.5)
    (100, 0.5)
    """
    is_steps = isinstance(value, int | np.integer)
    try:
        if is_steps:
            return checked_int("checkpoint_every", value, 1, MAX_STEPS)
        return checked_float("checkpoint_every", value, above=0.0)
    except InvalidInputError:
        raise InvalidInputError(
            f"checkpoint_every must be a whole number of steps of at least 1, or a finite number of seconds above 0 as "
            f"a float, not {short_repr(value)}"
        ) from None
