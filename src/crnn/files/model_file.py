"""The files that contain other models' files: of a mixture, a classifier and a detector.

A mixture and a classifier are sealed files (see `sealed_file`) whose entry ``models`` names the models' classes. The
tensor ``weights`` has the weights, and ``models.0``, ``models.1`` and so on the bytes of each model's file. A mixture
may also have counts of words, the tensors ``words.lengths``, ``words.keys`` and so on: ``weights`` has one more column
for them, and ``weights_without_words`` has the weights of the models alone. In a checkpoint of a call that has yet to
find the weights, ``weights`` lacks that column. A classifier, which has a model for each direction of each estimator,
also has the entry ``classifier``: its own parameters and the prior.

A detector's file is that of its model, of whatever kind, with an entry ``detector``: the detector's parameters, how its
scores are reduced, and its calibration. It loads as the model alone as well.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import ModelFileError
from ..parameters.checks import MAX_SCALE
from .entries import WITH_DETECTOR, plain_json, read_entry
from .sealed_file import (
    FilePart,
    NamedBytes,
    Path,
    model_parts,
    open_file,
    open_model,
    path_name,
    peek_header,
    read_header,
    read_sealed_tensors,
    require_kind,
    sealed_bytes,
)
from .tensor_file import Declared

CLASSES = 4  # rows of a mixture's weights that depend on the place within a word; otherwise they have one dimension
Parts = Sequence[tuple[str, bytes]]  # each model's class, and the bytes of its file
# The types of the arrays of counts of words; all of them have one dimension.
WORDS = {
    "lengths": "I64",
    "keys": "U8",
    "sizes": "U8",
    "escapes": "U8",
    "symbols": "U8",
    "shares": "U8",
    "base": "F64",
    "letters": "U8",
    "folds": "I32",
}

# ------------------------------------------------------- mixture and classifier


class StoredMixture(NamedTuple):
    """The contents of a mixture's file, or of the checkpoint of a call that is fitting it."""

    parts: Parts
    weights: NDArray[np.float64]  # of the models and the words, if any; of the models alone while these are pending
    words: Mapping[str, Array] | None = None  # the arrays of counts of words, see `WordCounts`
    weights_without_words: NDArray[np.float64] | None = None
    fitting: Mapping[str, Any] | None = None  # how the call goes on; None for a mixture


def mixture_bytes(stored: StoredMixture) -> bytes:
    """Return the bytes of the file of a mixture, or of a checkpoint."""
    return b"".join(mixture_parts(stored))


def mixture_parts(stored: StoredMixture) -> list[memoryview]:
    """Return the bytes of `mixture_bytes` in parts, which share the memory of the models' files."""
    documents = {} if stored.fitting is None else {"fitting": stored.fitting}
    tensors: dict[str, Array] = {}
    if stored.words is not None:
        tensors |= {f"words.{name}": stored.words[name] for name in WORDS}
    if stored.weights_without_words is not None:
        tensors["weights_without_words"] = stored.weights_without_words
    return _file_parts("mixture", stored.parts, stored.weights, documents=documents, more=tensors)


def read_mixture(path: Path) -> StoredMixture:
    """Return the argument of `mixture_bytes`; neither the models' bytes nor the counts of words are examined."""
    with open_model(path, "mixture", _expected_tensors) as (entries, tensors):
        fitting = read_entry("fitting", tensors["fitting"].tobytes()) if "fitting" in tensors else None
        words = None
        if "words.base" in tensors:
            words = {name: tensors[f"words.{name}"].copy() for name in WORDS}
        without = _weights(tensors, "weights_without_words") if "weights_without_words" in tensors else None
        return StoredMixture(_parts(entries, tensors), _weights(tensors), words, without, fitting)


@contextmanager
def open_network(path: Path) -> Iterator[FilePart]:
    """Open the file of the first network in a mixture's file, of which only the header is checked."""
    with open_file(path) as (stream, size):
        header = require_kind(read_header(stream, size), "mixture")
        models = read_entry("models", header.metadata.get("models"))
        name = f"models.{models.index('CharRNN')}" if "CharRNN" in models else ""
        if header.layout is None or name not in header.declared:
            raise ModelFileError("it has no network")
        yield FilePart(stream, *header.layout.place(name))


def is_mixture(path: Path) -> bool:
    """Return whether a model file is that of a mixture, without checking the rest of the file."""
    return peek_header(path).metadata.get("kind") == "mixture"


def contains_text(path: Path) -> bool:
    """Return whether a model's file contains the training text, which counts of long n-grams keep."""
    header = peek_header(path)
    if header.metadata["kind"] == "mixture":
        return any(contains_text(io.BytesIO(content)) for _, content in read_mixture(path).parts)
    return "text" in header.declared


class StoredClassifier(NamedTuple):
    """The contents of a classifier's file."""

    parts: Parts  # each model's class and file: the directions of each estimator
    weights: NDArray[np.float64]  # of the estimators
    prior: NDArray[np.float64]
    directions: tuple[str, ...]  # forward, backward or both
    listed: bool  # whether the estimators are a list
    parameters: dict[str, Any]  # class_weight and min_steps


