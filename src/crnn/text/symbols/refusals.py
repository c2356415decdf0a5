"""Refusals: the errors for texts and ids that do not fit a vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from .codes import Kind, kind_of


def refuse_other_kind(text: object, kind: Kind, name: str) -> None:
    """Raise an error unless a text is of this kind."""
    if kind_of(text, name) == kind:
        return
    if kind == "bytes":
        raise InvalidInputError(
            f"{name} is text, but the symbols of this model are bytes. "
            "Pass bytes (from encode() of a str, or read_bytes() of a path)."
        )
    raise InvalidInputError(
        f"{name} is bytes, but the symbols of this model are characters. Pass a str (from decode())."
    )


def refuse_other_ids(
    ids: NDArray[Any], n_symbols: int, boundary: int | None, *, documents: bool = False
) -> None:
    """Raise an error unless all ids are ids of characters or, between documents, the boundary."""
    if ids.size and (ids.min() < 0 or ids.max() >= n_symbols):
        i = int(np.flatnonzero((ids < 0) | (ids >= n_symbols))[0])
        raise InvalidInputError(f"ids[{i}] is {ids[i]}, but the ids of this vocabulary run from 0 to {n_symbols - 1}")
    if boundary is not None and not documents and (ids == boundary).any():
        i = int(np.argmax(ids == boundary))
        raise InvalidInputError(f"ids[{i}] is the boundary, not a character. Use decode_documents.")
    if boundary is not None and (ids > boundary).any():
        i = int(np.argmax(ids > boundary))
        raise InvalidInputError(f"ids[{i}] is a label, not a character. Remove labels before decoding.")


def not_a_symbol(symbol: str | bytes, position: int, name: str, n_symbols: int) -> InvalidInputError:
    """Return the error for a symbol outside a model's `n_symbols` symbols."""
    code = ord(symbol)
    point = f"U+{code:04X}" if isinstance(symbol, str) else f"byte 0x{code:02X}"
    return InvalidInputError(
        f"{name} contains {symbol!r} ({point}) at position {position}, which is not one of the model's {n_symbols} "
        f"symbols. Remove or replace it, or fit on text that contains it, or with min_count=2 or more."
    )
