"""The file of a detector: the file of its model, of whatever kind, with an entry ``detector`` in the ``__metadata__``.

The entry is JSON: the detector's parameters, how its scores are reduced, and its calibration. A file with the entry
loads as the model alone as well.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..errors import InvalidInputError, ModelFileError
from .container import read_header
from .plain_json import plain_json, read_json
from .sealed_file import (
    NamedBytes,
    Path,
    opened,
    path_name,
    peek_header,
    read_sealed_tensors,
    require_kind,
    sealed_bytes,
    write_path,
)

ENTRY = "detector"
WITH_ENTRY = ("network", "ngram", "mixture")  # kinds of files that may have the entry

Check = Callable[[str, Any], Any]


class Stored(NamedTuple):
    """What a file holds of a detector."""

    content: NamedBytes  # with the name of the file
    entry: dict[str, Any]


def write(path: Path, content: bytes, entry: Mapping[str, Any]) -> None:
    """Write the file of a model, given as bytes, with an entry.

    If the file cannot be written, an existing file is unchanged.
    """
    write_path(path, partial(_content, content, entry))


def read(path: Path, checks: Mapping[str, Check]) -> Stored:
    """Return the bytes of a model's file and the entry; the bytes are not looked into beyond their header.

    For each value of the entry, `checks` has a function that takes its name and value and raises an InvalidInputError.
    """
    with opened(path) as (stream, size):
        content = NamedBytes(stream.read(size), path_name(path))
        header = require_kind(read_header(content, size), *WITH_ENTRY)
        if ENTRY not in header.metadata:
            raise ModelFileError(
                "it contains a model but no detector; load the model with its own class, such as by CharRNN.load, then "
                "give it to AnomalyDetector and call calibrate"
            )
        entry = read_json(header.metadata[ENTRY].encode("ascii", "replace"), ENTRY)
        if not isinstance(entry, dict) or entry.keys() != checks.keys():
            raise ModelFileError(f"its detector does not have the entries {', '.join(checks)}")
        content.seek(0)
        try:
            return Stored(content, {name: check(name, entry[name]) for name, check in checks.items()})
        except InvalidInputError as error:
            raise ModelFileError(f"its detector cannot be used: {error}") from error


def holds_detector(path: Path) -> bool:
    """Return whether a model file has the entry, without checking the rest of the file."""
    return ENTRY in peek_header(path).metadata


def _content(content: bytes, entry: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO(content)
    header = require_kind(read_header(stream, len(content)), *WITH_ENTRY)
    own = {key: value for key, value in header.metadata.items() if key != "checksum"}
    return sealed_bytes(own | {ENTRY: plain_json(entry)}, read_sealed_tensors(stream, header))
