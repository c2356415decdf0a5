"""Signals: how a call is interrupted, and imports are not.

Ctrl-C raises KeyboardInterrupt on the main thread, between any two lines of Python; kernels end after a step or a
block. `run_tasks` then records the error in a `Cancellation`, and the other threads end at their next `check_canceled`.

Since a Ctrl-C may also come within a ``finally``, clean-up that must happen is called by `call_at_end`, or twice, and
does only what is left. What must not be interrupted at all, an import or the start of a thread, runs in
`signals_deferred`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any


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


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer the handlers of signals that arrive during the block to its end.

    An interrupted import may leave a module that cannot be imported again, and ctypes ignores errors in callbacks.
    """
    handlers = signal_handlers()
    noted: dict[int, Any] = {}  # frames by signal number: like the system, keep one signal per number
    try:
        for number in handlers:
            signal.signal(number, noted.setdefault)
        yield
    finally:
        reinstall_handlers(handlers)
        for number, frame in noted.items():
            handlers[number](number, frame)


def call_at_end(action: Callable[[], object]) -> Generator[None]:
    """Return a generator whose `close`, in a ``finally`` clause, calls an action to its end, even after Ctrl-C.

    Ctrl-C can strike wherever a Python function begins, thus before the first line of the action. It is then called
    again, so it must be repeatable. Closing is compiled code, and continues within the ``try`` statement below.
    """
    generator = _call_at_close(action)
    next(generator)
    return generator


def _call_at_close(action: Callable[[], object]) -> Generator[None]:
    """Wait to be closed, then call an action; call it again if Ctrl-C interrupts it."""
    try:
        yield
    finally:
        try:
            action()
        except BaseException:
            action()
            raise


def signal_handlers() -> dict[int, Any]:
    """Return the functions that handle signals, by number; none on other threads than the main one, and in a
    subinterpreter, where they cannot be replaced.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    previous = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in previous.items() if callable(handler)}
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    except ValueError:
        return {}
    return handlers


def reinstall_handlers(handlers: dict[int, Any]) -> None:
    """Reinstall these signal handlers."""
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    finally:  # twice: a reinstalled handler may have raised before the others were back
        for number, handler in handlers.items():
            signal.signal(number, handler)
