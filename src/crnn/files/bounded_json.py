"""JSON from an untrusted file, parsed only if the result cannot take much memory."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ..errors import ModelFileError

MAX_MEMORY = 6 << 20  # maximum bytes of a parsed document
_BOUNDS = {b"{": 232, b":": 112, b"[": 88, b",": 72}  # maximum bytes in memory for each of these (CPython)
_LONG_LIST = rb"((?:[0-9]{1,7}, )*+[0-9]{1,7})\]"
_QUOTED_CODES = re.compile(rb'\\"codes\\": \[' + _LONG_LIST)  # in the header, in a string
_CODES = re.compile(rb'"codes": \[' + _LONG_LIST)


def bounded_json(text: bytes, what: str) -> Any:
    """Parse a JSON document, in ASCII, whose result takes at most `MAX_MEMORY`; `what` is its name in the error."""
    if memory_bound(text) > MAX_MEMORY:
        raise ModelFileError(f"its {what} is larger than any that crnn writes")
    try:
        return json.loads(text.decode("ascii"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {what} is not readable JSON") from error


def memory_bound(text: bytes) -> int:
    """Return an upper bound on the number of bytes of a parsed document."""
    return len(text) + sum(text.count(mark) * size for mark, size in _BOUNDS.items())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name occurs twice")
    return document


# A vocabulary of a hundred thousand symbols is a list of numbers in JSON, within a string of the header. It is cut out
# before parsing, and NumPy parses it.


def without_codes(header: bytes) -> tuple[bytes, bytes]:
    """Cut a long list of codes out of a header; return the header with an empty list, and the list's text."""
    match = _QUOTED_CODES.search(header) if memory_bound(header) > MAX_MEMORY else None
    return (header, b"") if match is None else (header[: match.start(1)] + header[match.end(1) :], match[1])


def with_codes(vocabulary: str, codes: bytes) -> str:
    """Return a vocabulary's document with the list of codes put back."""
    head, bracket, tail = vocabulary.partition('"codes": [')
    return "".join((head, bracket, codes.decode("ascii"), tail))


def vocabulary_document(text: str) -> Any:
    """Parse a vocabulary's document; a long list of codes becomes an array."""
    plain = text.encode("ascii", "replace")
    match = _CODES.search(plain) if memory_bound(plain) > MAX_MEMORY else None
    if match is None:
        return bounded_json(plain, "vocabulary")
    document = bounded_json(plain[: match.start(1)] + plain[match.end(1) :], "vocabulary")
    if isinstance(document, dict) and document.get("codes") == []:
        document["codes"] = np.fromstring(match[1].decode("ascii"), np.int64, sep=",")
    return document
