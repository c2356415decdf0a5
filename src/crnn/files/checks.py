"""Checks of a model file: the shapes that an architecture implies, and every fault that `model_file` refuses.

Each check returns a description of the fault, or None.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.cells import CELLS, MAX_LAYERS
from ..settings import MAX_STEPS, OPTIMIZERS

Shape = tuple[int, ...]

DTYPES = {"float32": "F32", "float64": "F64", "uint8": "U8"}
OPTIMIZER_STATES = {name: kind.state for name, kind in OPTIMIZERS.items()}
"""The arrays that each optimizer keeps, by PyTorch's names."""

_TRAINING_FIELDS: dict[str, tuple[type, ...]] = {
    "n_steps": (int,),
    "smooth_loss": (float, int),
    "random_state": (dict, type(None)),
    "history": (list,),
    "optimizer": (str,),
    "optimizer_start": (int,),
}
_MAX_SIZE = 2**31 - 1  # BLAS counts with 32 bits


@dataclass(frozen=True)
class Architecture:
    """The values that determine the name, shape and dtype of every weight.

    Parameters
    ----------
    cell : str
        Kind of recurrent cell: ``"rnn"``, ``"gru"`` or ``"lstm"``.
    num_layers : int
        Number of layers L: 1 to 64.
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


class Declared(NamedTuple):
    """The header's description of a tensor, before the tensor is loaded."""

    dtype: str  # safetensors' name
    shape: Shape


def expected_tensors(architecture: Architecture) -> dict[str, Shape]:
    """Name every weight of an architecture, with its shape, as PyTorch does.

    Parameters
    ----------
    architecture : Architecture
        With H hidden units and V symbols.

    Returns
    -------
    dict of str to tuple of int
        Weights are (outputs, inputs), of the gates one below the other. The recurrence has two biases that add up, as
        PyTorch has it; crnn writes zeros into the second, but for the gate n of a GRU, where they are not the same.

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
    rows = CELLS[architecture.cell].gates * H
    shapes: dict[str, Shape] = {}
    for layer in range(architecture.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (rows, H if layer else V)
        shapes[f"rnn.weight_hh_l{layer}"] = (rows, H)
        shapes[f"rnn.bias_ih_l{layer}"] = (rows,)
        shapes[f"rnn.bias_hh_l{layer}"] = (rows,)
    return shapes | {"decoder.weight": (V, H), "decoder.bias": (V,)}


def architecture_fault(document: Any) -> str | None:
    """Say why a JSON document is not an architecture of this library."""
    types = {"cell": str, "num_layers": int, "hidden_size": int, "vocab_size": int, "dtype": str}
    if not isinstance(document, dict) or {key: type(value) for key, value in document.items()} != types:
        return f"its architecture is not an object with just {', '.join(types)}, each of its type"
    if document["cell"] not in CELLS:
        return f"its cell is none of {', '.join(CELLS)}; a newer crnn may know it"
    if not 1 <= document["num_layers"] <= MAX_LAYERS:  # checked before memory is allocated for them
        return f"its num_layers is not 1 to {MAX_LAYERS}"
    if not all(1 <= document[key] <= _MAX_SIZE for key in ("hidden_size", "vocab_size")):
        return "its hidden_size or vocab_size is out of range"
    if document["dtype"] not in ("float32", "float64"):
        return "its dtype is neither float32 nor float64"
    return None


def vocabulary_fault(document: Any, architecture: Architecture) -> str | None:
    """Say why a JSON document does not hold the arguments of a vocabulary of the right size."""
    if not isinstance(document, dict) or document.keys() - {"unknown", "boundary"} != {"kind", "codes"}:
        return "its vocabulary is not an object with just kind and codes, and perhaps unknown and boundary"
    kind, codes = document["kind"], document["codes"]
    if type(kind) is not str or type(codes) is not list or any(type(code) is not int for code in codes):
        return "its vocabulary's codes are not a list of whole numbers, or their kind is not a word"
    special = [document[key] for key in ("unknown", "boundary") if key in document]
    if any(there is not True for there in special):
        return "its vocabulary has an unknown or a boundary that is not true"
    size = len(codes) + len(special)
    if size != architecture.vocab_size:
        return f"its vocabulary has {size} symbols and its architecture {architecture.vocab_size}"
    return None


def training_fault(document: Any, tensors: Collection[str]) -> str | None:
    """Say why a JSON document is not the training state that belongs to tensors of these names."""
    if not isinstance(document, dict):
        return "its training is not an object"
    for key, types in _TRAINING_FIELDS.items():
        if key not in document or type(document[key]) not in types:
            return f"its training has no {key}, or one of another type"
    if not 0 <= document["n_steps"] <= MAX_STEPS:
        return "its training has an n_steps that none can have"
    if not all(isinstance(record, dict) for record in document["history"]):
        return "its training has a history of something else than records"
    length = document.get("loss_length", 1)  # absent from older files
    if type(length) is not int or length < 1 or not math.isfinite(document["smooth_loss"]):
        return "its training has a smooth_loss that is not finite, or a loss_length that no chunk has"
    if not 0 <= document["optimizer_start"] <= document["n_steps"]:
        return "its training has an optimizer_start that is none of its steps"
    if document["optimizer"] not in OPTIMIZER_STATES:
        return f"its training has an optimizer that is none of {', '.join(OPTIMIZER_STATES)}; a newer crnn may know it"
    found = _optimizer_arrays(tensors)
    if found and found != set(OPTIMIZER_STATES[document["optimizer"]]):
        return f"its training has the optimizer {document['optimizer']}, which does not keep the arrays in its tensors"
    return None


def _optimizer_arrays(names: Iterable[str]) -> set[str]:
    """Return the known arrays of optimizers that occur in the names of the tensors."""
    found = {name.split(".")[1] for name in names if name.startswith("optimizer.")}
    return found & {array for arrays in OPTIMIZER_STATES.values() for array in arrays}


def tensor_fault(declared: Mapping[str, Declared], architecture: Architecture) -> str | None:
    """Say what is wrong with the names, shapes and dtypes of a file's tensors, before any is loaded."""
    expected = {
        name: Declared(DTYPES[architecture.dtype], shape)
        for name, shape in _expected_shapes(declared, architecture).items()
    }
    if "training" in declared:
        expected["training"] = Declared("U8", declared["training"].shape[:1] or (0,))
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


