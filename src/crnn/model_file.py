"""The model file: one safetensors file that holds all that a model has learned, and never a pickle.

Format 1 is what the ``safetensors`` package writes, with PyTorch's names for the weights, so that
``torch.nn.RNN`` and ``torch.nn.Linear`` can take them as they are. ``__metadata__`` holds

=================== ========================================================================
``format``          the word ``crnn``
``format_version``  ``1``
``configuration``   JSON: the constructor's parameters
``architecture``    JSON: cell, num_layers, hidden_size, vocab_size, dtype; it implies every weight's shape
``vocabulary``      JSON: ``kind`` and the ``codes`` (code points or byte values) in id order
``checksum``        SHA-256, in hexadecimal, of everything else (see below)
=================== ========================================================================

A file that training can go on from holds besides ``state.<name>`` (L, B, H), the optimiser's memory as
``optimizer.<name>.<weight>`` (of one bias per layer: crnn has no second), and ``training``, a JSON
document as bytes. That one is a tensor because safetensors bounds its header and a history has no bound.

The checksum is taken of the values, not of the file, because safetensors promises no order: the JSON list
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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .atomic_file import write_atomically
from .errors import InvalidInputError, ModelFileError
from .vocabulary import Vocabulary

__all__ = ["FORMAT", "Architecture", "ModelFile", "expected_tensors", "read", "write"]

_Shape = tuple[int, ...]

FORMAT = 1
"""The newest format version that this library reads, and the one that it writes."""


class _Cell(NamedTuple):
    gates: int  # blocks of H rows in every weight of the recurrence
    states: tuple[str, ...]  # what is carried from chunk to chunk


_CELLS = {"rnn": _Cell(gates=1, states=("h",))}
_DTYPES = {"float32": "F32", "float64": "F64", "uint8": "U8"}
_TRAINING_FIELDS: dict[str, tuple[type, ...]] = {
    "n_steps": (int,),
    "smooth_loss": (float, int),
    "random_state": (dict, type(None)),
    "history": (list,),
}
_MAX_SIZE = 2**31 - 1  # as far as every BLAS can count
_DAMAGED = "the file is damaged or was not saved by crnn; restore it from a copy, or train and save again"


@dataclass(frozen=True)
class Architecture:
    """What fixes the name, shape and dtype of every weight.

    Parameters
    ----------
    cell : str
        Kind of recurrent cell: ``"rnn"``.
    num_layers : int
        Number of layers L: 1.
    hidden_size : int
        Hidden units H.
    vocab_size : int
        Symbols V.
    dtype : str
        ``"float32"`` or ``"float64"``.
    """

    cell: str
    num_layers: int
    hidden_size: int
    vocab_size: int
    dtype: str


@dataclass(frozen=True, eq=False)
class ModelFile:
    """All that a model file holds.

    Parameters
    ----------
    configuration : dict
        The constructor's parameters: names and values that JSON can hold (infinities and NaN too).
    architecture : Architecture
        What the weights look like.
    vocabulary : Vocabulary
        The V symbols in id order.
    tensors : dict of ndarray
        The weights, named and shaped as `expected_tensors` says.
    training : dict, optional
        What training needs to go on, as JSON can hold it: ``n_steps`` (int), ``smooth_loss`` (float, nats),
        ``random_state`` (dict, the state of a bit generator, or None), ``history`` (list of records), and
        whatever else the trainer keeps. By default None: a model that only samples and scores.
    training_tensors : dict of ndarray, optional
        With `training` only: ``state.h`` (L, B, H), and the optimiser's ``optimizer.<name>.<weight>``, shaped
        like the weight, for every weight but ``rnn.bias_hh_l0``. By default empty.
    """

    configuration: dict[str, Any]
    architecture: Architecture
    vocabulary: Vocabulary
    tensors: dict[str, NDArray[Any]]
    training: dict[str, Any] | None = None
    training_tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


class _Declared(NamedTuple):
    dtype: str  # safetensors' word for it
    shape: _Shape


def expected_tensors(architecture: Architecture) -> dict[str, _Shape]:
    """Name every weight of an architecture, with its shape, as PyTorch does.

    Parameters
    ----------
    architecture : Architecture
        With H hidden units and V symbols.

    Returns
    -------
    dict of str to tuple of int
        Weights are (outputs, inputs). The recurrence has two biases that add up, as PyTorch has it.

    Examples
    --------
    >>> for name, shape in expected_tensors(Architecture("rnn", 1, 100, 65, "float32")).items():
    ...     print(name, shape)
    rnn.weight_ih_l0 (100, 65)
    rnn.weight_hh_l0 (100, 100)
    rnn.bias_ih_l0 (100,)
    rnn.bias_hh_l0 (100,)
    decoder.weight (65, 100)
    decoder.bias (65,)
    """
    H, V = architecture.hidden_size, architecture.vocab_size
    rows = _CELLS[architecture.cell].gates * H
    return {
        "rnn.weight_ih_l0": (rows, V),
        "rnn.weight_hh_l0": (rows, H),
        "rnn.bias_ih_l0": (rows,),
        "rnn.bias_hh_l0": (rows,),
        "decoder.weight": (V, H),
        "decoder.bias": (V,),
    }


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
    vocabulary = {"kind": model_file.vocabulary.kind, "codes": model_file.vocabulary.codes}
    metadata = {
        "format": "crnn",
        "format_version": str(FORMAT),
        "configuration": _json(model_file.configuration),
        "architecture": _json(asdict(model_file.architecture)),
        "vocabulary": _json(vocabulary),
    }
    declared = {key: _declare(tensor) for key, tensor in tensors.items()}
    fault = (
        _architecture_fault(json.loads(metadata["architecture"]))
        or _vocabulary_fault(json.loads(metadata["vocabulary"]), model_file.architecture)
        or _tensor_fault(declared, model_file.architecture)
        or (None if training is None else _training_fault(json.loads(training)))
        or _value_fault(tensors)
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
    _check_version(metadata)
    documents = {key: _document(metadata, key) for key in ("architecture", "configuration", "vocabulary")}
    _refuse(_architecture_fault(documents["architecture"]))
    architecture = Architecture(**documents["architecture"])
    if not isinstance(documents["configuration"], dict):
        _refuse("its configuration is not a JSON object")
    _refuse(_vocabulary_fault(documents["vocabulary"], architecture))
    try:
        vocabulary = Vocabulary(**documents["vocabulary"])
    except InvalidInputError as error:
        raise ModelFileError(f"its vocabulary is none ({error}); {_DAMAGED}") from error
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    declared = {name: _Declared(s.get_dtype(), tuple(s.get_shape())) for name, s in slices.items()}
    _refuse(_tensor_fault(declared, architecture))

    tensors: dict[str, NDArray[Any]] = {name: file.get_tensor(name) for name in declared}
    if metadata.get("checksum") != _checksum(metadata, tensors):
        _refuse("its contents do not match its checksum")
    training = None
    if "training" in tensors:
        training = _document({"training": tensors.pop("training").tobytes()}, "training")
        _refuse(_training_fault(training))
    _refuse(_value_fault(tensors))
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


def _check_version(metadata: Mapping[str, str]) -> None:
    """Let only files of this program, and of a format that it knows, go on."""
    if metadata.get("format") != "crnn":
        raise ModelFileError("it is safetensors but no crnn model; give a file that CharRNN.save wrote")
    version = metadata.get("format_version", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        _refuse(f"its format version {reprlib.repr(version)} is not a number")
    if int(version) > FORMAT:
        raise ModelFileError(
            f"it has format version {version}, and this crnn reads versions up to {FORMAT}; upgrade crnn"
        )


def _document(documents: Mapping[str, str | bytes], key: str) -> Any:
    """Parse one JSON document."""
    if key not in documents:
        _refuse(f"it has no {key}")
    try:
        return json.loads(documents[key])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"its {key} is not readable JSON; {_DAMAGED}") from error


def _architecture_fault(document: Any) -> str | None:
    """Say what keeps a JSON document from being an architecture that this library has."""
    types = {"cell": str, "num_layers": int, "hidden_size": int, "vocab_size": int, "dtype": str}
    if not isinstance(document, dict) or {key: type(value) for key, value in document.items()} != types:
        return f"its architecture is not an object with just {', '.join(types)}, each of its type"
    if document["cell"] not in _CELLS or document["num_layers"] != 1:
        return f"its cell is none of {', '.join(_CELLS)}, or has not 1 layer; a newer crnn may know it"
    if not all(1 <= document[key] <= _MAX_SIZE for key in ("hidden_size", "vocab_size")):
        return "its hidden_size or vocab_size is out of range"
    if document["dtype"] not in ("float32", "float64"):
        return "its dtype is neither float32 nor float64"
    return None


def _vocabulary_fault(document: Any, architecture: Architecture) -> str | None:
    """Say what keeps a JSON document from being the arguments of a vocabulary of the right size."""
    if not isinstance(document, dict) or document.keys() != {"kind", "codes"}:
        return "its vocabulary is not an object with just kind and codes"
    kind, codes = document["kind"], document["codes"]
    if type(kind) is not str or type(codes) is not list or any(type(code) is not int for code in codes):
        return "its vocabulary's codes are not a list of whole numbers, or their kind is not a word"
    if len(codes) != architecture.vocab_size:
        return f"its vocabulary has {len(codes)} symbols and its architecture {architecture.vocab_size}"
    return None


def _training_fault(document: Any) -> str | None:
    """Say what keeps a JSON document from being a state of training."""
    if not isinstance(document, dict):
        return "its training is not an object"
    for key, types in _TRAINING_FIELDS.items():
        if key not in document or type(document[key]) not in types:
            return f"its training has no {key}, or one of another type"
    if document["n_steps"] < 0 or not all(isinstance(record, dict) for record in document["history"]):
        return "its training has a negative n_steps, or a history of something else than records"
    return None


def _tensor_fault(declared: Mapping[str, _Declared], architecture: Architecture) -> str | None:
    """Say what is wrong with the names, shapes and dtypes of a file's tensors, before any is loaded."""
    expected = {
        name: _Declared(_DTYPES[architecture.dtype], shape)
        for name, shape in _expected_shapes(declared, architecture).items()
    }
    if "training" in declared:
        expected["training"] = _Declared("U8", declared["training"].shape[:1] or (0,))
    if missing := expected.keys() - declared.keys():
        return f"it has no tensor {min(missing)!r}"
    if unknown := declared.keys() - expected.keys():
        return f"it has a tensor {reprlib.repr(min(unknown))} that its architecture knows nothing of"
    for name, (dtype, shape) in declared.items():
        if (dtype, shape) != expected[name]:
            return (
                f"its tensor {name!r} is {dtype} {shape} and its architecture implies "
                f"{expected[name].dtype} {expected[name].shape}"
            )
    return None


