"""Gate: separates copies of a model from changes of its weights, and counts the changes."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any
from weakref import ref

MANY = 100  # references to gates, including dead ones, kept before cleaning up


class Gate:
    """Separates training steps from copies of the state, without starving the copies.

    Training spends nearly all its time in steps. A copy therefore takes the turn first, and then waits for the running
    steps; the next steps wait for the turn. Both locks are reentrant, since a signal handler that saves the model may
    run between two steps. They are held directly by ``with``, without a generator: entering and leaving is compiled
    code, so that Ctrl-C cannot come before the release.

    `changes` counts the changes of the weights, for recognizing outdated copies. Code that changes the weights holds
    the gate, and adds 1 in a ``finally`` clause: an addition calls no function, so Ctrl-C cannot come between an
    interrupted change and its count.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._turn, self._state = threading.RLock(), threading.RLock()
        with _register:
            if len(_gates) >= MANY:
                _gates[:] = [gate for gate in _gates if gate() is not None]
            _gates.append(ref(self))

    @property
    def turn(self) -> AbstractContextManager[object]:
        """The lock that lets a copy go before the next steps."""
        return self._turn

    def steps(self) -> AbstractContextManager[object]:
        """Return the lock of the state once no other thread is waiting to copy it."""
        with self._turn:
            pass
        return self._state

    @property
    def arrays(self) -> AbstractContextManager[object]:
        """The lock of the state for changes within a step or outside training, which need not let copies go first."""
        return self._state

    def __reduce__(self) -> tuple[Any, ...]:
        """Give a pickled or copied state a gate of its own."""
        return Gate, ()

    def __eq__(self, other: object) -> bool:
        """Treat all gates as equal: they hold no part of a model."""
        return isinstance(other, Gate)

    __hash__ = None  # type: ignore[assignment]

    def open(self) -> None:
        """Forget the holders of the locks: after a fork these threads do not exist, and changes may be incomplete."""
        if not self._state.acquire(blocking=False):
            self.changes += 1
        self._turn, self._state = threading.RLock(), threading.RLock()


# No function is called when a gate is deleted: Python would ignore a KeyboardInterrupt in it.
_gates: list[ref[Gate]] = []
_register = threading.RLock()  # a signal handler may save a model


def _open_all() -> None:
    global _register
    _register = threading.RLock()
    for each in list(_gates):
        if (gate := each()) is not None:
            gate.open()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
