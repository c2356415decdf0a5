"""How long a sample may be."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidInputError
from ..parameters.checks import MAX_SIZE, checked_int
from ..text.primes import document_head
from ..text.vocabulary import Vocabulary

DEFAULT_LENGTH = 200  # default symbols of a sample
DEFAULT_MAX_LENGTH = 1000  # default maximum symbols of a document


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
