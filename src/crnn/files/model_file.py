"""The model file: one safetensors file that holds a model's parameters and state, without any pickle.

The format is what the ``safetensors`` package writes, with PyTorch's names for the weights, so that
``torch.nn.RNN``, ``GRU`` or ``LSTM`` and ``torch.nn.Linear`` can take them as they are. ``__metadata__`` holds

=================== ========================================================================
``format``          the word ``crnn``
``format_version``  ``2``
``configuration``   JSON: the constructor's parameters
``architecture``    JSON: cell, num_layers, hidden_size, vocab_size, dtype; it implies every weight's shape
``vocabulary``      JSON: ``kind`` and the ``codes`` (code points or byte values) in id order; where there are
                    such symbols, after the codes, also ``unknown`` and ``boundary``, each ``true``
``checksum``        SHA-256, in hexadecimal, of everything else (see below)
=================== ========================================================================

A file with a training state also holds ``state.<name>`` (L, B, H), the hidden state; ``optimizer.<name>.<weight>``,
the optimizer's state (for one bias per layer, and ``rnn.bias_hn_l<k>`` of a GRU: crnn has no other biases); and
``training``, a JSON document as bytes. It is a tensor because safetensors limits the header's size, and a history may
be longer.

Format 1 is from before there were several layers, cells and optimizers. In it ``training`` does not name the optimizer;
``read`` adds the name. ``write`` always writes format 2: the configuration has parameters that a program which knows
only format 1 refuses, and its message for format 2, to upgrade crnn, is the better one.

The checksum covers the values, not the file's bytes, because safetensors promises no order: the JSON list
of the other metadata as sorted [key, value] pairs, then for every tensor in order of name the JSON list
[name, dtype, shape] and its little-endian bytes; JSON as Python's ``json.dumps`` writes it by default.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import reprlib
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..errors import InvalidInputError, ModelFileError
from ..text.vocabulary import Vocabulary
from .atomic_file import write_atomically
from .checks import (
    DTYPES,
    Architecture,
    Declared,
    architecture_fault,
    expected_tensors,
    tensor_fault,
    training_fault,
    value_fault,
    vocabulary_fault,
)

__all__ = ["FORMAT", "Architecture", "ModelFile", "expected_tensors", "read", "write"]

FORMAT = 2
"""The newest format version that this library reads, and the one that it writes."""

_DAMAGED = "the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"


@dataclass(frozen=True, eq=False)
class ModelFile:
    """The content of a model file.

    Parameters
    ----------
    configuration : dict
        The constructor's parameters: names and values that JSON can hold (infinities and NaN too).
    architecture : Architecture
        It implies the shapes of the weights.
    vocabulary : Vocabulary
        The V symbols in id order.
    tensors : dict of ndarray
        The weights, named and shaped as `expected_tensors` says.
    training : dict, optional
        The rest of the training state, as JSON can hold it: ``n_steps`` (int), ``smooth_loss`` (float, nats),
        ``loss_length`` (int), ``random_state`` (dict, the state of a bit generator, or None), ``history`` (list of
        records), ``optimizer`` (str), ``optimizer_start`` (int, the step at which its state was zero). None: a file of
        weights alone.
    training_tensors : dict of ndarray, optional
        With `training` only: ``state.h`` (L, B, H), of an LSTM also ``state.c``, and the optimizer's
        ``optimizer.<name>.<weight>``, of the weight's shape, under the names of `Layout.torch_named`.
    """

    configuration: dict[str, Any]
    architecture: Architecture
    vocabulary: Vocabulary
    tensors: dict[str, NDArray[Any]]
    training: dict[str, Any] | None = None
    training_tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


def write(path: str | os.PathLike[str], model_file: ModelFile) -> None:
    """Write a model file, all of it or nothing.

    On any failure an older file of that name stays as it was (see `crnn.atomic_file`).

    Parameters
    ----------
    path : str or path-like
        Where to write.
    model_file : ModelFile
        What to write.

    Raises
    ------
    ModelFileError
        If `read` would refuse it: tensors that do not fit the architecture, weights that are not finite.
    TypeError
        If `configuration` or `training` holds what JSON cannot.
    OSError
        If the file cannot be written, as the system says it.

    Examples
    --------
    >>> import tempfile
    >>> architecture = Architecture("rnn", 1, hidden_size=2, vocab_size=3, dtype="float32")
    >>> weights = {name: np.zeros(shape, "float32") for name, shape in expected_tensors(architecture).items()}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "abc.safetensors")
    ...     write(path, ModelFile({"hidden_size": 2}, architecture, Vocabulary.from_text("abc"), weights))
    ...     model = read(path)
    >>> model.configuration, list(model.vocabulary), model.tensors["decoder.weight"].shape
    ({'hidden_size': 2}, ['a', 'b', 'c'], (3, 2))
    """
    name = os.fsdecode(path)
    arrays = model_file.tensors | model_file.training_tensors
    tensors = {key: _portable(array) for key, array in arrays.items()}
    training = None if model_file.training is None else _json(model_file.training).encode()
    if training is not None:
        tensors["training"] = np.frombuffer(training, np.uint8)
    symbols = model_file.vocabulary
    vocabulary: dict[str, Any] = {"kind": symbols.kind, "codes": symbols.codes}
    vocabulary |= {key: True for key in ("unknown", "boundary") if getattr(symbols, key) is not None}
    metadata = {
        "format": "crnn",
        "format_version": str(FORMAT),
        "configuration": _json(model_file.configuration),
        "architecture": _json(asdict(model_file.architecture)),
        "vocabulary": _json(vocabulary),
    }
    declared = {key: _declare(tensor) for key, tensor in tensors.items()}
    fault = (
        architecture_fault(json.loads(metadata["architecture"]))
        or vocabulary_fault(json.loads(metadata["vocabulary"]), model_file.architecture)
        or tensor_fault(declared, model_file.architecture)
        or (None if training is None else training_fault(json.loads(training), tensors))
        or value_fault(tensors)
    )
    if fault:
        raise ModelFileError(f"model file {name!r} was not written: {fault}")
    metadata["checksum"] = _checksum(metadata, tensors)
    write_atomically(name, save(tensors, metadata))


def read(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file, and believe nothing in it before it is checked.

    Any bytes at all give either what `write` was given or `ModelFileError`. No allocation is larger than what
    the file really holds.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    ModelFile
        With arrays of its own, writable.

    Raises
    ------
    ModelFileError
        If the file is no model file, is damaged, or has a newer format than `FORMAT`.
    OSError
        If the file cannot be read, as the system says it: FileNotFoundError, PermissionError, and so on.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "empty.safetensors")
    ...     open(path, "wb").close()
    ...     read(path)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    crnn.errors.ModelFileError: model file '...empty.safetensors': it is too short (0 bytes); ...
    """
    name = os.fsdecode(path)
    status = os.stat(name)
    try:
        # Before it is opened: opening a pipe would wait for a writer.
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise ModelFileError("it is a device or a pipe; give the path of a regular file")
        with open(name, "rb"):  # safe_open has its own, vaguer errors for what may not be read
            pass
        if status.st_size < 8:
            raise ModelFileError(f"it is too short ({status.st_size} bytes); {_DAMAGED}")
        try:
            with safe_open(name, framework="np") as file:
                return _parse(file)
        except SafetensorError as error:
            raise ModelFileError(f"it is not a whole safetensors file ({error}); {_DAMAGED}") from error
    except ModelFileError as error:
        raise ModelFileError(f"model file {name!r}: {error}") from error.__cause__


