"""Refusals: the errors for texts and ids that do not fit a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from .codes import Kind, kind_of

__all__ = ["not_a_symbol", "refuse_other_ids", "refuse_other_kind"]


def refuse_other_kind(text: object, kind: Kind, name: str) -> None:
    """Raise an error unless a text is of this kind.

    Examples
    --------
    >>> refuse_other_kind(b"to be", "characters", "X")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: X is bytes, but the symbols of this model are characters: pass a str ...
    """
    if kind_of(text, name) == kind:
        return
    if kind == "bytes":
        raise InvalidInputError(
            f"{name} is text, but the symbols of this model are bytes: "
            "pass bytes (encode() makes them of a str, read_bytes() of a path)"
        )
    raise InvalidInputError(
        f"{name} is bytes, but the symbols of this model are characters: pass a str (decode() makes it)"
    )


def refuse_other_ids(ids: NDArray[Any], n_symbols: int, boundary: int | None) -> None:
    """Raise an error unless all ids are those of characters: from 0 on, and below the boundary if there is one.

    Examples
    --------
    >>> refuse_other_ids(np.array([0, 2]), 3, boundary=2)
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: ids[1] is the boundary, which is no character: use decode_documents
    """
    if ids.size and (ids.min() < 0 or ids.max() >= n_symbols):
        i = int(np.flatnonzero((ids < 0) | (ids >= n_symbols))[0])
        raise InvalidInputError(f"ids[{i}] is {ids[i]}, but the ids of this vocabulary run from 0 to {n_symbols - 1}")
    if boundary is not None and (ids == boundary).any():
        i = int(np.argmax(ids == boundary))
        raise InvalidInputError(f"ids[{i}] is the boundary, which is no character: use decode_documents")
    if boundary is not None and (ids > boundary).any():
        i = int(np.argmax(ids > boundary))
        raise InvalidInputError(f"ids[{i}] is a label, which is no character")


def not_a_symbol(symbol: str | bytes, position: int, name: str, n_symbols: int) -> InvalidInputError:
    """Return the error for a symbol that is not one of the `n_symbols` of a model.

    Examples
    --------
    >>> str(not_a_symbol("q", 3, "X", 20))[:80]
    "X holds 'q' (U+0071) at position 3, which is not one of the 20 symbols of the mo"
    """
    code = ord(symbol)
    point = f"U+{code:04X}" if isinstance(symbol, str) else f"byte 0x{code:02X}"
    return InvalidInputError(
        f"{name} holds {symbol!r} ({point}) at position {position}, which is not one of the {n_symbols} symbols of "
        f"the model: remove or replace it, or fit on text that has it, or with min_count=2 or more"
    )
