"""JSON of documents that contain NumPy's scalars and arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def plain_json(document: Any) -> str:
    """Return a document as JSON, NumPy's scalars and arrays as what they hold.

    Raises
    ------
    TypeError
        If it contains what JSON cannot hold.

    Examples
    --------
    >>> plain_json({"a": np.float32(0.5)})
    '{"a": 0.5}'
    """
    return json.dumps(document, default=_plain)


def plain_value(value: Any) -> Any:
    """Return NumPy's scalars and arrays as Python's own numbers and lists, and anything else as it is.

    Examples
    --------
    >>> plain_value(np.float32(0.5)), plain_value(np.longdouble(0.5)), plain_value(np.array([2, 3]))
    (0.5, 0.5, [2, 3])
    """
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    # tolist() leaves extended precision as it is, since Python has no such number.
    return float(plain) if isinstance(plain, np.longdouble) else plain


def _plain(value: Any) -> Any:
    plain = plain_value(value)
    if plain is value or isinstance(plain, np.generic):
        raise TypeError(f"a model file holds what JSON can, not {value!r} of type {type(value).__name__}")
    return plain
