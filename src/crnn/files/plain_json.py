"""JSON of documents that contain NumPy scalars and arrays, and JSON from untrusted files, limited in size."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..errors import ModelFileError

MAX_JSON = 16 << 20  # bytes: all existing code points, as numbers in JSON, need 9 million


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


def read_json(text: bytes, what: str) -> Any:
    """Return a JSON document, or raise a ModelFileError if it is too long, not JSON, or has a name twice.

    Examples
    --------
    >>> read_json(b'{"a": [1, 2]}', "example")
    {'a': [1, 2]}
    """
    if len(text) > MAX_JSON:
        raise ModelFileError(f"its {what} has {len(text)} bytes, more than the {MAX_JSON} that crnn reads")
    try:
        return json.loads(text.decode("ascii"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {what} is not readable JSON") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document
