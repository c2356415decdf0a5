"""Fingerprint: what tells one text from another, without the text itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .codes import Kind

__all__ = ["Fingerprint", "fingerprint"]


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
    digest, symbols = hashlib.sha256(), 0
    for block in blocks:
        symbols += len(block)
        digest.update(block.encode("utf-8", "surrogatepass") if isinstance(block, str) else block)
    if lengths is None:
        return Fingerprint(kind, symbols, None, digest.hexdigest())
    digest.update(np.asarray(lengths, "<i8").tobytes())
    return Fingerprint(kind, symbols, len(lengths), digest.hexdigest())
