"""Exclusive training: a model is trained by one call at a time, and any thread may ask that call to stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidInputError

__all__ = ["StopRequest", "exclusive_training", "request_stop"]


class StopRequest:
    """Whether a call of training has been asked to end after the current step."""

    made = False

    def __init__(self) -> None:
        self.thread = threading.get_ident()  # that trains


_in_training: dict[int, StopRequest] = {}  # models being trained, by id: a second call raises


@contextmanager
def exclusive_training(model: object) -> Iterator[StopRequest]:
    """Mark a model as being trained; the call polls the stop request that this gives.

    Raises
    ------
    InvalidInputError
        If another call, of a callback or of another thread, is training it.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=4)
    >>> with exclusive_training(model):
    ...     model.fit("abab")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: this model is being trained by another call: wait for its end, or train a copy
    """
    call = StopRequest()
    try:  # before the entry is made, since Ctrl-C may come between any two instructions
        if _in_training.setdefault(id(model), call) is not call:
            raise InvalidInputError("this model is being trained by another call: wait for its end, or train a copy")
        yield call
    finally:
        if _in_training.get(id(model)) is call:
            del _in_training[id(model)]


def request_stop(model: object) -> None:
    """Ask the call that is training a model, if there is one, to end after the current step.

    Examples
    --------
    >>> model = object()
    >>> with exclusive_training(model) as call:
    ...     request_stop(model)
    ...     call.made
    True
    """
    call = _in_training.get(id(model))
    if call is not None:
        call.made = True


def _forget_other_threads() -> None:
    """Forget, in the child of a fork, the calls of threads that are not there."""
    own = threading.get_ident()
    for key, call in list(_in_training.items()):
        if call.thread != own:
            del _in_training[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
