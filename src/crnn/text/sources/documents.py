"""Documents: many short texts, each with its own start and end, packed into one array of ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..symbols.codes import Kind, Text, byte_view, kind_of
from .input_checks import python_values

SCAN = 1 << 20  # ids examined at once, since temporaries of all would take much memory

Ids = NDArray[Any]


class JoinedTexts(NamedTuple):
    """The concatenated texts of a collection, and the length of each."""

    text: Text
    lengths: NDArray[np.int64]  # in symbols, (n,)
    kind: Kind


def join(texts: Iterable[Any], name: str = "X") -> JoinedTexts:
    """Read a collection of texts once: at least one text, which may be empty."""
    own = list(python_values(texts))
    if not own:
        raise InvalidInputError(
            f"{name} is an empty list. Pass at least 1 document (which may be an empty text).", argument=name
        )
    kind = kind_of(own[0], f"{name}[0]")
    for i, text in enumerate(own):
        if kind_of(text, f"{name}[{i}]") != kind:
            raise InvalidInputError(
                f"{name}[{i}] is {type(text).__name__}, but {name}[0] is {type(own[0]).__name__}. Pass documents that "
                f"are all str or all bytes."
            )
        if isinstance(text, memoryview):
            own[i] = byte_view(text, f"{name}[{i}]")
    lengths = np.fromiter(map(len, own), np.int64, len(own))
    return JoinedTexts("".join(own) if kind == "characters" else b"".join(own), lengths, kind)


def pack(ids: Ids, lengths: NDArray[np.int64], boundary: int) -> Ids:
    """Put a boundary before, between and after documents: N concatenated ids, and the n documents' lengths."""
    packed = np.full(len(ids) + len(lengths) + 1, boundary, ids.dtype)
    inside = np.ones(len(packed), np.bool_)
    inside[np.cumsum(np.append(0, lengths + 1))] = False
    packed[inside] = ids
    return packed


def n_given(boundary: int | None) -> int:
    """Return how many of the first ids of a text are read but not predicted, namely the boundary before a document."""
    return 0 if boundary is None else 1


def n_documents(packed: Ids, boundary: int) -> int:
    """Return the number of packed documents."""
    return sum(int(np.count_nonzero(packed[i : i + SCAN] == boundary)) for i in range(0, len(packed), SCAN)) - 1


def boundaries(packed: Ids, boundary: int) -> NDArray[Any]:
    """Return the positions of the boundaries, one more than there are documents, in 4 bytes each if possible.

    Document i is packed[places[i] + 1 : places[i + 1]].
    """
    places = np.empty(n_documents(packed, boundary) + 1, np.uint32 if len(packed) < 2**32 else np.int64)
    n = 0
    for i in range(0, len(packed), SCAN):
        places_in_piece = np.flatnonzero(packed[i : i + SCAN] == boundary)
        places[n : n + len(places_in_piece)] = places_in_piece + i
        n += len(places_in_piece)
    return places
