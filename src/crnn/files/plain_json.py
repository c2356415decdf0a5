"""JSON of documents that contain NumPy scalars and arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def plain_json(document: Any) -> str:
    """Return a document as JSON, with NumPy scalars and arrays as numbers and lists."""
    return json.dumps(document, default=_plain)


def plain_value(value: Any) -> Any:
    """Convert NumPy scalars and arrays to Python numbers and lists, and return anything else unchanged.

    Examples
    --------
    >>> plain_value(np.float32(0.5)), plain_value(np.longdouble(0.5)), plain_value(np.array([2, 3]))
    (0.5, 0.5, [2, 3])
    """
    plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    # tolist() does not convert extended precision, since Python has no such number.
    return float(plain) if isinstance(plain, np.longdouble) else plain


def _plain(value: Any) -> Any:
    plain = plain_value(value)
    if plain is value or isinstance(plain, np.generic):
        raise TypeError(f"a model file cannot store {value!r} of type {type(value).__name__}; use JSON values")
    return plain
