"""Checks of a model file: the tensors that an architecture implies, and every fault that `model_file` refuses.

Each check returns a description of the fault, or None.
"""

from __future__ import annotations

import math
import re
import reprlib
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layout import input_tables
from ..model.state import WEIGHT_AVERAGE
from ..parameters.checks import MAX_SIZE
from ..parameters.kinds import CELLS, MAX_LAYERS, OPTIMIZERS
from .container import DTYPES, Declared
from .int8_tensors import SCALE, int8_fault, outputs
from .random_state import random_state_fault
from .stored_pairs import expected_pairs

Shape = tuple[int, ...]

OPTIMIZER_STATES = {name: kind.state for name, kind in OPTIMIZERS.items()}
"""The arrays kept by each optimizer, under PyTorch's names."""

_TRAINING_FIELDS: dict[str, tuple[type, ...]] = {
    "n_steps": (int,),
    "smooth_loss": (float, int),
    "loss_length": (int,),
    "random_state": (dict, type(None)),
    "optimizer": (str,),
    "optimizer_start": (int,),
}
MAX_STEPS = 2**62  # training continues counting from there with 64 bits
MAX_LOSS = sys.float_info.max
SQUARES = {kind.squares for kind in OPTIMIZERS.values()} - {None}  # arrays that cannot be negative
OPTIONAL_SIZES = ("embedding_size", "n_pairs")  # of an architecture that has such a part
PARTS = ("training", "best", "run")  # JSON documents stored as tensors of bytes


@dataclass(frozen=True)
class Architecture:
    """The values that determine the name, shape and dtype of every weight."""

    cell: str  # kind of recurrent cell: ``"rnn"``, ``"gru"``, ``"lstm"`` or ``"cifg"``
    num_layers: int  # the number of layers, L: 1 to 64
    hidden_size: int  # the number of hidden units, H
    vocab_size: int  # the number of symbols, V
    dtype: str  # ``"float32"`` or ``"float64"``
    # E, the number of columns of the embedding; None: no embedding. Omitted from a file if None.
    embedding_size: int | None = None
    n_pairs: int | None = None  # R, the number of rows of the table of symbol pairs, in the same form
    # True: matrices are 8-bit integers, with scales for their outputs. Omitted from a file unless True.
    int8: bool | None = None


