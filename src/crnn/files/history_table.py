"""Training records as arrays and back: a record in memory takes many times its bytes in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .bounded_json import MAX_MEMORY, bounded_json, memory_bound
from .plain_json import plain_json, plain_value

ABSENT, NONE, WHOLE, REAL, OTHER = range(5)  # kinds of a value
MAX_TEXT = 1 << 16  # maximum bytes of JSON for a non-numeric value
MAX_COLUMNS = 1000
LINE_FEED = ord("\n")

Array = NDArray[Any]


class HistoryTable(Sequence[dict[str, Any]]):
    """Training records in arrays; a sequence of dicts, each made on access.

    For each value of n records, `kinds` (n, len(columns)) says absent, None, integer, real or other, and `bits` has the
    integer or the float64's bits. `texts` is JSON of all other values, row by row, each ended by a line feed.
    """

    def __init__(self, columns: Sequence[str], kinds: Array, bits: Array, texts: Array) -> None:
        self.columns, self.kinds, self.bits, self.texts = list(columns), kinds, bits, texts

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> HistoryTable:
        """Return the table of records, iterating over them twice."""
        places: dict[str, int] = {}
        n = 0
        for record in records:
            n += 1
            for name in record:
                places.setdefault(name, len(places))
        if len(places) > MAX_COLUMNS or not all(isinstance(name, str) for name in places):
            raise ValueError(f"a record of history_ has a name that is not a str, or over {MAX_COLUMNS} names")
        width = max(len(places), 1)  # a row of a file has at least one byte
        kinds, bits = np.zeros((n, width), np.uint8), np.zeros((n, width), np.int64)
        texts = []
        for i, record in enumerate(records):
            others = []
            for name, value in record.items():
                kinds[i, places[name]], bits[i, places[name]], text = _stored(value)
                if text:
                    others.append((places[name], text))
            texts += [text for _, text in sorted(others)]
        joined = "".join(f"{text}\n" for text in texts).encode("ascii")
        return cls(list(places) or [""], kinds, bits, np.frombuffer(joined, np.uint8))

    def fault(self) -> str | None:
        """Return why these arrays do not form a history, or None."""
        if self.kinds.shape != self.bits.shape or self.kinds.shape[1:] != (len(self.columns),):
            return "its history's arrays differ in shape"
        if not self.columns or (self.kinds > OTHER).any():
            return "its history has no names, or a value of unknown kind"
        count = np.count_nonzero(self.texts == LINE_FEED)
        if count != np.count_nonzero(self.kinds == OTHER) or (len(self.texts) and self.texts[-1] != LINE_FEED):
            return "its history has the wrong number of texts"
        if count and np.diff(self._ends, prepend=-1).max() > MAX_TEXT:
            return "its history has a text that is too long"
        for i in range(count):
            self._text(i)  # raises a ModelFileError if it is not readable
        return None

    @cached_property
    def _ends(self) -> Array:
        """The end of each text."""
        return np.flatnonzero(self.texts == LINE_FEED)

    @cached_property
    def _first(self) -> Array:
        """The number of the first text in each row."""
        return np.concatenate([[0], np.count_nonzero(self.kinds == OTHER, axis=1).cumsum()])

    def _text(self, i: int) -> Any:
        start = self._ends[i - 1] + 1 if i else 0
        return bounded_json(self.texts[start : self._ends[i]].tobytes(), "history")

    @overload
    def __getitem__(self, i: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, i: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, i: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Return a record, or a list of records."""
        if isinstance(i, slice):
            return [self._record(k) for k in range(*i.indices(len(self)))]
        return self._record(range(len(self))[i])

    def _record(self, i: int) -> dict[str, Any]:
        record: dict[str, Any] = {}
        text = int(self._first[i])
        for name, kind, number in zip(self.columns, self.kinds[i].tolist(), self.bits[i], strict=True):
            if kind == NONE:
                record[name] = None
            elif kind == WHOLE:
                record[name] = int(number)
            elif kind == REAL:
                record[name] = float(number.view(np.float64))
            elif kind == OTHER:
                record[name] = self._text(text)
                text += 1
        return record

    def __len__(self) -> int:
        return len(self.kinds)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._record, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | HistoryTable) and len(self) == len(other) and all(map(_equal, self, other))

    __hash__ = None  # type: ignore[assignment]


def _equal(left: Any, right: Any) -> bool:
    return bool(left == right)


def _stored(value: Any) -> tuple[int, int, str]:
    """Return the kind, the bits and the JSON of a value."""
    value = plain_value(value)
    if value is None:
        return NONE, 0, ""
    if type(value) is float:
        return REAL, int(np.float64(value).view(np.int64)), ""
    if type(value) is int and -(2**63) <= value < 2**63:
        return WHOLE, value, ""
    text = plain_json(value)
    if len(text) >= MAX_TEXT or memory_bound(text.encode("ascii")) > MAX_MEMORY:
        raise ValueError(f"a record of history_ has a value of {len(text)} characters of JSON. Shorten it.")
    return OTHER, 0, text
