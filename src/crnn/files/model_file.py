"""The model file of a network: one safetensors file with the parameters and the state, without pickle.

The format is defined by the ``safetensors`` package, with PyTorch's names for the weights, so that ``torch.nn.RNN``,
``GRU`` or ``LSTM`` and ``torch.nn.Linear`` can load them directly. A ``cifg`` cell is stored as an LSTM in which the
input gate has the forget gate's weights, negated (see `crnn.model.layout`). It is a sealed file (see
`sealed_file`), whose ``__metadata__`` also contains

=================== ========================================================================
``configuration``   JSON: the constructor's parameters, including the precision of products
``architecture``    JSON: cell, num_layers, hidden_size, vocab_size, dtype; embedding_size and n_pairs if the model
                    has an embedding or a table of pairs. It implies every weight's shape. With ``int8`` each
                    matrix contains 8-bit integers, to be multiplied by the scales of its outputs, float32, in
                    ``<weight>.scale``
``vocabulary``      JSON: the V symbols, see `stored_vocabulary`
=================== ========================================================================

In addition to the weights there may be tensors; those in the first column are JSON documents as bytes:

================ ===============================================================================================
``training``     The training state. With it ``state.<name>`` (L, B, H), the hidden state;
                 ``optimizer.<name>.<weight>``, the optimizer state (for one bias per layer, and
                 ``rnn.bias_hn_l<k>`` of a GRU, since crnn has no other biases; not for the input gate of
                 ``cifg``).
``best``         Step and smoothed loss at the lowest validation loss of an unfinished run. With it
                 ``best.<tensor>`` for the weights and each tensor of the training state at that step.
``run``          The state of such a run, with ``run.<name>`` for its arrays: see `StoredRecord`.
``bigrams.pairs`` Not a document: the pairs of symbols with rows in ``bigrams.weight``, int32 (R, 2); -1: none.
``gradient_rms`` Not a document: root mean squares of the gradients, float16; see `gradient_rms`.
================ ===============================================================================================

The header and every document may have up to 16 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError
from ..text.vocabulary import Vocabulary
from .container import DTYPES, Declared, Header, read_header
from .network_file_checks import (
    Architecture,
    architecture_fault,
    best_fault,
    expected_int8,
    expected_tensors,
    tensor_fault,
    training_fault,
    value_fault,
)
from .plain_json import plain_json, read_json
from .sealed_file import (
    Path,
    opened,
    read_sealed_tensors,
    require_kind,
    sealed_bytes,
    with_format,
    write_path,
)
from .stored_pairs import PAIRS, pairs_fault
from .stored_vocabulary import read_vocabulary, vocabulary_json

MAX_RECORDS = 20_000  # of a history in a file: about 5 MB


@dataclass(eq=False)
class StoredRecord:
    """The state of a training run, stored without knowledge of its meaning."""

    values: dict[str, Any]  # names and JSON values, at most about ten thousand
    # Arrays of a type in `container.DTYPES`, under names of letters, digits, ``_``, ``-`` and ``.``.
    tensors: dict[str, Array] = field(default_factory=dict)

    def copy(self) -> StoredRecord:
        """Return a record that shares no arrays with this one."""
        return StoredRecord(dict(self.values), {name: np.array(array) for name, array in self.tensors.items()})


@dataclass(frozen=True, eq=False)
class ModelFile:
    """The contents of a model file."""

    configuration: dict[str, Any]  # the constructor's parameters: names and JSON values (including infinities and NaN)
    architecture: Architecture  # the architecture, which implies the shapes of the weights
    vocabulary: Vocabulary  # the V symbols in id order
    tensors: dict[str, Array]  # the weights, with names and shapes according to `expected_tensors`
    # The rest of the training state as JSON values: ``n_steps`` (int), ``smooth_loss`` (float, nats), ``loss_length``
    # (int), ``random_state`` (dict, the state of a bit generator, or None), ``history`` (list of records; a file
    # has the newest `MAX_RECORDS`), ``optimizer`` (str), ``optimizer_start`` (int, the step at which its state was
    # zero). None: a file of weights alone.
    training: dict[str, Any] | None = None
    # Only with `training`: ``state.h`` (L, B, H), for an LSTM (coupled or not) also ``state.c``, and the optimizer's
    # ``optimizer.<name>.<weight>``, of the weight's shape, under the names of `Layout.torch_named`.
    training_tensors: dict[str, Array] = field(default_factory=dict)
    # Only with `training`: ``n_steps`` and ``smooth_loss`` at the lowest validation loss.
    best: dict[str, Any] | None = None
    # Only with `best`: the tensors of `tensors` and `training_tensors` at that step, under the same names.
    best_tensors: dict[str, Array] = field(default_factory=dict)
    run: StoredRecord | None = None
    pairs: Array | None = None  # the pairs of symbols with rows in a table, (R, 2)
    gradient_rms: Array | None = None  # one number for each trained weight


def write(path: Path, model_file: ModelFile) -> None:
    """Write a model file, all or nothing.

    After any failure an existing file is unchanged (see `crnn.runtime.atomic_file`). What `read` would refuse is
    refused: tensors that do not fit the architecture, and non-finite weights.
    """
    write_path(path, lambda: to_bytes(model_file))


def to_bytes(model_file: ModelFile) -> bytes:
    """Return the bytes that `write` would write; errors are the same."""
    tensors = _file_tensors(model_file)
    own = {
        "configuration": plain_json(model_file.configuration),
        "architecture": plain_json({k: v for k, v in asdict(model_file.architecture).items() if v is not None}),
        "vocabulary": vocabulary_json(model_file.vocabulary),
    }
    metadata = with_format("network", own)
    _checked_parts(tensors, _declared_architecture(metadata, tensors))
    return sealed_bytes(metadata, tensors)


def _file_tensors(model_file: ModelFile) -> dict[str, Array]:
    """Return all tensors of a file, including documents."""
    tensors = {**model_file.tensors, **model_file.training_tensors}
    if model_file.training is not None:
        training = dict(model_file.training)
        tensors["training"] = _bytes(training | {"history": list(training.get("history", []))[-MAX_RECORDS:]})
    if model_file.best is not None:
        tensors["best"] = _bytes(model_file.best)
    tensors |= {f"best.{name}": array for name, array in model_file.best_tensors.items()}
    if model_file.run is not None:
        tensors["run"] = _bytes(model_file.run.values)
        tensors |= {f"run.{name}": np.asarray(array) for name, array in model_file.run.tensors.items()}
    if model_file.pairs is not None:
        tensors[PAIRS] = model_file.pairs
    if model_file.gradient_rms is not None:
        tensors["gradient_rms"] = model_file.gradient_rms
    return tensors


def _bytes(document: Any) -> Array:
    return np.frombuffer(plain_json(document).encode("ascii"), np.uint8)


def _declared_architecture(metadata: Mapping[str, str], tensors: Mapping[str, Array]) -> Architecture:
    """Check whatever `read` will check before it reads tensors; return the architecture."""
    declared = {key: Declared(DTYPES.get(a.dtype.name, a.dtype.name), a.shape) for key, a in tensors.items()}
    architecture, _, _ = _documents(Header(dict(metadata), declared))
    return architecture


def read(path: Path) -> ModelFile:
    """Read a model file, and trust nothing in it until it is checked.

    Any bytes at all give either the argument of `write`, with separate, writable arrays, or `ModelFileError`. The file
    is read, not mapped. At most three times its size plus 16 MB are allocated.
    """
    with opened(path) as (stream, size):
        header = require_kind(read_header(stream, size), "network")
        architecture, configuration, vocabulary = _documents(header)
        tensors = read_sealed_tensors(stream, header)
        return ModelFile(configuration, architecture, vocabulary, **_checked_parts(tensors, architecture))


def _documents(header: Header) -> tuple[Architecture, dict[str, Any], Vocabulary]:
    """Check a header's declarations; return architecture, configuration and vocabulary."""
    metadata = header.metadata
    for key in ("architecture", "configuration", "vocabulary"):
        if key not in metadata:
            raise ModelFileError(f"it has no {key}")
    document, configuration = (
        read_json(metadata[key].encode("ascii", "replace"), key) for key in ("architecture", "configuration")
    )
    _refuse(architecture_fault(document))
    architecture = Architecture(**document)
    if not isinstance(configuration, dict):
        raise ModelFileError("its configuration is not a JSON object")
    vocabulary = read_vocabulary(metadata["vocabulary"])
    if len(vocabulary) != architecture.vocab_size:
        raise ModelFileError(
            f"its vocabulary has {len(vocabulary)} symbols, but its architecture {architecture.vocab_size}"
        )
    _refuse(tensor_fault(header.declared, architecture))
    return architecture, configuration, vocabulary


