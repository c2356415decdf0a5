"""The model file of counts: one sealed file with the n-grams of a `CharNGram`, sorted and packed.

In addition to a sealed file's entries, the ``__metadata__`` contains ``configuration``, the constructor's parameters in
JSON, and ``vocabulary`` (see `stored_vocabulary`). The tensors come from `crnn.ngram.packed_counts.pack`; with labels,
the arrays of label k have names that begin with ``k.``, and ``frequencies`` has the number of texts of each label.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError
from ..ngram.counts import Counts, NGramSettings
from ..ngram.labeled_counts import LabeledCounts
from ..ngram.packed_counts import pack, unpack
from ..text.vocabulary import Vocabulary
from .container import read_header
from .plain_json import plain_json, read_json
from .sealed_file import (
    Path,
    bytes_stream,
    opened,
    read_sealed_tensors,
    require_kind,
    sealed_bytes,
    with_format,
    write_path,
)
from .stored_vocabulary import read_vocabulary, vocabulary_json

TENSORS = {"lengths", "sizes", "symbols", "counts"}
FREQUENCIES = "frequencies"


class CountedText(NamedTuple):
    """Everything a model of counts has learned."""

    vocabulary: Vocabulary
    counts: Counts  # never changed again; with labels, the counts of the first label
    labeled: LabeledCounts | None = None


def write(path: Path, learned: CountedText, parameters: Mapping[str, Any]) -> None:
    """Write a model to a file, all or nothing.

    If the file cannot be written, an existing file is unchanged.
    """
    NGramSettings.check(parameters)
    write_path(path, partial(to_bytes, learned, parameters))


def to_bytes(learned: CountedText, parameters: Mapping[str, Any]) -> bytes:
    """Return the bytes that `write` would write, without checking the parameters."""
    own = {name: value for name, value in parameters.items() if name != "vocabulary"}  # the file has the model's own
    metadata = {"configuration": plain_json(own), "vocabulary": vocabulary_json(learned.vocabulary)}
    tensors = pack(learned.counts)
    if learned.labeled is not None:
        parts = enumerate(map(pack, learned.labeled.parts))
        tensors = {f"{k}.{name}": array for k, part in parts for name, array in part.items()}
        tensors[FREQUENCIES] = learned.labeled.frequencies
    return sealed_bytes(with_format("ngram", metadata), tensors)


def read(path: Path, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], CountedText]:
    """Return the parameters and the counts in an untrusted file; `defaults` replace missing parameters."""
    with opened(path) as (stream, size):
        header = require_kind(read_header(stream, size), "ngram")
        for key in ("configuration", "vocabulary"):
            if key not in header.metadata:
                raise ModelFileError(f"it has no {key}")
        parameters = _parameters(header.metadata["configuration"], defaults)
        vocabulary = read_vocabulary(header.metadata["vocabulary"])
        n_labels = len(vocabulary.labels)
        known = TENSORS
        if n_labels:
            known = {f"{k}.{name}" for k in range(n_labels) for name in TENSORS} | {FREQUENCIES}
        if unknown := header.declared.keys() - known:
            raise ModelFileError(f"it has a tensor {reprlib.repr(min(unknown))} that does not belong to counts")
        return parameters, _counts(read_sealed_tensors(stream, header), vocabulary)


def from_bytes(content: bytes, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], CountedText]:
    """Return the arguments of `to_bytes`; see `read`."""
    return read(bytes_stream(content), defaults)


def _counts(tensors: dict[str, Array], vocabulary: Vocabulary) -> CountedText:
    """Return the counts in a file's tensors, checked."""
    n_labels = len(vocabulary.labels)
    symbols = len(vocabulary) - n_labels
    try:
        if not n_labels:
            return CountedText(vocabulary, unpack(tensors, symbols, vocabulary.boundary))
        parts = [
            unpack(
                {name: tensors[f"{k}.{name}"] for name in TENSORS if f"{k}.{name}" in tensors},
                symbols,
                vocabulary.boundary,
            )
            for k in range(n_labels)
        ]
    except InvalidInputError as error:
        raise ModelFileError(f"its counts are invalid: {error}") from error
    if len({part.order for part in parts}) > 1:
        raise ModelFileError("its labels have n-grams of different lengths")
    frequencies = tensors.get(FREQUENCIES, np.empty(0))
    as_expected = frequencies.dtype == np.float64 and frequencies.shape == (n_labels,)
    if not (as_expected and np.isfinite(frequencies).all() and (frequencies > 0).all()):
        raise ModelFileError("its labels have no numbers of texts")
    return CountedText(vocabulary, parts[0], LabeledCounts(parts, frequencies))


def _parameters(text: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters in a file, checked."""
    own = read_json(text.encode("ascii", "replace"), "configuration")
    if not isinstance(own, dict):
        raise ModelFileError("its configuration is not a JSON object")
    if unknown := own.keys() - defaults.keys():
        raise ModelFileError(f"its configuration has an unknown parameter {reprlib.repr(min(unknown))}")
    parameters = {**defaults, **own}
    try:
        NGramSettings.check(parameters)
    except InvalidInputError as error:
        raise ModelFileError(f"its configuration is invalid: {error}") from error
    return parameters
