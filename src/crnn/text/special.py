"""Special: the symbols that are no characters."""

from __future__ import annotations

from enum import Enum

__all__ = ["BOUNDARY", "UNKNOWN", "Special"]


class Special(Enum):
    """A symbol of a vocabulary that is no character; equal to no text.

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
"""Any character that is not one of a model's own."""

BOUNDARY = Special.BOUNDARY
"""The start and the end of a document."""
