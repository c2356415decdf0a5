"""What `sources` offers, under the names that some callers still use."""

from __future__ import annotations

from collections.abc import Iterator

from .sources import TextLike as Source
from .sources import text_source
from .vocabulary import Ids, Vocabulary

__all__ = ["Source", "blocks", "encode"]


def blocks(X: Source) -> Iterator[str] | Iterator[bytes]:
    """Give a text block by block."""
    return text_source(X).blocks()


def encode(X: Source, vocabulary: Vocabulary, name: str = "X") -> Ids:
    """Turn a text into ids."""
    return text_source(X, name).ids(vocabulary)