def _expected_shapes(declared: Mapping[str, _Declared], architecture: Architecture) -> dict[str, _Shape]:
    """Add to the weights what a state of training brings, for the batch size and optimiser in the file."""
    weights = expected_tensors(architecture)
    expected = dict(weights)
    if "training" not in declared:
        return expected
    memories = {name.split(".")[1] for name in declared if name.startswith("optimizer.")}
    for memory in memories:
        for name, shape in weights.items():
            if not name.startswith("rnn.bias_hh"):
                expected[f"optimizer.{memory}.{name}"] = shape
    for state in _CELLS[architecture.cell].states:
        name = f"state.{state}"
        shape = declared[name].shape if name in declared else ()
        B = shape[1] if len(shape) == 3 else 1
        expected[name] = (architecture.num_layers, max(B, 1), architecture.hidden_size)
    return expected


def _value_fault(tensors: Mapping[str, NDArray[Any]]) -> str | None:
    """Say which tensor holds numbers that no model can go on from."""
    for name, tensor in tensors.items():
        # An optimiser's memory may overflow to infinity, and the weight it belongs to then stands still.
        bad = np.isnan(tensor).any() if name.startswith("optimizer.") else not np.isfinite(tensor).all()
        if bad:
            return f"its tensor {name!r} holds NaN or infinity (training diverged; lower learning_rate)"
    return None


def _json(document: Any) -> str:
    return json.dumps(document, default=_plain)


def _plain(value: Any) -> Any:
    """Make NumPy's scalars and arrays, which parameters and generator states contain, fit for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a model file holds what JSON can, not {value!r} of type {type(value).__name__}")


def _declare(array: NDArray[Any]) -> _Declared:
    return _Declared(_DTYPES.get(array.dtype.name, array.dtype.name), array.shape)


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
