"""Signals that wait: while modules are imported, an exception of Ctrl-C could be swallowed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["SIGNALS", "restore_handlers", "signal_handlers", "signals_deferred"]

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Call the handlers of signals that come meanwhile at the end.

    Modules compiled by Cython, SciPy's among them, ignore all errors of some of their first statements, and ctypes
    ignores those of callbacks. An interrupted import may also leave a module that cannot be imported again.

    Examples
    --------
    >>> with signals_deferred():
    ...     import scipy.linalg.cython_blas
    """
    handlers = signal_handlers()
    noted: dict[int, Any] = {}  # the frames by number: as the system does, one for all signals of a number
    try:
        for number in handlers:
            signal.signal(number, noted.setdefault)
        yield
    finally:
        restore_handlers(handlers)
        for number, frame in noted.items():
            handlers[number](number, frame)


def signal_handlers() -> dict[int, Any]:
    """Return the functions that handle signals, by number; none on a thread on which no handlers run."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in SIGNALS}
    return {number: handler for number, handler in found.items() if callable(handler)}


def restore_handlers(handlers: dict[int, Any]) -> None:
    """Make these functions handle signals again, by number."""
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    finally:  # again: one that is back may have raised before the others were
        for number, handler in handlers.items():
            signal.signal(number, handler)
