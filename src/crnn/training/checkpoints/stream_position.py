"""The position of streams as plain values and arrays, for files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.streams.document_streams import DocumentsPosition
from ...text.streams.queues import Queue

MAX_COUNT = 2**63 - 1
MAX_SHUFFLES = 1 << 16  # per position; streams have a handful, and each costs a shuffle

Array = NDArray[Any]


def position_parts(position: int | DocumentsPosition) -> tuple[Any, dict[str, Array]]:
    """Return a position of `TextStreams` or `DocumentStreams` as a JSON value and named arrays.

    Examples
    --------
    >>> position_parts(75)
    (75, {})
    """
    if not isinstance(position, DocumentsPosition):
        return int(position), {}
    arrays = {
        "parts": np.array([len(queue.numbers) for queue in position.held], np.int64),
        "begun": np.array([queue.read for queue in position.held], np.int64),
        "numbers": np.concatenate([queue.numbers for queue in position.held]).astype(np.int64),
    }
    return {"order": position.order, "shuffles": position.shuffles, "read": position.read}, arrays


def position_from(document: Any, arrays: dict[str, Array]) -> Any:
    """Return the position that `position_parts` has taken apart, or raise an InvalidInputError."""
    if isinstance(document, int) and not isinstance(document, bool) and document >= 0 and not arrays:
        return document
    try:
        if document.keys() != {"order", "shuffles", "read"}:
            raise ValueError("it must have exactly the fields order, shuffles and read")
        np.random.PCG64(0).state = document["order"]  # raises if the state is invalid
        shuffles, read = _count(document["shuffles"], MAX_SHUFFLES), _count(document["read"])
        return DocumentsPosition(document["order"], _queues(arrays), shuffles, read)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"the checkpoint's position is invalid: {error}") from None


def _queues(arrays: dict[str, Array]) -> tuple[Queue, ...]:
    """Return what remains of each stream; how many symbols, the documents will tell."""
    if arrays.keys() != {"parts", "begun", "numbers"}:
        raise ValueError("it must have exactly the arrays parts, begun and numbers")
    parts, begun, numbers = (_row(arrays[name]) for name in ("parts", "begun", "numbers"))
    if len(parts) != len(begun) or not len(parts) or (parts > len(numbers)).any() or parts.sum() != len(numbers):
        raise ValueError("its counts of parts do not add up to the number of parts")
    own = np.split(numbers, np.cumsum(parts)[:-1])
    return tuple(Queue(part.copy(), read, 0) for part, read in zip(own, begun.tolist(), strict=True))


def _row(array: Array) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1 or (array < 0).any():
        raise ValueError("its arrays must be one-dimensional int64 arrays of at least 0")
    return array


def _count(value: Any, maximum: int = MAX_COUNT) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{value!r:.40} is not a whole number from 0 to {maximum}")
    return value