def _expected_shapes(declared: Mapping[str, Declared], architecture: Architecture) -> dict[str, Shape]:
    """Return the shapes of the weights and, for the batch size and optimizer in the file, of the training state."""
    expected = expected_tensors(architecture)
    if "training" not in declared:
        return expected
    L, H, cell = architecture.num_layers, architecture.hidden_size, CELLS[architecture.cell]
    learned = {name: shape for name, shape in expected.items() if not name.startswith("rnn.bias_hh")}
    if cell.separate_bias:
        learned |= {f"rnn.bias_hn_l{layer}": (H,) for layer in range(L)}
    for array in _optimizer_arrays(declared):  # only known ones: a header can hold a million others
        expected |= {f"optimizer.{array}.{name}": shape for name, shape in learned.items()}
    shape = declared["state.h"].shape if "state.h" in declared else ()
    B = shape[1] if len(shape) == 3 else 1
    return expected | {f"state.{state}": (L, max(B, 1), H) for state in cell.states}


def value_fault(tensors: Mapping[str, NDArray[Any]]) -> str | None:
    """Say which tensor holds numbers that training cannot continue from."""
    for name, tensor in tensors.items():
        # A sum of squares may overflow to infinity; its weight is then no longer updated.
        bad = np.isnan(tensor).any() if name.startswith("optimizer.") else not np.isfinite(tensor).all()
        if bad:
            return f"its tensor {name!r} holds NaN or infinity (training diverged; lower learning_rate)"
    return None
