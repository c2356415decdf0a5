"""Fingerprint: what tells one text from another, without the text itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..symbols.codes import Kind

__all__ = ["Fingerprint", "Hasher", "fingerprint"]


class Fingerprint(NamedTuple):
    """A text, or documents, by kind, size and hash.

    Attributes
    ----------
    kind : {"characters", "bytes"}
    symbols : int
        How many, without boundaries.
    documents : int or None
        How many; None for one running text.
    sha256 : str
        Of the symbols, characters as UTF-8, and of the documents' lengths.
    """

    kind: Kind
    symbols: int
    documents: int | None
    sha256: str

    def difference(self, other: Fingerprint) -> str | None:
        """Say how another text differs from this one; None if it is the same.

        Examples
        --------
        >>> text = fingerprint("characters", ["to be"])
        >>> text.difference(fingerprint("characters", ["to", " be"]))
        >>> text.difference(fingerprint("characters", ["to be!"]))
        'it has 6 characters, not 5'
        >>> text.difference(fingerprint("characters", ["to bé"]))
        'it has as many characters, but not the same ones'
        """
        if other == self:
            return None
        if other.kind != self.kind:
            return f"it is of {other.kind}, not of {self.kind}"
        if (other.documents is None) != (self.documents is None):
            return "it is one text, not documents" if other.documents is None else "it is documents, not one text"
        if other.documents != self.documents:
            return f"it has {other.documents:,} documents, not {self.documents:,}"
        if other.symbols != self.symbols:
            return f"it has {other.symbols:,} {self.kind}, not {self.symbols:,}"
        return f"it has as many {self.kind}, but not the same ones"


class Hasher:
    """Makes the fingerprint of a text, or of documents, that come block by block.

    Parameters
    ----------
    kind : {"characters", "bytes"}
    documents : bool
        Whether there are documents, whose lengths come as well.
    """

    def __init__(self, kind: Kind, *, documents: bool) -> None:
        self._kind, self._symbols = kind, 0
        self._text = hashlib.sha256()
        self._lengths, self._documents = hashlib.sha256() if documents else None, 0

    def text(self, block: str | bytes) -> None:
        """Take in the next symbols, without boundaries."""
        self._symbols += len(block)
        self._text.update(block.encode("utf-8", "surrogatepass") if isinstance(block, str) else block)

    def lengths(self, lengths: NDArray[Any]) -> None:
        """Take in the lengths of the next documents, which may come before their symbols or after them."""
        assert self._lengths is not None
        self._documents += len(lengths)
        self._lengths.update(np.ascontiguousarray(lengths, "<i8").data)

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of all that was taken in."""
        digest = self._text.copy()
        if self._lengths is None:
            return Fingerprint(self._kind, self._symbols, None, digest.hexdigest())
        digest.update(self._lengths.digest())
        return Fingerprint(self._kind, self._symbols, self._documents, digest.hexdigest())


def fingerprint(
    kind: Kind, blocks: Iterable[str] | Iterable[bytes], lengths: NDArray[Any] | None = None
) -> Fingerprint:
    """Return the fingerprint of a text that comes block by block; it does not depend on where the blocks end.

    Parameters
    ----------
    kind : {"characters", "bytes"}
    blocks : iterable of str or of bytes
    lengths : array of int, optional
        Of documents.

    Examples
    --------
    >>> fingerprint("bytes", [b"to ", b"be"])[:3]
    ('bytes', 5, None)
    """
    hasher = Hasher(kind, documents=lengths is not None)
    for block in blocks:
        hasher.text(block)
    if lengths is not None:
        hasher.lengths(lengths)
    return hasher.fingerprint()
