"""What a model file may hold: the shapes that an architecture implies, and every fault that `model_file` refuses.

Each check returns the fault in words, or None.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.cells import CELLS, MOST_LAYERS
from ..settings import MOST_STEPS, OPTIMIZERS

Shape = tuple[int, ...]

DTYPES = {"float32": "F32", "float64": "F64", "uint8": "U8"}
MEMORIES = {name: kind.memory for name, kind in OPTIMIZERS.items()}
"""What each optimiser remembers of a weight, as PyTorch names it."""

_TRAINING_FIELDS: dict[str, tuple[type, ...]] = {
    "n_steps": (int,),
    "smooth_loss": (float, int),
    "random_state": (dict, type(None)),
    "history": (list,),
    "optimizer": (str,),
    "optimizer_start": (int,),
}
_MAX_SIZE = 2**31 - 1  # as far as every BLAS can count


@dataclass(frozen=True)
class Architecture:
    """What fixes the name, shape and dtype of every weight.

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
    """What a file says of a tensor before it is loaded."""

    dtype: str  # safetensors' word for it
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
    """Say what keeps a JSON document from being an architecture that this library has."""
    types = {"cell": str, "num_layers": int, "hidden_size": int, "vocab_size": int, "dtype": str}
    if not isinstance(document, dict) or {key: type(value) for key, value in document.items()} != types:
        return f"its architecture is not an object with just {', '.join(types)}, each of its type"
    if document["cell"] not in CELLS:
        return f"its cell is none of {', '.join(CELLS)}; a newer crnn may know it"
    if not 1 <= document["num_layers"] <= MOST_LAYERS:  # a claim of more would cost memory before it is found out
        return f"its num_layers is not 1 to {MOST_LAYERS}"
    if not all(1 <= document[key] <= _MAX_SIZE for key in ("hidden_size", "vocab_size")):
        return "its hidden_size or vocab_size is out of range"
    if document["dtype"] not in ("float32", "float64"):
        return "its dtype is neither float32 nor float64"
    return None


def vocabulary_fault(document: Any, architecture: Architecture) -> str | None:
    """Say what keeps a JSON document from being the arguments of a vocabulary of the right size."""
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
    """Say what keeps a JSON document from being the state of training that goes with tensors of these names."""
    if not isinstance(document, dict):
        return "its training is not an object"
    for key, types in _TRAINING_FIELDS.items():
        if key not in document or type(document[key]) not in types:
            return f"its training has no {key}, or one of another type"
    if not 0 <= document["n_steps"] <= MOST_STEPS:
        return "its training has an n_steps that none can have"
    if not all(isinstance(record, dict) for record in document["history"]):
        return "its training has a history of something else than records"
    length = document.get("loss_length", 1)  # which files of before do not have
    if type(length) is not int or length < 1 or not math.isfinite(document["smooth_loss"]):
        return "its training has a smooth_loss that is not finite, or a loss_length that no chunk has"
    if not 0 <= document["optimizer_start"] <= document["n_steps"]:
        return "its training has an optimizer_start that is none of its steps"
    if document["optimizer"] not in MEMORIES:
        return f"its training has an optimizer that is none of {', '.join(MEMORIES)}; a newer crnn may know it"
    remembered = _memories(tensors)
    if remembered and remembered != set(MEMORIES[document["optimizer"]]):
        return f"its training has the optimizer {document['optimizer']}, which does not remember what is in its tensors"
    return None


def _memories(names: Iterable[str]) -> set[str]:
    """Return what an optimiser remembers, of those that there are, by the names of the tensors."""
    found = {name.split(".")[1] for name in names if name.startswith("optimizer.")}
    return found & {memory for memories in MEMORIES.values() for memory in memories}


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
    """Add to the weights what a state of training brings, for the batch size and optimiser in the file."""
    expected = expected_tensors(architecture)
    if "training" not in declared:
        return expected
    L, H, cell = architecture.num_layers, architecture.hidden_size, CELLS[architecture.cell]
    learned = {name: shape for name, shape in expected.items() if not name.startswith("rnn.bias_hh")}
    if cell.separate_bias:
        learned |= {f"rnn.bias_hn_l{layer}": (H,) for layer in range(L)}
    for memory in _memories(declared):  # of names that are known only: a header can hold a million others
        expected |= {f"optimizer.{memory}.{name}": shape for name, shape in learned.items()}
    shape = declared["state.h"].shape if "state.h" in declared else ()
    B = shape[1] if len(shape) == 3 else 1
    return expected | {f"state.{state}": (L, max(B, 1), H) for state in cell.states}


def value_fault(tensors: Mapping[str, NDArray[Any]]) -> str | None:
    """Say which tensor holds numbers that no model can go on from."""
    for name, tensor in tensors.items():
        # A memory of squares may overflow to infinity, and the weight it belongs to then stands still.
        bad = np.isnan(tensor).any() if name.startswith("optimizer.") else not np.isfinite(tensor).all()
        if bad:
            return f"its tensor {name!r} holds NaN or infinity (training diverged; lower learning_rate)"
    return None
