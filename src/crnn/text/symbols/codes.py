"""Code points and byte values: read a text as codes, piece by piece, and collect the distinct ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InvalidInputError
from ...parameters.checks import require_unmasked

Kind = Literal["characters", "bytes"]
Bytes = bytes | bytearray | memoryview
Text = str | Bytes

MAX_CODE: dict[Kind, int] = {"characters": 0x10FFFF, "bytes": 0xFF}
UTF32 = "utf-32-le"
# Symbols encoded at once: the temporaries (13 bytes per symbol and NumPy's index) stay in the second-level cache.
_PIECE = 1 << 16


def collect(blocks: Iterable[Text], kind: Kind | None, min_count: int) -> tuple[NDArray[np.intp], Kind | None, bool]:
    """Return the sorted codes that occur at least `min_count` times in a text, the text's kind, and whether it has no
    symbols.

    The text is cut into blocks in any way. Without a kind, it is the first block's; None if there were no blocks.
    """
    counts: NDArray[Any] = np.zeros(0, np.bool_)  # a byte per code point (of 1,114,112) if min_count is 1, otherwise 8
    for block in blocks:
        kind_of_block = kind_of(block, "the text")
        if kind is None:
            kind = kind_of_block
        elif kind_of_block != kind:
            raise InvalidInputError("the blocks of a text must be all str or all bytes, not a mixture")
        if not len(counts):
            counts = np.zeros(MAX_CODE[kind] + 1, np.bool_ if min_count == 1 else np.int64)
        for codes in pieces(block):
            if min_count == 1:
                counts[codes] = True
            else:
                of_piece = np.bincount(codes)
                counts[: len(of_piece)] += of_piece
    return np.flatnonzero(counts >= min_count), kind, not counts.any()


def found_kind(codes: NDArray[Any], kind: Kind | None, empty: bool, min_count: int, boundary: bool) -> Kind:
    """Return the kind of the codes found by `collect`, or raise an error if they cannot form a vocabulary."""
    if kind is None or (empty and not boundary):
        raise InvalidInputError(
            "the text is empty, too short to train on: its length is 0, but at least 2 symbols are needed",
            argument="the text",
        )
    if not len(codes) and not empty:
        raise InvalidInputError(f"min_count is {min_count}, but no symbol occurs that often. Lower min_count.")
    return kind


def immutable(text: Text) -> str | bytes:
    """Return a text that cannot change: any bytes-like object as bytes."""
    return text if isinstance(text, str) else bytes(text)


def byte_view(data: Bytes, name: str = "X") -> memoryview:
    """Return a flat view of unsigned bytes; non-contiguous data are copied."""
    view = memoryview(data)
    if view.itemsize != 1:
        raise InvalidInputError(
            f'{name} is a memoryview of {view.itemsize}-byte items (format "{view.format}"), not of bytes. '
            'Use its cast("B") to read its bytes.'
        )
    return view.cast("B") if view.c_contiguous else memoryview(view.tobytes())


def kind_of(text: object, name: str) -> Kind:
    """Return the kind of a text, or raise an error with its `name` if it is not a text."""
    if isinstance(text, str):
        return "characters"
    if isinstance(text, (bytes, bytearray, memoryview)):
        return "bytes"
    missing = text is None or isinstance(text, float) or type(text).__name__ == "NAType"  # as in tables
    remedy = ". Leave out missing texts." if missing else ""
    raise InvalidInputError(f"{name} must be str or bytes, not {type(text).__name__}{remedy}")


def pieces(text: Text) -> Iterator[NDArray[Any]]:
    """Yield the code points or byte values of a text in non-empty pieces of at most `_PIECE`."""
    if isinstance(text, str):
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            yield np.frombuffer(piece.encode(UTF32, "surrogatepass"), "<u4")
    else:
        values = np.frombuffer(byte_view(text), np.uint8)
        for start in range(0, len(values), _PIECE):
            yield values[start : start + _PIECE]


def integers(values: ArrayLike, name: str) -> NDArray[np.integer[Any]]:
    """Return values as one-dimensional integers, even an empty list, which NumPy would read as floats."""
    require_unmasked(name, values, "Leave it out.")
    numbers = np.asarray(values)
    if numbers.ndim != 1:
        raise InvalidInputError(f"{name} must be one-dimensional, not of shape {numbers.shape}")
    if numbers.size == 0:
        return numbers.astype(np.intp)
    if numbers.dtype.kind not in "iu":
        raise InvalidInputError(f"{name} must be integers, not {numbers.dtype}")
    return numbers


def checked_codes(codes: ArrayLike, max_code: int) -> NDArray[np.uint32]:
    """Return codes as a new read-only array, or raise an error unless they increase strictly within 0 … `max_code`."""
    numbers = integers(codes, "codes")
    if numbers.size and (numbers.min() < 0 or numbers.max() > max_code):
        raise InvalidInputError(
            f"codes must be between 0 and {max_code}, but run from {numbers.min()} to {numbers.max()}"
        )
    # Always copy: the caller's array may change later.
    own = np.array(numbers, np.uint32)
    falls = np.flatnonzero(own[1:] <= own[:-1])
    if falls.size:
        i = int(falls[0])
        raise InvalidInputError(
            f"codes must be strictly increasing, but codes[{i + 1}] is {own[i + 1]}, after {own[i]}"
        )
    own.flags.writeable = False
    return own
