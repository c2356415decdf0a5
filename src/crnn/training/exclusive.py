"""Exclusive use: only one call at a time trains or edits a model, and any thread may ask it to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import InvalidInputError
from ..model.draft import Draft
from ..model.state import ModelState


class ExclusiveUse:
    """A call that trains or edits a model, and excludes all others.

    The call holds the lock `running` directly in a ``with`` statement. Entering and leaving it is compiled code, so
    Ctrl-C cannot strike between the end of the call and the release of the lock. A call is "trained" or "edited", as
    the error message says. `stopped` asks it to end after the current step; `draft` is what the call, or one of its
    callbacks, is editing.
    """

    def __init__(self, what: str = "trained") -> None:
        self.what = what
        self.stopped = False
        self.draft: Draft | None = None
        self.thread = threading.get_ident()
        self.running = threading.Lock()


_in_use: dict[int, ExclusiveUse] = {}  # by the model's id; calls whose lock is free have ended
_register = threading.RLock()  # a signal handler may train another model


def begin_use(model: object, call: ExclusiveUse) -> None:
    """Mark a model as used by a call that holds its lock."""
    with _register:
        for key, other in list(_in_use.items()):
            if not other.running.locked():
                _in_use.pop(key, None)
        other = _in_use.setdefault(id(model), call)
    if other is not call:
        raise InvalidInputError(f"this model is being {other.what} by another call. Wait until it ends, or use a copy.")


def use_for_editing(model: object, call: ExclusiveUse) -> ExclusiveUse:
    """Return the use under which a call edits a model: its own, or training's when a callback edits."""
    other = _in_use.get(id(model))
    if other is None or other.thread != call.thread or not other.running.locked():
        begin_use(model, call)
        return call
    if other.draft is not None or other.what != "trained":
        raise InvalidInputError("this model is already being edited. Write to it within the first editing() block.")
    return other


@contextmanager
def editing(model: object, learned: Callable[[], ModelState]) -> Iterator[None]:
    """Let this thread edit a model's arrays: see `CharRNN.editing`.

    `learned` returns the model's state, and is called when no other thread can replace that any more.
    """
    call = ExclusiveUse("edited")
    with call.running:
        use = use_for_editing(model, call)
        try:
            use.draft = Draft(learned())
            yield
            use.draft.commit()
        finally:
            use.draft = None


def draft_of(model: object) -> Draft | None:
    """Return the draft of a model that this thread is editing, or None."""
    call = _in_use.get(id(model))
    return None if call is None or call.thread != threading.get_ident() else call.draft


def request_stop(model: object) -> None:
    """Ask the call that is training a model, if any, to end after the current step."""
    call = _in_use.get(id(model))
    if call is not None:
        call.stopped = True


def _forget_other_threads() -> None:
    """Forget, in the child of a fork, calls of threads that do not exist there."""
    global _register
    own, _register = threading.get_ident(), threading.RLock()
    for key, call in list(_in_use.items()):
        if call.thread != own:
            del _in_use[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
