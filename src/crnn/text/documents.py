"""Documents: many texts joined into one array of ids; and the checks of what may be a text or a collection of texts."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, short_repr
from .vocabulary import Text, byte_view, kind_of

PACKAGE = __name__.partition(".")[0]
LONGEST_NAME = 255  # characters of a text that may be a file's name
ARROW_SLICE = 1 << 13  # values of an Arrow array that are Python objects at a time

Errors = Literal["strict", "replace", "skip"]  # how to handle missing or damaged texts
ERRORS = get_args(Errors)


def checked_errors(errors: Any) -> Errors:
    """Return `errors` if it is a valid way to handle missing and damaged texts."""
    if not isinstance(errors, str) or errors not in ERRORS:
        raise InvalidInputError(f"errors must be 'strict', 'replace' or 'skip', not {short_repr(errors)}")
    return errors  # type: ignore[return-value]


def is_missing(value: object) -> bool:
    """Return whether a value marks a missing entry in a table: None, NaN, or pandas' NA and NaT."""
    if isinstance(value, float):
        return value != value
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def python_values(X: Iterable[Any]) -> Iterable[Any]:
    """Return an iterable of Python objects, converted from an Arrow array if necessary."""
    if hasattr(X, "to_pylist") and hasattr(X, "slice") and hasattr(X, "__len__"):  # no other package is imported
        array: Any = X
        return (value for i in range(0, len(array), ARROW_SLICE) for value in array.slice(i, ARROW_SLICE).to_pylist())
    return X


def warn_of_file_name(text: str) -> None:
    """Warn if a text is the name of a file, because the name itself is learned, letter by letter."""
    if len(text) <= LONGEST_NAME and "\n" not in text and os.path.isfile(text):
        warn_caller(f"the text is the {len(text)} letters {text!r}; to read the file, pass Path({text!r})")


def warn_caller(message: str) -> None:
    """Give a UserWarning that names the line that called the package."""
    level = 1
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        level += 1
        frame = frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def refuse_other_collections(X: Any, name: str) -> None:
    """Raise an error for what is no collection of texts, or has no order; a path or `TextFile` is one text."""
    kind = type(X).__name__
    if isinstance(X, Mapping):
        raise InvalidInputError(
            f"{name} is a {kind}, of which only the keys would be read. Pass list({name}.values()) or list({name})."
        )
    if hasattr(type(X), "columns") or hasattr(X, "column_names"):  # attributes, so that no package is imported
        raise InvalidInputError(f"{name} is a table ({kind}). Pass its column of texts, {name}['column'].")
    if isinstance(X, set | frozenset):
        raise InvalidInputError(
            f"{name} is a {kind}, which has no order, so each run would be trained differently. Pass sorted({name})."
        )
    if isinstance(X, os.PathLike):
        raise InvalidInputError(f"{name} is the path {X}. Pass crnn.Lines({name}), or a list of texts.")
    if hasattr(X, "read") and hasattr(X, "paths"):
        raise InvalidInputError(
            f"{name} is a {kind}, which is one text. Pass crnn.Lines({name}.paths), whose lines are documents, or "
            f"[{name}.read()]."
        )
    if hasattr(X, "read"):
        raise InvalidInputError(
            f"{name} is an open file. Pass {name}.read() for its text, {name}.read().splitlines() for its lines as "
            f"documents, or the file's Path."
        )
    ndim = getattr(X, "ndim", 1)
    if ndim != 1:
        raise InvalidInputError(
            f"{name} is an array of {ndim} dimensions, but documents have one. Pass a column, {name}[:, 0]."
            if ndim
            else f"{name} is an array of no dimension. Pass str({name}), or a list of texts."
        )


SCANNED_IDS = 1 << 20  # ids examined at once, since temporaries of all would take much memory

Ids = NDArray[Any]


def join(texts: Iterable[Any], name: str = "X") -> tuple[Text, NDArray[np.int64]]:
    """Read a collection of texts, of which some may be empty; return them concatenated, and their lengths (n,)."""
    documents = list(python_values(texts))
    if not documents:
        raise InvalidInputError(
            f"{name} is an empty list. Pass at least 1 document (which may be an empty text).", argument=name
        )
    kind = kind_of(documents[0], f"{name}[0]")
    for i, text in enumerate(documents):
        if kind_of(text, f"{name}[{i}]") != kind:
            raise InvalidInputError(
                f"{name}[{i}] is {type(text).__name__}, but {name}[0] is {type(documents[0]).__name__}. Pass documents "
                f"that are all str or all bytes."
            )
        if isinstance(text, memoryview):
            documents[i] = byte_view(text, f"{name}[{i}]")
    lengths = np.fromiter(map(len, documents), np.int64, len(documents))
    return "".join(documents) if kind == "characters" else b"".join(documents), lengths


def pack(ids: Ids, lengths: NDArray[np.int64], boundary: int) -> Ids:
    """Put a boundary before, between and after documents: N concatenated ids, and the n documents' lengths."""
    packed = np.full(len(ids) + len(lengths) + 1, boundary, ids.dtype)
    inside = np.ones(len(packed), np.bool_)
    inside[np.cumsum(np.append(0, lengths + 1))] = False
    packed[inside] = ids
    return packed


def n_unpredicted(boundary: int | None) -> int:
    """Return how many of the first ids of a text are read but not predicted, namely the boundary before a document."""
    return 0 if boundary is None else 1


def n_documents(packed: Ids, boundary: int) -> int:
    """Return the number of packed documents."""
    return (
        sum(int(np.count_nonzero(packed[i : i + SCANNED_IDS] == boundary)) for i in range(0, len(packed), SCANNED_IDS))
        - 1
    )


def boundaries(packed: Ids, boundary: int) -> NDArray[Any]:
    """Return the positions of the boundaries, one more than there are documents, in 4 bytes each if possible."""
    places = np.empty(n_documents(packed, boundary) + 1, np.uint32 if len(packed) < 2**32 else np.int64)
    n = 0
    for i in range(0, len(packed), SCANNED_IDS):
        places_in_piece = np.flatnonzero(packed[i : i + SCANNED_IDS] == boundary)
        places[n : n + len(places_in_piece)] = places_in_piece + i
        n += len(places_in_piece)
    return places


def document_numbers(part: Ids, boundary: int, first: int = 0) -> NDArray[np.intp]:
    """Return the document of each symbol of a part that starts in the document `first`; a boundary ends one."""
    ends = part == boundary
    return np.asarray(first + np.cumsum(ends) - ends)
