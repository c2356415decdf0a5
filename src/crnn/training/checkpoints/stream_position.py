"""The position of streams as plain values and arrays, for files."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.streams.document_streams import DocumentsPosition
from ...text.streams.queues import Held

MAX_COUNT = 2**63 - 1
MAX_SHUFFLES = 1 << 16  # per position; streams have a handful, and each costs as much as a shuffle

Array = NDArray[Any]


def position_parts(position: int | DocumentsPosition) -> tuple[Any, dict[str, Array]]:
    """Return a position of `TextStreams` or `DocumentStreams` as a JSON value and named arrays."""
    if not isinstance(position, DocumentsPosition):
        return int(position), {}
    held = position.held
    arrays = {
        "parts": np.array([len(of_stream.lengths) for of_stream in held], np.int64),
        "begun": np.array([of_stream.read for of_stream in held], np.int64),
        "length": _joined([of_stream.lengths for of_stream in held]),
        "first": _joined([of_stream.first for of_stream in held]),
        "ids": _joined([of_stream.ids for of_stream in held]),
        "weights": _joined([of_stream.weights for of_stream in held], np.float64),
    }
    document = {"order": position.order, "shuffles": position.shuffles, "read": position.read}
    return document, {name: array for name, array in arrays.items() if array is not None}


def _joined(parts: list[Any], dtype: Any = np.int64) -> Array | None:
    """Return the arrays of all streams as one, or None if the streams have none."""
    return None if parts[0] is None else np.concatenate(parts).astype(dtype)


def position_from(document: Any, arrays: dict[str, Array]) -> Any:
    """Return the position that `position_parts` has taken apart."""
    if isinstance(document, int) and not isinstance(document, bool) and document >= 0 and not arrays:
        return document
    try:
        return _documents_position(document, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InvalidInputError(f"the checkpoint's position is invalid: {error}") from None


def _documents_position(document: dict[str, Any], arrays: dict[str, Array]) -> DocumentsPosition:
    if document.keys() != {"order", "shuffles", "read"}:
        raise ValueError("it must have exactly the fields order, shuffles and read")
    order, in_file = document["order"], "ids" in arrays
    if not in_file:
        np.random.PCG64(0).state = order  # raises if the state is invalid
    elif order.keys() != {"seed", "group"}:
        raise ValueError("its order must have exactly the fields seed and group")
    else:
        order = {name: _count(order[name]) for name in ("seed", "group")}
    symbols = ({"ids", "weights"} if "weights" in arrays else {"ids"}) if in_file else {"first"}
    names = {"parts", "begun", "length"} | symbols
    if arrays.keys() != names:
        raise ValueError(f"it must have exactly the arrays {', '.join(sorted(names))}")
    return DocumentsPosition(order, _held(arrays), _count(document["shuffles"], MAX_SHUFFLES), _count(document["read"]))


def _held(arrays: dict[str, Array]) -> tuple[Held, ...]:
    """Return the remaining parts of each stream, checked."""
    parts, begun, length = (_row(arrays[name]) for name in ("parts", "begun", "length"))
    first, ids = (None if name not in arrays else _row(arrays[name]) for name in ("first", "ids"))
    weights = arrays.get("weights")
    total = 0 if ids is None else len(ids)
    if len(parts) != len(begun) or not len(parts) or (parts > len(length)).any() or parts.sum() != len(length):
        raise ValueError("its counts of parts do not add up to the number of parts")
    if first is not None and len(first) != len(length):
        raise ValueError("its parts do not have one place each")
    if (length < 1).any() or (ids is not None and ((length > total).any() or length.sum() != total)):
        raise ValueError("its parts' lengths do not add up to the number of symbols")
    if weights is not None and (weights.dtype != np.float64 or weights.shape != (total,)):
        raise ValueError("its weights must be float64, one per symbol")
    held, part, symbol = list[Held](), 0, 0
    for count, read in zip(parts.tolist(), begun.tolist(), strict=True):
        own = slice(part, part + count)
        lengths = length[own].copy()
        symbols = slice(symbol, symbol + int(lengths.sum()))
        part, symbol = own.stop, symbols.stop
        held.append(
            Held(
                lengths,
                _count(read, int(lengths[0]) - 1 if count else 0),
                None if first is None else first[own].copy(),
                None if ids is None else ids[symbols].astype(np.uint32),
                None if weights is None else weights[symbols].copy(),
            )
        )
    return tuple(held)


def _row(array: Array) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1 or (array < 0).any():
        raise ValueError("its arrays must be one-dimensional int64 arrays of at least 0")
    return array


def _count(value: Any, maximum: int = MAX_COUNT) -> int:
    if type(value) is not int or not 0 <= value <= maximum:
        raise ValueError(f"{value!r:.40} is not a whole number from 0 to {maximum}")
    return value