def _checked_parts(tensors: dict[str, Array], architecture: Architecture) -> dict[str, Any]:
    """Check the documents and values of a file's tensors; return them as arguments of `ModelFile`."""
    documents = {name: read_json(tensors[name].tobytes(), name) for name in ("best", "run") if name in tensors}
    parts: dict[str, Any] = {"training": _training(tensors) if "training" in tensors else None}
    if "best" in documents:
        if parts["training"] is None:
            raise ModelFileError("it has the best weights of a run, but no training state")
        _refuse(best_fault(documents["best"], parts["training"]))
        parts["best"] = _with_float_loss(documents["best"])
    _refuse(value_fault(tensors))
    weights = [*expected_tensors(architecture), *(expected_int8(architecture) if architecture.int8 else ())]
    parts["tensors"] = {name: tensors[name] for name in weights}
    own = ("state.", "optimizer.")
    parts["training_tensors"] = {name: array for name, array in tensors.items() if name.startswith(own)}
    parts["best_tensors"] = _under("best", tensors)
    if "run" in documents:
        if not isinstance(documents["run"], dict):
            raise ModelFileError("its run is not a JSON object")
        parts["run"] = StoredRecord(documents["run"], _under("run", tensors))
    parts["pairs"] = tensors.get(PAIRS)
    if parts["pairs"] is not None:
        _refuse(pairs_fault(parts["pairs"], architecture.vocab_size))
    parts["gradient_rms"] = tensors.get("gradient_rms")
    return parts


def _under(part: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the tensors of one part, without the part's name."""
    return {name.removeprefix(f"{part}."): array for name, array in tensors.items() if name.startswith(f"{part}.")}


def _training(tensors: dict[str, Array]) -> dict[str, Any]:
    """Return the checked document of the training state, with its history."""
    document: dict[str, Any] = read_json(tensors["training"].tobytes(), "training")
    _refuse(training_fault(document, tensors))
    history = document.get("history")
    if not isinstance(history, list) or not all(isinstance(record, dict) for record in history):
        raise ModelFileError("its training has no history, or a history of other values than records")
    return _with_float_loss(document)


def _with_float_loss(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose loss is a float: JSON might hold an integer, which would be saved as such."""
    return document | {"smooth_loss": float(document["smooth_loss"])}


def _refuse(fault: str | None) -> None:
    if fault:
        raise ModelFileError(fault)
