"""Signals that wait: while modules are imported, an exception of Ctrl-C could be swallowed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["signals_deferred"]

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
    if threading.current_thread() is not threading.main_thread():  # handlers do not run here
        yield
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    noted: list[tuple[int, Any]] = []
    try:
        for number in handlers:
            signal.signal(number, lambda number, frame: noted.append((number, frame)))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in noted[:1]:
            handlers[number](number, frame)
