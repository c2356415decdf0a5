"""The training state in files of format 1 and 2, whose history is a list in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..errors import ModelFileError
from .bounded_json import MAX_MEMORY, bounded_json, memory_bound
from .history_table import MAX_TEXT, HistoryTable

_HISTORY = '"history": ['


def old_training(text: bytes, version: int) -> Any:
    """Return the document of a training state, with the optimizer that format 1 does not name.

    A history that would take much memory becomes a `HistoryTable`.

    Parameters
    ----------
    text : bytes
    version : int
        1 or 2.

    Examples
    --------
    >>> old_training(b'{"n_steps": 3, "history": [{"step": 3}]}', 1)
    {'optimizer': 'adagrad', 'optimizer_start': 0, 'n_steps': 3, 'history': [{'step': 3}]}
    """
    records: JsonRecords | None = None
    if memory_bound(text) > MAX_MEMORY:
        text, records = _without_history(text)
    document = bounded_json(text, "training")
    if isinstance(document, dict):
        if version == 1:
            document = {"optimizer": "adagrad", "optimizer_start": 0} | document
        if records is not None:
            document["history"] = HistoryTable.of(records)
    return document


def _without_history(text: bytes) -> tuple[bytes, JsonRecords | None]:
    """Return a document with an empty history, and the records."""
    try:
        whole = text.decode("ascii")
    except UnicodeDecodeError as error:
        raise ModelFileError("its training is not readable JSON") from error
    start = whole.find(_HISTORY) + len(_HISTORY)
    records = JsonRecords(whole, start)
    for _ in records:
        pass
    return text[:start] + text[records.end :], records


class JsonRecords:
    """The records in a long JSON list, of a file of format 1 or 2: each is parsed alone, whenever it is its turn.

    Parameters
    ----------
    text : str
    start : int
        Of the list's first record.

    Examples
    --------
    >>> records = JsonRecords('[{"a": 1}, {"a": 2}]', 1)
    >>> list(records), records.end
    ([{'a': 1}, {'a': 2}], 19)
    """

    def __init__(self, text: str, start: int) -> None:
        self._text, self._start = text, start
        self.end = start  # of the last record, once all have been read

    def __iter__(self) -> Iterator[dict[str, Any]]:
        place = self._start
        separator = ""
        while self._text.startswith(separator + "{", place):
            place += len(separator)
            record, length = self._record(place)
            place += length
            yield record
            separator = ", "
        self.end = place

    def _record(self, place: int) -> tuple[dict[str, Any], int]:
        decoder = json.JSONDecoder()
        for size in (1 << 10, MAX_TEXT):
            try:
                return decoder.raw_decode(self._text[place : place + size])
            except (ValueError, RecursionError) as error:
                fault = error
        raise ModelFileError("its history is not readable JSON") from fault
