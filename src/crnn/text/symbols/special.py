"""Special: the non-character symbols."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Special(Enum):
    """A non-character symbol of a vocabulary; equal to no text."""

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
    """A label as a symbol of a vocabulary: documents with this label start with it."""

    value: str | int | float | bool

    def __repr__(self) -> str:
        return f"Label({self.value!r})"


Symbol = str | bytes | Special | Label
