"""Processes: several processes that train one model together through MPI, each on a share of the streams."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, short_repr
from ..runtime.signals import reinstall_handlers, signal_handlers

T = TypeVar("T")


class Processes:
    """The processes of a communicator; rank 0 decides for all."""

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self.rank = int(comm.Get_rank())
        self.size = int(comm.Get_size())
        self._signal = 0  # the number of the signal received by this process
        self._handlers: dict[int, Any] = {}

    def own_streams(self, batch_size: int) -> range:
        """Return this process's streams, which are neighbors in the text."""
        return range(batch_size * self.rank // self.size, batch_size * (self.rank + 1) // self.size)

    def check_batch_size(self, batch_size: int) -> None:
        """Raise InvalidInputError if a process would have no streams."""
        if batch_size < self.size:
            raise InvalidInputError(
                f"batch_size is {batch_size}, but each of the {self.size} processes needs a stream. Set batch_size "
                f"(the total) to at least {self.size}, or start fewer processes."
            )

    def reduce(self, vector: NDArray[Any]) -> None:
        """Sum a gradient and the values after it over processes, except the last, which is equal in all of them."""
        from mpi4py import MPI

        last = vector[-1]
        self._comm.Allreduce(MPI.IN_PLACE, vector)
        vector[-1] = last

    def from_first(self, value: Any) -> Any:
        """Give every process the value of rank 0."""
        return self._comm.bcast(value, root=0)

    def all(self, value: bool) -> bool:
        """Return whether a value is true in every process."""
        return all(self._comm.allgather(bool(value)))

    def share_rows(self, array: NDArray[Any]) -> None:
        """Complete an array (L, B, H) whose rows each process has set for its own streams."""
        rows = self.own_streams(array.shape[1])
        parts = self._comm.allgather(np.ascontiguousarray(array[:, rows.start : rows.stop]))
        array[...] = np.concatenate(parts, axis=1)

    def call_in_all(self, prepare: Callable[[], T]) -> T:
        """Return the result of a function, or raise in every process if it raises in any of them."""
        result = None
        failure = None
        try:
            result = prepare()
        except Exception as error:
            failure = error
        failures = self._comm.allgather(None if failure is None else f"{type(failure).__name__}: {failure}")
        if failure is not None:
            raise failure
        for rank, other in enumerate(failures):
            if other is not None:
                raise InvalidInputError(f"process {rank} cannot start training: {other}")
        return result  # type: ignore[return-value]  # it was set: nothing failed

    def read_by_first(self, read: Callable[[], T]) -> T:
        """Return the result of a function called in rank 0 alone; raise in every process if it fails."""
        result: T = self.from_first(self.call_in_all(read if self.rank == 0 else lambda: None))
        return result

    def require_same(self, what: str, value: Any) -> None:
        """Raise InvalidInputError if a value differs from rank 0's in some process."""
        if not self.all(value == self.from_first(value)):
            raise InvalidInputError(f"{what} differs between processes. Pass the same value in all of them.")

    # ----------------------------------------------------------- signals and errors

    @contextmanager
    def signals_deferred(self) -> Iterator[None]:
        """Defer signals that would raise an exception until all processes call `raise_signals`."""
        self._handlers = signal_handlers()
        try:
            for number in self._handlers:
                signal.signal(number, self._note)
            yield
        finally:
            self._reinstall_handlers()

    def _note(self, number: int, frame: Any) -> None:
        self._signal = number

    def _reinstall_handlers(self) -> None:
        handlers = self._handlers
        self._handlers = {}
        reinstall_handlers(handlers)

    def raise_signals(self) -> None:
        """Raise in every process what a signal to any of them means."""
        number = max(self._comm.allgather(self._signal))
        if number:
            handler = self._handlers.get(number)
            self._reinstall_handlers()
            if handler is not None:
                handler(number, None)
            raise KeyboardInterrupt

    def abort(self, error: BaseException) -> NoReturn:
        """End all processes after an error in this one: the others wait in MPI and cannot be told."""
        print(f"crnn: process {self.rank} of {self.size} failed; ending training in all processes:", file=sys.stderr)
        traceback.print_exception(error)
        sys.stderr.flush()
        self._comm.Abort(1)
        raise AssertionError("unreachable") from error


def processes_of(comm: Any) -> Processes | None:
    """Return the processes of a communicator, or None if this process is alone."""
    if comm is None:
        return None
    if not all(hasattr(comm, name) for name in ("Allreduce", "bcast", "allgather", "Abort")):
        raise InvalidInputError(
            f"comm is {short_repr(comm)}. Pass a communicator of mpi4py, such as MPI.COMM_WORLD, or None."
        )
    return Processes(comm) if comm.Get_size() > 1 else None
