"""What a sample begins with, and how long it may be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..parameters.checks import MAX_SIZE, checked_int
from ..text.vocabulary import Vocabulary, immutable

DEFAULT_LENGTH = 200  # default symbols of a sample
DEFAULT_MAX_LENGTH = 1000  # default maximum symbols of a document
NO_IDS = np.zeros(0, np.int32)


def check_prime(prime: Any, vocabulary: Vocabulary, *, name: str = "prime") -> None:
    """Raise an error unless this is a text of the model's kind; the default "" serves a model of bytes too."""
    if not isinstance(prime, str | bytes) or prime:
        vocabulary.check_kind(prime, name)


def encoded_prime(prime: Any, vocabulary: Vocabulary, *, name: str = "prime") -> NDArray[Any]:
    """Return the ids that a network reads before it predicts; for a document they start with the boundary."""
    check_prime(prime, vocabulary, name=name)
    ids: NDArray[Any] = vocabulary.encode(prime, name=name) if len(prime) else NO_IDS
    return ids if vocabulary.boundary is None else np.append(np.int32(vocabulary.boundary), ids)


def document_head(prime: str | bytes, vocabulary: Vocabulary) -> Any:
    """Return the beginning of a sample: the prime for a document, otherwise nothing."""
    if vocabulary.boundary is None or not len(prime):
        return "" if vocabulary.kind == "characters" else b""
    return immutable(prime)  # unchanged: its ids may include the unknown symbol


def text_length(vocabulary: Vocabulary, length: Any, max_length: Any, head: int) -> int:
    """Return the maximum number of symbols to draw after `head` symbols of a document."""
    if vocabulary.boundary is None and max_length is not None:
        raise InvalidInputError(
            "max_length needs a model of documents, but this one was fitted on one text. Pass length."
        )
    limit = checked_int("max_length", max_length, 0, MAX_SIZE) if max_length is not None else DEFAULT_MAX_LENGTH
    if length is not None:
        wanted = checked_int("length", length, 0, MAX_SIZE)
        return wanted if max_length is None else min(wanted, max(0, limit - head))
    return DEFAULT_LENGTH if vocabulary.boundary is None else max(0, limit - head)


def match_length(vocabulary: Vocabulary, max_length: Any, prime: Any) -> int | None:
    """Return the maximum number of symbols of a match after the prime, or None for documents of any length."""
    if max_length is None:
        return DEFAULT_LENGTH if vocabulary.boundary is None else None
    limit = checked_int("max_length", max_length, 0, MAX_SIZE)
    return max(0, limit - len(document_head(prime, vocabulary)))
