"""Cancellation: threads that work on parts of one task end soon after one of them has failed, as by Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Cancellation", "Cancelled", "check_cancelled"]


class Cancelled(Exception):  # noqa: N818 (no error: an order)
    """Another thread has failed, so that the result of this one is of no use."""


class Cancellation:
    """The first error of the threads that share it.

    Examples
    --------
    >>> cancellation = Cancellation()
    >>> with cancellation.shared():
    ...     check_cancelled()
    ...     cancellation.fail(KeyboardInterrupt())
    ...     check_cancelled()
    Traceback (most recent call last):
    crnn.runtime.cancellation.Cancelled
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Let the other threads end; only the first error counts."""
        if self.error is None and not isinstance(error, Cancelled):
            self.error = error

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let `check_cancelled` ask this object on the thread that calls it."""
        before = getattr(_current, "cancellation", None)
        _current.cancellation = self
        try:
            yield
        finally:
            _current.cancellation = before


_current = threading.local()


def check_cancelled() -> None:
    """Raise Cancelled if the work of this thread is of no use any more. Long work calls it every 50 ms or so."""
    cancellation: Cancellation | None = getattr(_current, "cancellation", None)
    if cancellation is not None and cancellation.error is not None:
        raise Cancelled
