"""JointTrainer: a trainer in one of several processes, each reading a share of the streams."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...errors import DivergenceError
from ..loop.trainer import Trainer
from .processes import Processes


class JointTrainer:
    """The trainer of one of several processes, which all carry out the commands of rank 0 at the same time.

    Rank 0 is used like any trainer: it sends commands to the other processes, which `follow`. Every process holds the
    complete hidden state between two commands.
    """

    def __init__(self, trainer: Trainer, processes: Processes) -> None:
        self.trainer, self._processes = trainer, processes
        self._ended = False  # whether all processes know that training has ended
        self._failed = False  # whether this process has left the others within a command

    def __enter__(self) -> Self:
        self._signals = self._processes.signals_deferred()
        self._signals.__enter__()
        self.trainer.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        error = exception[1]
        try:
            self.trainer.__exit__(*exception)
            if self._failed and isinstance(error, BaseException):
                self._processes.abort(error)
            if not self._ended:
                self._tell("end", None if error is None else (isinstance(error, KeyboardInterrupt), str(error)))
        finally:
            self._signals.__exit__(None, None, None)

    def follow(self) -> None:
        """Carry out the commands of rank 0 until it ends training."""
        while True:
            name, argument = self._tell("", None)
            if name == "end":
                self._ended = True
                if argument is None:
                    return
                interrupted, message = argument
                if interrupted:
                    raise KeyboardInterrupt(message)
                raise RuntimeError(f"training has ended because process 0 failed: {message}")
            self._do(name, argument)

    def advance(self, rates: NDArray[np.float64]) -> None:
        """Take a step at each of these learning rates, in all processes."""
        self._do(*self._tell("advance", rates))

    def finish(self) -> None:
        """Raise DivergenceError in all processes if the model is ruined."""
        self._do(*self._tell("finish", None))

    def resume_from_arrays(self) -> None:
        """Continue, in all processes, with the arrays that a callback of rank 0 has edited."""
        state = self.trainer.state
        self._do(*self._tell("load", (state.params, state.optimizer_state, state.hidden)))

    def _tell(self, name: str, argument: Any) -> tuple[str, Any]:
        """Return the command of rank 0; raise in every process what a signal to one of them means."""
        try:
            self._processes.raise_signals()
        except BaseException:
            self._ended = True
            raise
        command: tuple[str, Any] = self._processes.from_first((name, argument))
        return command

    def _do(self, name: str, argument: Any) -> None:
        try:
            if name == "advance":
                self.trainer.advance(argument)
            elif name == "finish":
                self.trainer.finish()
            else:
                self.trainer.state.overwrite(*argument)
                self.trainer.resume_from_arrays()
            self._share_hidden()
        except DivergenceError:  # in every process: loss and weights are the same
            self._share_hidden()
            self._ended = True
            raise
        except BaseException:
            self._failed = self._ended = True
            raise

    def _share_hidden(self) -> None:
        for array in self.trainer.hidden:
            self._processes.share_rows(array)
