"""Exclusive training: a model is trained by one call at a time, and any thread may ask that call to stop."""

from __future__ import annotations

import os
import threading

from ...errors import InvalidInputError

__all__ = ["StopRequest", "begin_training", "request_stop"]


class StopRequest:
    """Whether a call of training has been asked to end after the current step.

    The call holds the lock `running` directly by ``with``. Both ends of that are compiled code, so that Ctrl-C cannot
    come between the end of the call and the release of the lock.
    """

    made = False

    def __init__(self) -> None:
        self.thread = threading.get_ident()  # that trains
        self.running = threading.Lock()


_in_training: dict[int, StopRequest] = {}  # models being trained, by id; those whose lock is free are not any more
_register = threading.RLock()  # a signal handler may train another model


def begin_training(model: object, call: StopRequest) -> None:
    """Mark a model as being trained by a call that holds its lock; the call polls the stop request.

    Raises
    ------
    InvalidInputError
        If another call, of a callback or of another thread, is training it.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model, call = CharRNN(hidden_size=4), StopRequest()
    >>> with call.running:
    ...     begin_training(model, call)
    ...     model.fit("abab")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: this model is being trained by another call: wait for its end, or train a copy
    """
    with _register:
        for key, other in list(_in_training.items()):
            if not other.running.locked():
                _in_training.pop(key, None)
        if _in_training.setdefault(id(model), call) is not call:
            raise InvalidInputError("this model is being trained by another call: wait for its end, or train a copy")


def request_stop(model: object) -> None:
    """Ask the call that is training a model, if there is one, to end after the current step.

    Examples
    --------
    >>> model, call = object(), StopRequest()
    >>> with call.running:
    ...     begin_training(model, call)
    ...     request_stop(model)
    ...     call.made
    True
    """
    call = _in_training.get(id(model))
    if call is not None:
        call.made = True


def _forget_other_threads() -> None:
    """Forget, in the child of a fork, the calls of threads that are not there."""
    global _register
    own, _register = threading.get_ident(), threading.RLock()
    for key, call in list(_in_training.items()):
        if call.thread != own:
            del _in_training[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
