"""Exclusive training: a model is trained by one call at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InvalidInputError

_in_training: dict[int, object] = {}  # models being trained, by id: a second call raises


@contextmanager
def exclusive_training(model: object) -> Iterator[None]:
    """Mark a model as being trained.

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
    call = object()
    try:  # before the entry is made, since Ctrl-C may come between any two instructions
        if _in_training.setdefault(id(model), call) is not call:
            raise InvalidInputError("this model is being trained by another call: wait for its end, or train a copy")
        yield
    finally:
        if _in_training.get(id(model)) is call:
            del _in_training[id(model)]
