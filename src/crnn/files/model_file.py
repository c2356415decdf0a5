"""The files that contain other models' files: of a mixture, a classifier and a detector.

A mixture and a classifier are sealed files (see `sealed_file`) whose entry ``models`` names the models' classes. The
tensor ``weights`` has the weights, and ``models.0``, ``models.1`` and so on the bytes of each model's file. A
classifier, which has a model for each direction of each estimator, also has the entry ``classifier``: its own
parameters and the prior.

A detector's file is that of its model, of whatever kind, with an entry ``detector``: the detector's parameters, how its
scores are reduced, and its calibration. It loads as the model alone as well.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import ModelFileError
from ..parameters.checks import MAX_SCALE
from .entries import WITH_DETECTOR, plain_json, read_entry
from .sealed_file import (
    NamedBytes,
    Path,
    model_bytes,
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

# ------------------------------------------------------- mixture and classifier


def mixture_bytes(parts: Parts, weights: NDArray[np.float64], fitting: Mapping[str, Any] | None = None) -> bytes:
    """Return the bytes of the file of a mixture, or of the checkpoint of a call that is `fitting` it."""
    documents = {} if fitting is None else {"fitting": fitting}
    return _bytes("mixture", parts, weights, {}, documents)


def read_mixture(path: Path) -> tuple[Parts, NDArray[np.float64]]:
    """Return the models and weights of `mixture_bytes`; the models' bytes are not examined."""
    parts, weights, _ = read_mixture_run(path)
    return parts, weights


def read_mixture_run(path: Path) -> tuple[Parts, NDArray[np.float64], dict[str, Any] | None]:
    """Return the arguments of `mixture_bytes`; the models' bytes are not examined."""
    with open_model(path, "mixture", _expected_tensors) as (entries, tensors):
        fitting = read_entry("fitting", tensors["fitting"].tobytes()) if "fitting" in tensors else None
        return _parts(entries, tensors), _weights(tensors), fitting


def is_mixture(path: Path) -> bool:
    """Return whether a model file is that of a mixture, without checking the rest of the file."""
    return peek_header(path).metadata.get("kind") == "mixture"


def contains_text(path: Path) -> bool:
    """Return whether a model's file contains the training text, which counts of long n-grams keep."""
    header = peek_header(path)
    if header.metadata["kind"] == "mixture":
        return any(contains_text(io.BytesIO(content)) for _, content in read_mixture(path)[0])
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
    return _bytes("classifier", stored.parts, weights, {"classifier": document})


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


def _bytes(
    kind: str,
    parts: Parts,
    weights: NDArray[np.float64],
    entries: Mapping[str, Any],
    documents: Mapping[str, Any] | None = None,
) -> bytes:
    """Write several models into one file, each as a tensor with the bytes of its file."""
    tensors: dict[str, Array] = {"weights": weights}
    for name, document in (documents or {}).items():
        tensors[name] = np.frombuffer(plain_json(document).encode("ascii"), np.uint8)
    tensors |= {f"models.{i}": np.frombuffer(content, np.uint8) for i, (_, content) in enumerate(parts)}
    return model_bytes(kind, {"models": [name for name, _ in parts], **entries}, tensors, _expected_tensors)


def _expected_tensors(entries: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return the tensors that a file of several models must have; the models' sizes are those declared."""
    n = len(entries["models"])
    shape = declared["weights"].shape if "weights" in declared and "classifier" not in entries else (n,)
    expected = {"weights": Declared("F64", shape if shape == (CLASSES, n) else (n,))}
    if "fitting" in declared and "classifier" not in entries:
        expected["fitting"] = Declared("U8", declared["fitting"].shape[:1] or (0,))
    for i in range(n):
        name = f"models.{i}"
        expected[name] = Declared("U8", declared[name].shape[:1] or (0,) if name in declared else (0,))
    return expected


def _parts(entries: Mapping[str, Any], tensors: Mapping[str, Array]) -> Parts:
    return [(name, tensors[f"models.{i}"].tobytes()) for i, name in enumerate(entries["models"])]


def _weights(tensors: Mapping[str, Array]) -> NDArray[np.float64]:
    weights = tensors["weights"].astype(np.float64)
    if not ((weights >= 0) & (weights <= MAX_SCALE)).all():
        raise ModelFileError(f"its weights must be numbers from 0 to {MAX_SCALE:g}")
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