def classifier_bytes(stored: StoredClassifier) -> bytes:
    """Return the bytes of the file of a classifier."""
    document = dict(stored.parameters)
    if isinstance(document["class_weight"], Mapping):
        document["class_weight"] = [*document["class_weight"].items()]
    document |= {"directions": stored.directions, "listed": stored.listed, "prior": stored.prior}
    weights = np.repeat(stored.weights, len(stored.directions))
    return b"".join(_file_parts("classifier", stored.parts, weights, {"classifier": document}))


def read_classifier(path: Path) -> StoredClassifier:
    """Return the argument of `classifier_bytes`; the models' bytes are not examined."""
    with open_model(path, "classifier", _expected_tensors) as (entries, tensors):
        document = entries["classifier"]
        parts = _parts(entries, tensors)
        directions, listed, prior = (document.pop(name) for name in ("directions", "listed", "prior"))
        n = len(directions)
        if len(parts) % n or (len(parts) > n and not listed):
            raise ModelFileError("its models do not fit its directions")
        return StoredClassifier(parts, _weights(tensors)[::n], np.array(prior), tuple(directions), listed, document)


def _file_parts(
    kind: str,
    parts: Parts,
    weights: NDArray[np.float64],
    entries: Mapping[str, Any] | None = None,
    *,
    documents: Mapping[str, Any] | None = None,
    more: Mapping[str, Array] | None = None,
) -> list[memoryview]:
    """Return the parts of a file of several models, each a tensor with the bytes of its file."""
    tensors: dict[str, Array] = {"weights": weights, **(more or {})}
    for name, document in (documents or {}).items():
        tensors[name] = np.frombuffer(plain_json(document).encode("ascii"), np.uint8)
    tensors |= {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    return model_parts(kind, {"models": [name for name, _ in parts], **(entries or {})}, tensors, _expected_tensors)


def _expected_tensors(entries: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return the tensors that a file of several models must have; the models' sizes are those declared."""
    n = len(entries["models"])
    expected = {"weights": Declared("F64", (n,))}
    if "classifier" not in entries:
        expected = _expected_of_mixture(n, declared)
    for i in range(n):
        expected[f"models.{i}"] = _one_dimension(f"models.{i}", "U8", declared)
    return expected


def _expected_of_mixture(n: int, declared: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return what a mixture of n models contains in addition to them."""
    expected: dict[str, Declared] = {}
    has_words = any(name.startswith("words.") for name in declared)
    columns = n
    if has_words:
        expected |= {f"words.{name}": _one_dimension(f"words.{name}", dtype, declared) for name, dtype in WORDS.items()}
        columns = n if "weights_without_words" not in declared else n + 1
    if "weights_without_words" in declared and has_words:
        expected["weights_without_words"] = _declared_weights("weights_without_words", n, declared)
    expected["weights"] = _declared_weights("weights", columns, declared)
    if "fitting" in declared:
        expected["fitting"] = _one_dimension("fitting", "U8", declared)
    return expected


def _declared_weights(name: str, columns: int, declared: Mapping[str, Declared]) -> Declared:
    """Return one row of weights, or if so declared, a row for each class."""
    is_by_class = name in declared and declared[name].shape == (CLASSES, columns)
    return Declared("F64", (CLASSES, columns) if is_by_class else (columns,))


def _one_dimension(name: str, dtype: str, declared: Mapping[str, Declared]) -> Declared:
    """Return an array of any length."""
    return Declared(dtype, declared[name].shape[:1] or (0,) if name in declared else (0,))


def _parts(entries: Mapping[str, Any], tensors: Mapping[str, Array]) -> Parts:
    return [(name, tensors[f"models.{i}"].tobytes()) for i, name in enumerate(entries["models"])]


def _weights(tensors: Mapping[str, Array], name: str = "weights") -> NDArray[np.float64]:
    weights = tensors[name].astype(np.float64)
    if not ((weights >= 0) & (weights <= MAX_SCALE)).all():
        raise ModelFileError(f"its {name} must be numbers from 0 to {MAX_SCALE:g}")
    return weights


# -------------------------------------------------------------------- detector


def detector_bytes(content: bytes, detector: Mapping[str, Any]) -> bytes:
    """Return the bytes of a model's file, given as bytes, with the entry of a detector."""
    stream = io.BytesIO(content)
    header = require_kind(read_header(stream, len(content)), *WITH_DETECTOR)
    metadata = {key: value for key, value in header.metadata.items() if key != "checksum"}
    entry = plain_json(detector)
    read_entry("detector", entry)
    return sealed_bytes(metadata | {"detector": entry}, read_sealed_tensors(stream, header))


def read_detector(path: Path) -> tuple[NamedBytes, dict[str, Any]]:
    """Return the bytes of a model's file, which are not examined beyond their header, and the entry of the detector."""
    with open_file(path) as (stream, size):
        content = NamedBytes(stream.read(size), path_name(path))
        header = require_kind(read_header(content, size), *WITH_DETECTOR)
        if "detector" not in header.metadata:
            raise ModelFileError(
                "it contains a model but no detector",
                remedy="load the model with its own class, such as by CharRNN.load, then give it to AnomalyDetector "
                "and call calibrate",
            )
        content.seek(0)
        return content, read_entry("detector", header.metadata["detector"])


def holds_detector(path: Path) -> bool:
    """Return whether a model file has the entry of a detector, without checking the rest of the file."""
    return "detector" in peek_header(path).metadata
