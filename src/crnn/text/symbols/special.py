"""Special: the non-character symbols."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Special(Enum):
    """A non-character symbol of a vocabulary; equal to no text.

    Examples
    --------
    >>> from crnn import BOUNDARY, CharRNN
    >>> model = CharRNN(hidden_size=4, max_steps=0).fit(["to be", "or not"])
    >>> model.vocabulary_[-1]
    crnn.BOUNDARY
    """

    UNKNOWN = "unknown"
    BOUNDARY = "boundary"

    def __repr__(self) -> str:
        return f"crnn.{self.name}"


UNKNOWN = Special.UNKNOWN
"""Any character outside a model's vocabulary."""

BOUNDARY = Special.BOUNDARY
"""The start and the end of a document."""


@dataclass(frozen=True)
class Label:
    """A label as a symbol of a vocabulary: documents with this label start with it.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(hidden_size=4, max_steps=0).fit(["Anna", "Bob"], labels=["f", "m"])
    >>> model.vocabulary_
    Vocabulary(6 characters: 'ABabno', crnn.BOUNDARY, Label('f'), Label('m'))
    """

    value: str | int | float | bool

    def __repr__(self) -> str:
        return f"Label({self.value!r})"


Symbol = str | bytes | Special | Label
