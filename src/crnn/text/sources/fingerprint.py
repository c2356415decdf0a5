"""Fingerprint: identifies a text without storing it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..symbols.codes import Kind


class Fingerprint(NamedTuple):
    """The kind, size and hash of a text or of documents."""

    kind: Kind
    symbols: int  # the number of symbols, without boundaries
    documents: int | None  # the number of documents; None for a running text
    sha256: str  # the hash of the symbols (characters as UTF-8) and of the documents' lengths

    def difference(self, other: Fingerprint) -> str | None:
        """Return how another text differs from this one, or None if it is the same."""
        if other == self:
            return None
        if other.kind != self.kind:
            return f"it has {other.kind}, not {self.kind}"
        if (other.documents is None) != (self.documents is None):
            return "it is one text, not documents" if other.documents is None else "it is documents, not one text"
        if other.documents != self.documents:
            return f"it has {other.documents:,} documents, not {self.documents:,}"
        if other.symbols != self.symbols:
            return f"it has {other.symbols:,} {self.kind}, not {self.symbols:,}"
        return f"it has as many {self.kind}, but different ones"


class Hasher:
    """Computes the fingerprint of a text, or of documents with their lengths, block by block."""

    def __init__(self, kind: Kind, *, documents: bool) -> None:
        self._kind, self._symbols = kind, 0
        self._text = hashlib.sha256()
        self._lengths, self._documents = hashlib.sha256() if documents else None, 0

    def text(self, block: str | bytes) -> None:
        """Add the next symbols, without boundaries."""
        self._symbols += len(block)
        self._text.update(block.encode("utf-8", "surrogatepass") if isinstance(block, str) else block)

    def lengths(self, lengths: NDArray[Any]) -> None:
        """Add the lengths of the next documents, before or after their symbols."""
        assert self._lengths is not None
        self._documents += len(lengths)
        self._lengths.update(np.ascontiguousarray(lengths, "<i8").data)

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of everything added so far."""
        digest = self._text.copy()
        if self._lengths is None:
            return Fingerprint(self._kind, self._symbols, None, digest.hexdigest())
        digest.update(self._lengths.digest())
        return Fingerprint(self._kind, self._symbols, self._documents, digest.hexdigest())


def fingerprint(
    kind: Kind, blocks: Iterable[str] | Iterable[bytes], lengths: NDArray[Any] | None = None
) -> Fingerprint:
    """Return the fingerprint of a text given in blocks, independent of how it is cut into blocks."""
    hasher = Hasher(kind, documents=lengths is not None)
    for block in blocks:
        hasher.text(block)
    if lengths is not None:
        hasher.lengths(lengths)
    return hasher.fingerprint()
