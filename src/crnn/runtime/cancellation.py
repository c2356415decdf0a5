"""Cancellation: threads that share a task end soon after one of them has failed, for instance by Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Canceled(Exception):  # noqa: N818 (an order, not an error)
    """Another thread has failed, so this thread's result is useless."""


class Cancellation:
    """The first error of a group of threads."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """Tell the other threads to end; only the first error counts."""
        if self.error is None and not isinstance(error, Canceled):
            self.error = error

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Let `check_canceled` consult this object on the calling thread."""
        before = getattr(_current, "cancellation", None)
        _current.cancellation = self
        try:
            yield
        finally:
            _current.cancellation = before


_current = threading.local()


def check_canceled() -> None:
    """Raise Canceled if this thread's work is no longer needed. Long work calls it about every 50 ms."""
    cancellation: Cancellation | None = getattr(_current, "cancellation", None)
    if cancellation is not None and cancellation.error is not None:
        raise Canceled