def expected_tensors(architecture: Architecture) -> dict[str, Shape]:
    """Return the name and shape of every weight of an architecture, as in PyTorch: (outputs, inputs), with the gates
    stacked along the first axis.

    As in PyTorch, the recurrence has two biases that add up; crnn writes zeros into the second, except for a GRU's gate
    n, where they differ. For ``"cifg"``, the weights have an LSTM's form, see `crnn.model.layout`.
    """
    H, V, E = architecture.hidden_size, architecture.vocab_size, architecture.embedding_size
    rows = CELLS[architecture.cell].torch_gates * H
    # The table of pairs is for the cell's own gates: PyTorch has no such table.
    tables = input_tables(V, CELLS[architecture.cell].gates * H, E, architecture.n_pairs)
    shapes: dict[str, Shape] = {f"{name}.weight": shape for name, shape in tables.items()}
    for layer in range(architecture.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (rows, H if layer else V if E is None else E)
        shapes[f"rnn.weight_hh_l{layer}"] = (rows, H)
        shapes[f"rnn.bias_ih_l{layer}"] = (rows,)
        shapes[f"rnn.bias_hh_l{layer}"] = (rows,)
    return shapes | {"decoder.weight": (V, H), "decoder.bias": (V,)}


def expected_int8(architecture: Architecture) -> dict[str, Declared]:
    """Return declarations of an architecture's matrices as integers, and of their scales.

    Examples
    --------
    >>> expected_int8(Architecture("rnn", 1, 100, 65, "float32", int8=True))["decoder.weight.scale"]
    Declared(dtype='F32', shape=(65,))
    """
    expected: dict[str, Declared] = {}
    for name, shape in expected_tensors(architecture).items():
        if len(shape) == 2:
            expected |= {name: Declared("I8", shape), name + SCALE: Declared("F32", (outputs(name, shape),))}
    return expected


def architecture_fault(document: Any) -> str | None:
    """Return why a JSON document is not an architecture of this library, or None."""
    types = {"cell": str, "num_layers": int, "hidden_size": int, "vocab_size": int, "dtype": str}
    optional = {**dict.fromkeys(OPTIONAL_SIZES, int), "int8": bool}
    known = types | {name: kind for name, kind in optional.items() if isinstance(document, dict) and name in document}
    if not isinstance(document, dict) or {key: type(value) for key, value in document.items()} != known:
        return f"its architecture must be an object with exactly the fields {', '.join(types)}, each of its type"
    if document["cell"] not in CELLS:
        return f"its cell is not one of {', '.join(CELLS)}, or needs a newer crnn"
    if not 1 <= document["num_layers"] <= MAX_LAYERS:  # checked before memory is allocated for the layers
        return f"its num_layers is not 1 to {MAX_LAYERS}"
    sizes = ("hidden_size", "vocab_size", *OPTIONAL_SIZES)
    if not all(1 <= document.get(key, 1) <= MAX_SIZE for key in sizes):
        return f"one of its {', '.join(sizes)} is out of range"
    if document["dtype"] not in ("float32", "float64"):
        return "its dtype is neither float32 nor float64"
    if "int8" in document and not (document["int8"] and document["dtype"] == "float32"):
        return "its int8 is not true, or its dtype is not float32"
    return None


def training_fault(document: Any, tensors: Collection[str]) -> str | None:
    """Return why a JSON document is not the training state for tensors of these names, or None."""
    if not isinstance(document, dict):
        return "its training is not an object"
    for key, types in _TRAINING_FIELDS.items():
        if key not in document or type(document[key]) not in types:
            return f"its training has no {key}, or one of the wrong type"
    if fault := counter_fault("training", document):
        return fault
    if not 1 <= document["loss_length"] <= MAX_SIZE:
        return "its training has an invalid loss_length"
    if not 0 <= document["optimizer_start"] <= document["n_steps"]:
        return "its training has an optimizer_start outside its steps"
    if document["optimizer"] not in OPTIMIZER_STATES:
        return f"its training has an optimizer that is not one of {', '.join(OPTIMIZER_STATES)}, or needs a newer crnn"
    arrays = _optimizer_arrays(tensors)
    if arrays and arrays - {WEIGHT_AVERAGE} != set(OPTIMIZER_STATES[document["optimizer"]]):
        return f"its training has the optimizer {document['optimizer']}, but its tensors lack that optimizer's arrays"
    if document["random_state"] is not None:
        return random_state_fault(document["random_state"])
    return None


def counter_fault(what: str, document: Any) -> str | None:
    """Return why a JSON document has no usable step and smoothed loss, or None."""
    fields = {key: _TRAINING_FIELDS[key] for key in ("n_steps", "smooth_loss")}
    if not isinstance(document, dict) or any(type(document.get(key)) not in types for key, types in fields.items()):
        return f"its {what} has no n_steps or smooth_loss, or one of the wrong type"
    if not 0 <= document["n_steps"] <= MAX_STEPS:
        return f"its {what} has an invalid n_steps"
    if not -MAX_LOSS <= document["smooth_loss"] <= MAX_LOSS:  # exact for integers of any size
        return f"its {what} has a smooth_loss that is not finite"
    return None


def best_fault(document: Any, training: Mapping[str, Any]) -> str | None:
    """Return why a JSON document does not describe the best weights of a run with state `training`, or None."""
    if not isinstance(document, dict) or document.keys() != {"n_steps", "smooth_loss"}:
        return "its best must be an object with exactly the fields n_steps and smooth_loss"
    if fault := counter_fault("best", document):
        return fault
    if not training["optimizer_start"] <= document["n_steps"] <= training["n_steps"]:
        return "its best has an n_steps outside the steps of its training"
    return None


def _optimizer_arrays(names: Iterable[str]) -> set[str]:
    """Return the known arrays of optimizers that occur in the names of the tensors."""
    parts = {name.split(".")[1] for name in names if name.startswith("optimizer.")}
    return parts & {WEIGHT_AVERAGE, *(array for arrays in OPTIMIZER_STATES.values() for array in arrays)}


def tensor_fault(declared: Mapping[str, Declared], architecture: Architecture) -> str | None:
    """Return what is wrong with the names, shapes and dtypes of a file's tensors, before any is read, or None."""
    expected = {
        name: Declared(DTYPES[architecture.dtype], shape)
        for name, shape in _expected_shapes(declared, architecture).items()
    }
    if architecture.int8:
        if training := sorted(name for name in declared if name.partition(".")[0] in ("best", "run", "optimizer")):
            return f"it has a tensor {reprlib.repr(training[0])}, but its 8-bit weights cannot be trained"
        expected |= expected_int8(architecture)
    expected |= expected_pairs(architecture.n_pairs)
    symbols = {name for name in expected if name.removeprefix("best.") == "state.symbol"}
    expected |= {name: Declared("I32", expected[name].shape) for name in symbols}
    for name in PARTS:
        if name in declared:
            expected[name] = Declared("U8", declared[name].shape[:1] or (0,))
    expected |= _expected_records(declared, architecture)
    if missing := expected.keys() - declared.keys():
        return f"it has no tensor {min(missing)!r}"
    if unknown := declared.keys() - expected.keys():
        return f"it has a tensor {reprlib.repr(min(unknown))} that does not belong to its architecture"
    for name, (dtype, shape) in declared.items():
        if (dtype, shape) != expected[name]:
            return (
                f"its tensor {name!r} is {dtype} {shape}, but its architecture implies "
                f"{expected[name].dtype} {expected[name].shape}"
            )
    return None


def _expected_records(declared: Mapping[str, Declared], architecture: Architecture) -> dict[str, Declared]:
    """Return the tensors expected for the file's gradient scale and run."""
    expected: dict[str, Declared] = {}
    if "gradient_rms" in declared:
        expected["gradient_rms"] = Declared("F16", (n_learned(architecture),))
    for name, (dtype, shape) in declared.items():
        if "run" in declared and name.startswith("run.") and record_name(name.removeprefix("run.")):
            expected[name] = Declared(dtype if dtype in DTYPES.values() else "", shape)
    return expected


def record_name(name: str) -> bool:
    """Return whether an array of a record may have this name."""
    return re.fullmatch("[A-Za-z0-9_.-]{1,100}", name) is not None


def learned_tensors(architecture: Architecture) -> dict[str, Shape]:
    """Return the name and shape of each trained weight: one bias per layer, and a GRU's bias for its gate n.

    The rows of a coupled input gate are not included.
    """
    kind = CELLS[architecture.cell]
    learned = {name: shape for name, shape in expected_tensors(architecture).items() if "rnn.bias_hh" not in name}
    for name in [name for name in learned if name.startswith("rnn.")]:
        learned[name] = (kind.gates * architecture.hidden_size, *learned[name][1:])
    if kind.separate_bias:
        for layer in range(architecture.num_layers):
            learned[f"rnn.bias_hn_l{layer}"] = (architecture.hidden_size,)
    return learned


def n_learned(architecture: Architecture) -> int:
    """Return the number of trained weights."""
    return sum(math.prod(shape) for shape in learned_tensors(architecture).values())


def _expected_shapes(declared: Mapping[str, Declared], architecture: Architecture) -> dict[str, Shape]:
    """Return the shapes of the weights and, for the file's batch size and optimizer, of the training state."""
    expected = expected_tensors(architecture)
    if "training" not in declared:
        return expected
    L, H, states = architecture.num_layers, architecture.hidden_size, CELLS[architecture.cell].states
    learned = learned_tensors(architecture)
    state: dict[str, Shape] = {}
    for array in _optimizer_arrays(declared):  # only known ones: a header can contain many others
        state |= {f"optimizer.{array}.{name}": shape for name, shape in learned.items()}
    shape = declared["state.h"].shape if "state.h" in declared else ()
    B = shape[1] if len(shape) == 3 else 1
    state |= {f"state.{name}": (L, max(B, 1), H) for name in states}
    if architecture.n_pairs is not None:
        state["state.symbol"] = (1, max(B, 1), 1)
    if "best" in declared:
        state |= {f"best.{name}": shape for name, shape in (expected | state).items()}
    return expected | state


def value_fault(tensors: Mapping[str, NDArray[Any]]) -> str | None:
    """Return which tensor has numbers that prevent further training, or None."""
    for name, tensor in tensors.items():
        if name.partition(".")[0] == "run" or tensor.dtype.kind != "f":
            continue
        kind = name.removeprefix("best.").split(".")
        # A sum of squares may overflow to infinity; its weight is then no longer updated.
        may_overflow = kind[0] == "optimizer" and kind[1] != WEIGHT_AVERAGE
        bad = np.isnan(tensor).any() if may_overflow else not np.isfinite(tensor).all()
        if bad:
            return f"its tensor {name!r} contains NaN or infinity, because training diverged; lower learning_rate"
        if (kind[0] == "gradient_rms" or (kind[1:2] and kind[1] in SQUARES)) and tensor.size and tensor.min() < 0:
            return f"its tensor {name!r} contains a negative number, but should contain squares"
    return int8_fault({name: tensor for name, tensor in tensors.items() if name.partition(".")[0] not in PARTS})
