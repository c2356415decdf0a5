"""Texts that samples must differ from."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np

from ..errors import InvalidInputError
from ..parameters.checks import has_items
from ..text.documents import python_values
from ..text.lines import Lines
from ..text.vocabulary import Vocabulary, immutable


class HashedTexts:
    """Python's hashes of lines, 8 bytes each: a new text is mistaken for one of n lines with probability n / 2⁶⁴."""

    def __init__(self, lines: Lines) -> None:
        hashes = array("q")
        for batch in lines.batches():
            hashes.extend(map(hash, batch))
        self._hashes = np.frombuffer(hashes, np.int64)
        self._hashes.sort()

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, text: object) -> bool:
        i = int(np.searchsorted(self._hashes, hash(text)))
        return i < len(self._hashes) and bool(self._hashes[i] == hash(text))


def excluded_texts(texts: Any, vocabulary: Vocabulary) -> frozenset[Any] | HashedTexts:
    """Return texts never to draw, after checking that they are of the model's kind."""
    if isinstance(texts, Lines):
        vocabulary.check_kind("" if texts.kind == "characters" else b"", "exclude")
        return HashedTexts(texts)
    if isinstance(texts, str | bytes) or not has_items(texts):
        raise InvalidInputError(f"exclude is of type {type(texts).__name__}. Pass a list or set of texts.")
    excluded = set()
    for i, text in enumerate(python_values(texts)):
        vocabulary.check_kind(text, f"exclude[{i}]")
        excluded.add(immutable(text))
    return frozenset(excluded)