def _parse(file: Any) -> ModelFile:
    """Check what an open safetensors file declares, then load and check what it holds."""
    metadata: dict[str, str] = file.metadata() or {}
    version = _checked_version(metadata)
    documents = {key: _document(metadata, key) for key in ("architecture", "configuration", "vocabulary")}
    _refuse(architecture_fault(documents["architecture"]))
    architecture = Architecture(**documents["architecture"])
    if not isinstance(documents["configuration"], dict):
        _refuse("its configuration is not a JSON object")
    _refuse(vocabulary_fault(documents["vocabulary"], architecture))
    try:
        vocabulary = Vocabulary(**documents["vocabulary"])
    except InvalidInputError as error:
        raise ModelFileError(f"its vocabulary is none ({error}); {_DAMAGED}") from error
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    declared = {name: Declared(s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
    _refuse(tensor_fault(declared, architecture))

    tensors: dict[str, NDArray[Any]] = {name: file.get_tensor(name) for name in declared}
    if metadata.get("checksum") != _checksum(metadata, tensors):
        _refuse("its contents do not match its checksum")
    training = None
    if "training" in tensors:
        training = _document({"training": tensors.pop("training").tobytes()}, "training")
        if version == 1 and isinstance(training, dict):
            training = {"optimizer": "adagrad", "optimizer_start": 0} | training
        _refuse(training_fault(training, tensors))
    _refuse(value_fault(tensors))
    weights = {name: tensors.pop(name) for name in expected_tensors(architecture)}
    return ModelFile(
        configuration=documents["configuration"],
        architecture=architecture,
        vocabulary=vocabulary,
        tensors=weights,
        training=training,
        training_tensors=tensors,
    )


def _refuse(fault: str | None) -> None:
    if fault:
        raise ModelFileError(f"{fault}; {_DAMAGED}")


def _checked_version(metadata: Mapping[str, str]) -> int:
    """Return the format's version; let only files of this program, and of a format that it knows, go on."""
    if metadata.get("format") != "crnn":
        raise ModelFileError("it is safetensors but no crnn model; give a file that CharRNN.save wrote")
    version = metadata.get("format_version", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        _refuse(f"its format version {reprlib.repr(version)} is not a number")
    if int(version) > FORMAT:
        raise ModelFileError(
            f"it has format version {version}, and this crnn reads versions up to {FORMAT}; upgrade crnn"
        )
    return int(version)


def _document(documents: Mapping[str, str | bytes], key: str) -> Any:
    """Parse one JSON document."""
    if key not in documents:
        _refuse(f"it has no {key}")
    try:
        return json.loads(documents[key])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {key} is not readable JSON; {_DAMAGED}") from error


def _json(document: Any) -> str:
    return json.dumps(document, default=_plain)


def _plain(value: Any) -> Any:
    """Make NumPy's scalars and arrays, which parameters and generator states contain, fit for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a model file holds what JSON can, not {value!r} of type {type(value).__name__}")


def _declare(array: NDArray[Any]) -> Declared:
    return Declared(DTYPES.get(array.dtype.name, array.dtype.name), array.shape)


def _portable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself where it is contiguous and little-endian, as it must be in the file."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Hash all that a file says, whatever the order in which it says it."""
    digest = hashlib.sha256()
    covered = sorted((key, value) for key, value in metadata.items() if key != "checksum")
    digest.update(json.dumps(covered).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, tensor.dtype.name, tensor.shape]).encode())
        digest.update(_portable(tensor).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
