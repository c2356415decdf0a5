"""Interruptions of the command: Ctrl-C, SIGTERM, SIGHUP and Ctrl-Break end training, and the trained model is saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from ..runtime.deferred_signals import SIGNALS


class Interruption(KeyboardInterrupt):
    """One of the signals."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.code = 128 + number
        self.reason = "stopped by Ctrl-C" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"


def interruption(error: KeyboardInterrupt) -> Interruption:
    """Return the interruption that a KeyboardInterrupt represents."""
    return error if isinstance(error, Interruption) else Interruption()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal raise an `Interruption`; ignore further signals while the model is saved.

    A signal that is already ignored, for instance by ``nohup``, stays ignored.
    """

    def raise_once(number: int, frame: Any) -> None:
        for each in handlers:
            signal.signal(each, signal.SIG_IGN)
        raise Interruption(number)

    with _restored() as handlers:
        for number, before in handlers.items():
            if before is not signal.SIG_IGN:
                signal.signal(number, raise_once)
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore the signals while the trained model is saved."""
    with _restored() as handlers:
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)
        yield


@contextlib.contextmanager
def _restored() -> Iterator[dict[Any, Any]]:
    """Yield the handlers of the signals, and restore them; yield none if signals cannot arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield {}
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    handlers = {number: handler for number, handler in handlers.items() if handler is not None}  # None: C code's own
    try:
        yield handlers
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
