"""Checks of what is drawn: a model and a text that it can read."""

from __future__ import annotations

from typing import Any

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr


def check_model_and_text(model: Any, text: Any, name: str = "text") -> None:
    """Raise an error unless this is a fitted model and a text of its kind; the symbols are not looked at.

    Examples
    --------
    >>> check_model_and_text(CharRNN(8, max_steps=0).fit("abc"), "no symbol of it")
    >>> check_model_and_text("abc", "abc")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: model must be a fitted CharRNN, not 'abc'
    """
    if not isinstance(model, CharRNN):
        raise InvalidInputError(f"model must be a fitted CharRNN, not {short_repr(model)}")
    model.vocabulary_.check_kind(text, name)
