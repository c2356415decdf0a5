"""Primes: the texts that samples and searches continue."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .vocabulary import Vocabulary, immutable

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
