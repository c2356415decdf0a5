"""Stored vocabulary: a vocabulary as a JSON document of a model file, and back.

The document contains ``kind`` and the ``codes`` (code points or byte values) in id order; ``unknown`` and ``boundary``,
each ``true``, if there are such symbols; and ``labels`` if there are any.
"""

from __future__ import annotations

import itertools
from typing import Any

from ..errors import InvalidInputError, ModelFileError
from ..text.vocabulary import Vocabulary
from .plain_json import plain_json, read_json


def vocabulary_json(vocabulary: Vocabulary) -> str:
    """Return a vocabulary as JSON."""
    document: dict[str, Any] = {"kind": vocabulary.kind, "codes": vocabulary.codes}
    document |= {key: True for key in ("unknown", "boundary") if getattr(vocabulary, key) is not None}
    return plain_json(document | ({"labels": list(vocabulary.labels)} if vocabulary.labels else {}))


def read_vocabulary(text: str) -> Vocabulary:
    """Return the vocabulary in a file, or raise ModelFileError."""
    document = read_json(text.encode("ascii", "replace"), "vocabulary")
    if fault := _fault(document):
        raise ModelFileError(fault)
    try:
        return Vocabulary(**document)
    except InvalidInputError as error:
        raise ModelFileError(f"its vocabulary is invalid ({error})") from error


def _fault(document: Any) -> str | None:
    """Return why a JSON document does not contain a vocabulary's arguments, or None."""
    if not isinstance(document, dict) or document.keys() - {"unknown", "boundary", "labels"} != {"kind", "codes"}:
        return "its vocabulary must be an object with kind and codes, and optionally unknown, boundary and labels"
    kind, codes = document["kind"], document["codes"]
    whole = type(codes) is list and all(type(code) is int for code in codes)
    if type(kind) is not str or not whole:
        return "its vocabulary's codes are not a list of integers, or their kind is not a word"
    special = [document[key] for key in ("unknown", "boundary") if key in document]
    if any(there is not True for there in special):
        return "its vocabulary has an unknown or boundary entry that is not true"
    labels = document.get("labels", [])
    if type(labels) is not list or not labels_are_sorted(labels) or ("boundary" not in document and labels):
        return "its vocabulary's labels are not sorted words or numbers, or lack a boundary"
    return None


def labels_are_sorted(labels: list[Any]) -> bool:
    """Return whether values from a file are distinct labels of one type, in order."""
    if {type(label) for label in labels} - {str, int, float, bool} or len({type(label) for label in labels}) > 1:
        return False
    return all(a < b for a, b in itertools.pairwise(labels))
