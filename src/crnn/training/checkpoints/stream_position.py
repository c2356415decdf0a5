"""The position of streams as plain values and arrays, for a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.streams.document_streams import DocumentsPosition, Queue
from ...text.streams.stored_document_streams import Held, StoredDocumentsPosition

__all__ = ["position_from", "position_parts"]

MAX_COUNT = 2**63 - 1
MAX_SHUFFLES = 1 << 16  # of one position; streams have a handful, and each takes the time of a shuffle

STORED = ("seed", "group", "groups", "read")  # the numbers of a StoredDocumentsPosition

Array = NDArray[Any]


def position_parts(position: Any) -> tuple[Any, dict[str, Array]]:
    """Return a position as a JSON value and named arrays.

    Parameters
    ----------
    position : int, DocumentsPosition or StoredDocumentsPosition
        Of `TextStreams`, `DocumentStreams` or `StoredDocumentStreams`.

    Examples
    --------
    >>> position_parts(75)
    (75, {})
    """
    if isinstance(position, StoredDocumentsPosition):
        return _stored_parts(position)
    if not isinstance(position, DocumentsPosition):
        return int(position), {}
    queues = position.queues
    document = {
        "random_state": position.random_state,
        "shuffles": position.shuffles,
        "read": position.read,
    }
    arrays = {
        "parts": np.array([len(queue.first) for queue in queues], np.int64),  # of each stream
        "begun": np.array([queue.read for queue in queues], np.int64),
        "first": np.concatenate([queue.first for queue in queues]).astype(np.int64),
        "length": np.concatenate([queue.length for queue in queues]).astype(np.int64),
    }
    return document, arrays


def _stored_parts(position: StoredDocumentsPosition) -> tuple[Any, dict[str, Array]]:
    held = position.held
    arrays = {
        "parts": np.array([len(of_stream.lengths) for of_stream in held], np.int64),
        "begun": np.array([of_stream.read for of_stream in held], np.int64),
        "length": np.concatenate([of_stream.lengths for of_stream in held]).astype(np.int64),
        "ids": np.concatenate([of_stream.ids for of_stream in held]).astype(np.int64),
    }
    weights = [of_stream.weights for of_stream in held if of_stream.weights is not None]
    if weights:
        arrays["weights"] = np.concatenate(weights)
    return {name: getattr(position, name) for name in STORED}, arrays


def position_from(document: Any, arrays: dict[str, Array]) -> Any:
    """Return the position that `position_parts` made these of.

    Raises
    ------
    InvalidInputError
        If they are of no position.

    Examples
    --------
    >>> nothing = np.zeros(0, np.int64)
    >>> state = np.random.default_rng(0).bit_generator.state
    >>> start = DocumentsPosition(state, (Queue(nothing, nothing, 0, 0),) * 3, 0, 0)
    >>> position_from(*position_parts(start)).queues[2].symbols
    0
    """
    if isinstance(document, int) and not isinstance(document, bool) and document >= 0 and not arrays:
        return document
    try:
        if "seed" in document:
            return _stored_position(document, arrays)
        return _documents_position(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"the position in the text is none ({error})") from None


def _documents_position(document: dict[str, Any], arrays: dict[str, Array]) -> DocumentsPosition:
    np.random.PCG64(0).state = document["random_state"]  # raises if it is none
    if document.keys() != {"random_state", "shuffles", "read"}:
        raise ValueError("it must have just random_state, shuffles and read")
    shuffles, read = _count(document["shuffles"], MAX_SHUFFLES), _count(document["read"])
    parts, begun, first, length = (_row(arrays[name]) for name in ("parts", "begun", "first", "length"))
    if len(arrays) != 4 or len(parts) != len(begun) or len(first) != len(length) or not len(parts):
        raise ValueError("its arrays do not fit each other")
    if (parts > len(first)).any() or parts.sum() != len(first) or (length < 1).any():
        raise ValueError("its streams do not have the parts that there are")
    queues, end = [], 0
    for count, read_of_part in zip(parts.tolist(), begun.tolist(), strict=True):
        of_stream = slice(end, end + count)
        end += count
        read_of_part = _count(read_of_part, int(length[of_stream][0]) - 1 if count else 0)
        symbols = int(length[of_stream].sum()) - read_of_part
        queues.append(Queue(first[of_stream].copy(), length[of_stream].copy(), read_of_part, symbols))
    return DocumentsPosition(document["random_state"], tuple(queues), shuffles, read)


def _stored_position(document: dict[str, Any], arrays: dict[str, Array]) -> StoredDocumentsPosition:
    if document.keys() != set(STORED):
        raise ValueError(f"it must have just {', '.join(STORED)}")
    numbers = {name: _count(document[name], MAX_SHUFFLES if name == "groups" else MAX_COUNT) for name in STORED}
    parts, begun, length, ids = (_row(arrays[name]) for name in ("parts", "begun", "length", "ids"))
    weights = arrays.get("weights")
    if weights is not None and (weights.dtype != np.float64 or weights.shape != ids.shape):
        raise ValueError("its weights must be float64, one for each symbol")
    if len(arrays) != 4 + (weights is not None) or len(parts) != len(begun) or parts.sum() != len(length):
        raise ValueError("its arrays do not fit each other")
    if (parts > len(length)).any() or (length < 1).any() or (length > len(ids)).any() or length.sum() != len(ids):
        raise ValueError("its streams do not have the parts that there are")
    held, part, symbol = [], 0, 0
    for count, read in zip(parts.tolist(), begun.tolist(), strict=True):
        lengths = length[part : part + count].copy()
        of_stream = slice(symbol, symbol + int(lengths.sum()))
        part, symbol = part + count, of_stream.stop
        read = _count(read, int(lengths[0]) - 1 if count else 0)
        own = None if weights is None else weights[of_stream].copy()
        held.append(Held(ids[of_stream].astype(np.uint32), lengths, read, own))
    return StoredDocumentsPosition(**numbers, held=tuple(held))


def _row(array: Array) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1 or (array < 0).any():
        raise ValueError("an array must be a row of int64 of at least 0")
    return array


def _count(value: Any, maximum: int = MAX_COUNT) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{value!r:.40} must be a whole number from 0 to {maximum}")
    return value
