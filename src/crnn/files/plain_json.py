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


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a model file holds what JSON can, not {value!r} of type {type(value).__name__}")
