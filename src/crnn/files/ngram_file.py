"""The file of counts: the n-grams of a `CharNGram`, sorted and packed.

It is a sealed file (see `sealed_file`) with the entries ``configuration``, the constructor's parameters, and
``vocabulary``. The tensors come from `crnn.ngram.stored_counts.to_arrays`, and may contain the text; with labels, the
arrays of label k have names that begin with ``k.``, and ``frequencies`` has the number of texts of each label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError
from ..ngram.counts_network import LabeledCounts
from ..ngram.frozen import ARRAY_NAMES as FROZEN
from ..ngram.settings import NGramSettings
from ..ngram.stored_counts import AnyCounts, from_arrays, to_arrays
from ..text.vocabulary import Vocabulary
from .entries import checked_configuration, vocabulary_document
from .sealed_file import Path, model_bytes, open_model
from .tensor_file import Declared

TENSORS = ("lengths", "sizes", "symbols", "counts")
WITH_TEXT = ("lengths", "text")
FREQUENCIES = "frequencies"
DISCOUNTS = "discounts"  # only of an adapted model, which keeps those of its training text


class CountedText(NamedTuple):
    """Everything a model of counts has learned."""

    vocabulary: Vocabulary
    counts: AnyCounts  # never changed again; with labels, the counts of the first label
    labeled: LabeledCounts | None = None


def read(path: Path, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], CountedText]:
    """Return the parameters and the counts in an untrusted file; `defaults` replace missing parameters."""
    with open_model(path, "ngram", _expected_tensors) as (entries, tensors):
        parameters, _ = checked_configuration(entries["configuration"], defaults, NGramSettings.check)
        return parameters, _counted_text(tensors, entries["vocabulary"])


def to_bytes(learned: CountedText, parameters: Mapping[str, Any] | None) -> bytes:
    """Return the bytes of a file, or raise an InvalidInputError for an invalid parameter; None: no parameters."""
    if parameters is not None:
        NGramSettings.check(parameters)
    entries = {
        "configuration": {name: value for name, value in (parameters or {}).items() if name != "vocabulary"},
        "vocabulary": vocabulary_document(learned.vocabulary),  # the model's, not the parameter
    }
    tensors = to_arrays(learned.counts)
    if learned.labeled is not None:
        parts = enumerate(map(to_arrays, learned.labeled.parts))
        tensors = {f"{k}.{name}": array for k, part in parts for name, array in part.items()}
        tensors[FREQUENCIES] = learned.labeled.frequencies
    return model_bytes("ngram", entries, tensors, _expected_tensors)


def _expected_tensors(entries: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Declared | None]:
    """Return the tensors of a file; `from_arrays` checks their shapes and types."""
    n_labels = len(entries["vocabulary"].labels)
    if not n_labels:
        if "shares" in declared:
            return dict.fromkeys(FROZEN)
        of_counts = WITH_TEXT if "text" in declared else TENSORS
        return dict.fromkeys([*of_counts, *declared.keys() & {DISCOUNTS}])
    names = FROZEN if "0.shares" in declared else TENSORS
    expected: dict[str, Declared | None] = {f"{k}.{name}": None for k in range(n_labels) for name in names}
    return expected | {FREQUENCIES: Declared("F64", (n_labels,))}


def _counted_text(tensors: Mapping[str, Array], vocabulary: Vocabulary) -> CountedText:
    """Return the counts in a file's tensors, checked."""
    n_labels = len(vocabulary.labels)
    symbols = len(vocabulary) - n_labels
    if not n_labels:
        return CountedText(vocabulary, from_arrays(tensors, symbols, vocabulary.boundary))
    names = FROZEN if "0.shares" in tensors else TENSORS
    parts = [
        from_arrays({name: tensors[f"{k}.{name}"] for name in names}, symbols, vocabulary.boundary)
        for k in range(n_labels)
    ]
    if len({part.order for part in parts}) > 1:
        raise ModelFileError("its labels have n-grams of different lengths")
    frequencies = tensors[FREQUENCIES]
    if not (np.isfinite(frequencies).all() and (frequencies > 0).all()):
        raise ModelFileError("its labels have no numbers of texts")
    return CountedText(vocabulary, parts[0], LabeledCounts(parts, frequencies))
