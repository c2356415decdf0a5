"""Documents: many short texts, each with a start and an end of its own, packed in one row of ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from .codes import Kind, Text, byte_view, kind_of

__all__ = ["Documents", "joined", "pack", "split", "starts"]

Ids = NDArray[Any]


class Documents(NamedTuple):
    """The texts of a collection one after another, and how long each is."""

    text: Text
    lengths: NDArray[np.int64]  # in symbols, (n,)
    kind: Kind


def joined(X: Iterable[Any], name: str = "X") -> Documents:
    """Read a collection of texts once.

    Parameters
    ----------
    X : iterable of str, or of bytes-like
        At least one text; a text may be empty.
    name : str, default="X"
        What error messages call the collection.

    Raises
    ------
    InvalidInputError
        If there is no text, or one is of another type than the first; its index is named.

    Examples
    --------
    >>> joined(["to be", "", "or not"]).lengths
    array([5, 0, 6])
    """
    texts = list(X)
    if not texts:
        raise InvalidInputError(f"{name} is an empty list; at least 1 document is needed (which may be an empty text)")
    kind = kind_of(texts[0], f"{name}[0]")
    for i, text in enumerate(texts):
        if kind_of(text, f"{name}[{i}]") != kind:
            raise InvalidInputError(
                f"{name}[{i}] is {type(text).__name__}, but {name}[0] is {type(texts[0]).__name__}: the documents must "
                f"be all str or all bytes"
            )
        if isinstance(text, memoryview):
            texts[i] = byte_view(text, f"{name}[{i}]")
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return Documents("".join(texts) if kind == "characters" else b"".join(texts), lengths, kind)


def pack(ids: Ids, lengths: NDArray[np.int64], boundary: int) -> Ids:
    """Put a boundary before, between and after documents.

    Parameters
    ----------
    ids : array of unsigned integers, shape (N,)
        Of the documents one after another.
    lengths : array of int, shape (n,)
        Of the documents; their sum is N.
    boundary : int
        The boundary's id.

    Returns
    -------
    array like `ids`, shape (N + n + 1,)

    Examples
    --------
    >>> pack(np.array([4, 5, 6], np.uint8), np.array([2, 0, 1]), 9)
    array([9, 4, 5, 9, 9, 6, 9], dtype=uint8)
    """
    packed = np.full(len(ids) + len(lengths) + 1, boundary, ids.dtype)
    inside = np.ones(len(packed), np.bool_)
    inside[np.cumsum(np.append(0, lengths + 1))] = False
    packed[inside] = ids
    return packed


def starts(packed: Ids, boundary: int) -> NDArray[np.intp]:
    """Return where the boundaries are: one more than there are documents.

    Examples
    --------
    >>> starts(np.array([9, 4, 5, 9, 9, 6, 9]), 9)
    array([0, 3, 4, 6])
    """
    return np.flatnonzero(packed == boundary)


def split(packed: Ids, boundary: int, fraction: float) -> tuple[Ids, Ids]:
    """Return the first documents, to train on, and the last ones, to validate with.

    Parameters
    ----------
    packed : array of shape (N,)
        As `pack` makes it.
    boundary : int
    fraction : float
        The part of the documents that the last ones are, to the nearest document.

    Raises
    ------
    InvalidInputError
        If there would be none of either.

    Examples
    --------
    >>> split(np.array([9, 4, 5, 9, 9, 6, 9]), 9, 0.3)
    (array([9, 4, 5, 9, 9]), array([9, 6, 9]))
    """
    at = starts(packed, boundary)
    n = len(at) - 1
    held_out = round(n * fraction)
    if not 0 < held_out < n:
        raise InvalidInputError(
            f"validation_fraction={fraction:g} of {n} documents leaves {held_out} for validation and {n - held_out} "
            f"for training, but at least 1 of each is needed; change validation_fraction or take more documents"
        )
    cut = at[n - held_out]
    return packed[: cut + 1], packed[cut:]
