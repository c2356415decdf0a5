"""The contents of a network's file: its entries, the tensors that they imply, and a check for each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import ModelFileError, short_repr
from ..model.int8_weights import LARGEST_INT8, SMALLEST_SCALE
from ..model.layout import input_size, input_tables
from ..parameters.kinds import CELLS, OPTIMIZERS
from ..text.vocabulary import Vocabulary
from .entries import PARTS, plain_json, read_entry, vocabulary_document
from .int8_tensors import SCALE, TABLES, scale_names
from .sealed_file import model_bytes
from .tensor_file import DTYPES, Declared

MAX_RECORDS = 20_000  # of a history in a file: about 5 MB
PAIRS = "bigrams.pairs"  # the tensor's name; the table itself is ``bigrams.weight``

SQUARES = {kind.squares for kind in OPTIMIZERS.values()} - {None}  # arrays that cannot be negative
ARRAYS = {array for kind in OPTIMIZERS.values() for array in kind.state}  # of all optimizers

SIZES = ("cell", "num_layers", "hidden_size", "vocab_size", "embedding_size", "n_pairs")  # of an architecture

Shape = tuple[int, ...]


class StoredRecord(NamedTuple):
    """The state of a training run, stored without knowledge of its meaning."""

    values: dict[str, Any]  # names and JSON values
    tensors: dict[str, Array]  # of a type in `DTYPES`, under names of letters, digits, ``_``, ``-`` and ``.``


@dataclass(frozen=True)
class Architecture:
    """The values that determine the name, shape and dtype of every weight."""

    cell: str
    num_layers: int  # L
    hidden_size: int  # H
    vocab_size: int  # V
    dtype: str
    embedding_size: int | None = None  # E; None, as below: omitted from a file
    n_pairs: int | None = None  # R, the rows of the table of symbol pairs
    int8: bool | None = None  # True: matrices are 8-bit integers, with scales for their outputs


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """The contents of a file, checked, but not yet a model."""

    configuration: dict[str, Any]  # the constructor's parameters, as JSON values
    architecture: Architecture
    vocabulary: Vocabulary
    tensors: dict[str, Array]  # the weights, see `expected_weights`
    training: dict[str, Any] | None = None  # the rest of the training state; None: a file of weights alone
    training_tensors: dict[str, Array] = field(default_factory=dict)  # see `ModelState.training_arrays`
    best: dict[str, Any] | None = None  # ``n_steps`` and ``smooth_loss`` at the lowest validation loss
    best_tensors: dict[str, Array] = field(default_factory=dict)  # `tensors` and `training_tensors` at that step
    run: StoredRecord | None = None
    pairs: Array | None = None  # the pairs of symbols with rows in a table, (R, 2)
    gradient_rms: Array | None = None  # one number for each trained weight


def network_contents(entries: Mapping[str, Any], tensors: dict[str, Array]) -> NetworkFile:
    """Return the contents of a file, given its checked entries and its tensors, whose values are checked here."""
    architecture = Architecture(**entries["architecture"])
    return NetworkFile(**{**entries, "architecture": architecture}, **checked_parts(tensors, architecture))


def network_bytes(file: NetworkFile) -> bytes:
    """Return the bytes of a file; tensors that do not fit the architecture, and non-finite weights, are refused."""
    tensors = {**file.tensors, **file.training_tensors}
    if file.training is not None:
        training = dict(file.training)
        tensors["training"] = _document(training | {"history": list(training.get("history", []))[-MAX_RECORDS:]})
    if file.best is not None:
        tensors["best"] = _document(file.best)
    tensors |= {f"best.{name}": array for name, array in file.best_tensors.items()}
    if file.run is not None:
        tensors["run"] = _document(file.run.values)
        tensors |= {f"run.{name}": np.asarray(array) for name, array in file.run.tensors.items()}
    tensors |= {} if file.pairs is None else {PAIRS: file.pairs}
    tensors |= {} if file.gradient_rms is None else {"gradient_rms": file.gradient_rms}
    entries = {
        "configuration": file.configuration,
        "architecture": {name: value for name, value in asdict(file.architecture).items() if value is not None},
        "vocabulary": vocabulary_document(file.vocabulary),
    }
    content = model_bytes("network", entries, tensors, expected_tensors)
    checked_parts(tensors, file.architecture)
    return content


def _document(document: Any) -> Array:
    return np.frombuffer(plain_json(document).encode("ascii"), np.uint8)


def checked_parts(tensors: dict[str, Array], architecture: Architecture) -> dict[str, Any]:
    """Check the documents and values of a file's tensors; return them as arguments of `NetworkFile`."""
    parts = {name: read_entry(name, tensors[name].tobytes()) for name in PARTS if name in tensors}
    training = parts.get("training")
    best = parts.get("best")
    if training is not None:
        check_training(training, tensors)
    if best is not None:
        if training is None:
            raise ModelFileError("it has the best weights of a run, but no training state")
        if not training["optimizer_start"] <= best["n_steps"] <= training["n_steps"]:
            raise ModelFileError("its best has an n_steps outside the steps of its training")
    check_values(tensors)
    if "run" in parts:
        parts["run"] = StoredRecord(parts["run"], without_prefix("run", tensors))
    if architecture.n_pairs is not None:
        check_pairs(tensors[PAIRS], architecture.vocab_size)
    return parts | {
        "tensors": {name: tensors[name] for name in expected_weights(architecture)},
        "training_tensors": {
            name: array for name, array in tensors.items() if name.startswith(("state.", "optimizer."))
        },
        "best_tensors": without_prefix("best", tensors),
        "pairs": tensors.get(PAIRS),
        "gradient_rms": tensors.get("gradient_rms"),
    }


def without_prefix(part: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the tensors of one part, without the part's name."""
    return {name.removeprefix(f"{part}."): array for name, array in tensors.items() if name.startswith(f"{part}.")}


def check_training(training: Mapping[str, Any], names: Iterable[str]) -> None:
    """Compare the document of the training state with its steps and with the names of the tensors."""
    if training["optimizer_start"] > training["n_steps"]:
        raise ModelFileError("its training has an optimizer_start outside its steps")
    arrays = _optimizer_arrays(names)
    optimizer = training["optimizer"]
    if arrays and arrays != set(OPTIMIZERS[optimizer].state):
        raise ModelFileError(
            f"its training has the optimizer {optimizer}, but its tensors lack that optimizer's arrays"
        )


def _optimizer_arrays(names: Iterable[str]) -> set[str]:
    """Return the known arrays of optimizers that occur in the names of the tensors."""
    return ARRAYS & {name.split(".")[1] for name in names if name.startswith("optimizer.")}


def check_values(tensors: Mapping[str, Array]) -> None:
    """Refuse numbers that prevent further training."""
    for name, tensor in tensors.items():
        part, _, kind = name.removeprefix("best.").partition(".")
        if name.partition(".")[0] == "run" or tensor.dtype.kind != "f":
            continue
        array = kind.partition(".")[0]
        # A sum of squares may overflow to infinity; its weight is then no longer updated.
        may_overflow = part == "optimizer"
        if np.isnan(tensor).any() if may_overflow else not np.isfinite(tensor).all():
            raise ModelFileError(
                f"its tensor {name!r} contains NaN or infinity, because training diverged", remedy="lower learning_rate"
            )
        if (part == "gradient_rms" or array in SQUARES) and tensor.size and tensor.min() < 0:
            raise ModelFileError(f"its tensor {name!r} contains a negative number, but should contain squares")
    largest = np.finfo(np.float32).max / LARGEST_INT8
    for name in scale_names(tensors):
        scale = tensors[name]
        matrix = name.removesuffix(SCALE)
        if not ((scale == 0) | (scale >= SMALLEST_SCALE) & (scale <= largest)).all():
            raise ModelFileError(
                f"its tensor {name!r} contains an invalid scale: each is 0, or {SMALLEST_SCALE:.3g} to {largest:.3g}"
            )
        if (tensors[matrix] < -LARGEST_INT8).any():
            raise ModelFileError(
                f"its tensor {matrix!r} contains {-LARGEST_INT8 - 1}, which is not a valid 8-bit weight"
            )


def check_pairs(pairs: Array, vocab_size: int) -> None:
    """Refuse invalid symbol pairs of a table, of dtype int32 and shape (R, 2)."""
    symbols = ((pairs >= 0) & (pairs < vocab_size)).all(axis=1)
    if not (symbols | (pairs == -1).all(axis=1)).all():
        raise ModelFileError(f"its {PAIRS} contains an invalid pair of symbols")
    if len(np.unique(pairs[symbols], axis=0)) < np.count_nonzero(symbols):
        raise ModelFileError(f"its {PAIRS} contains a pair twice")


def expected_tensors(entries: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Declared | None]:
    """Return all tensors that a file must have, given its entries and header, before any is read."""
    architecture = Architecture(**entries["architecture"])
    vocabulary = entries["vocabulary"]
    if len(vocabulary) != architecture.vocab_size:
        raise ModelFileError(
            f"its vocabulary has {len(vocabulary)} symbols, but its architecture {architecture.vocab_size}"
        )
    if architecture.int8:
        if architecture.dtype != "float32":
            raise ModelFileError("its architecture has int8, but its dtype is not float32")
        if training := sorted(name for name in declared if name.partition(".")[0] in ("best", "run", "optimizer")):
            raise ModelFileError(f"it has a tensor {short_repr(training[0])}, but its 8-bit weights cannot be trained")
    expected: dict[str, Declared | None] = {**expected_weights(architecture)}
    if "training" in declared:
        expected |= expected_training(declared, architecture)
        if "best" in declared:
            expected |= {f"best.{name}": tensor for name, tensor in expected.items()}
    if architecture.n_pairs is not None:
        expected[PAIRS] = Declared("I32", (architecture.n_pairs, 2))
    if "gradient_rms" in declared:
        n_learned = sum(math.prod(shape) for shape in learned_tensors(architecture).values())
        expected["gradient_rms"] = Declared("F16", (n_learned,))
    for name, (dtype, shape) in declared.items():
        if name in PARTS:
            expected[name] = Declared("U8", shape[:1] or (0,))
        elif "run" in declared and name.startswith("run.") and is_record_name(name.removeprefix("run.")):
            expected[name] = Declared(dtype if dtype in DTYPES.values() else "", shape)
    return expected


def expected_weights(architecture: Architecture) -> dict[str, Declared]:
    """Return the description of every weight; of 8-bit weights, integers and their scales."""
    expected: dict[str, Declared] = {}
    for name, shape in torch_shapes(architecture).items():
        if architecture.int8 and len(shape) == 2:
            expected[name] = Declared("I8", shape)
            expected[name + SCALE] = Declared("F32", (shape[1] if name in TABLES else shape[0],))
        else:
            expected[name] = Declared(DTYPES[architecture.dtype], shape)
    return expected


def torch_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shape of every weight as in PyTorch: (outputs, inputs), the gates stacked along the first axis."""
    H, V, E = architecture.hidden_size, architecture.vocab_size, architecture.embedding_size
    rows = CELLS[architecture.cell].torch_gates * H
    # The table of pairs is for the cell's own gates: PyTorch has no such table.
    tables = input_tables(V, CELLS[architecture.cell].gates * H, E, architecture.n_pairs)
    shapes: dict[str, Shape] = {f"{name}.weight": shape for name, shape in tables.items()}
    for layer in range(architecture.num_layers):
        shapes[f"rnn.weight_ih_l{layer}"] = (rows, input_size(layer, V, H, E))
        shapes[f"rnn.weight_hh_l{layer}"] = (rows, H)
        shapes[f"rnn.bias_ih_l{layer}"] = (rows,)
        shapes[f"rnn.bias_hh_l{layer}"] = (rows,)
    return shapes | {"decoder.weight": (V, H), "decoder.bias": (V,)}


def learned_tensors(architecture: Architecture) -> dict[str, Shape]:
    """Return the name and shape of each trained weight: one bias per layer (two for a GRU), no coupled input gate."""
    kind = CELLS[architecture.cell]
    learned = {name: shape for name, shape in torch_shapes(architecture).items() if "rnn.bias_hh" not in name}
    for name in [name for name in learned if name.startswith("rnn.")]:
        learned[name] = (kind.gates * architecture.hidden_size, *learned[name][1:])
    if kind.separate_bias:
        for layer in range(architecture.num_layers):
            learned[f"rnn.bias_hn_l{layer}"] = (architecture.hidden_size,)
    return learned


def expected_training(declared: Mapping[str, Declared], architecture: Architecture) -> dict[str, Declared]:
    """Return the tensors of the training state, for the file's batch size and optimizer."""
    dtype = DTYPES[architecture.dtype]
    learned = learned_tensors(architecture)
    expected: dict[str, Declared] = {}
    for array in _optimizer_arrays(declared):  # only known ones: a header can contain many others
        expected |= {f"optimizer.{array}.{name}": Declared(dtype, shape) for name, shape in learned.items()}
    shape = declared["state.h"].shape if "state.h" in declared else ()
    B = max(shape[1] if len(shape) == 3 else 1, 1)
    hidden = Declared(dtype, (architecture.num_layers, B, architecture.hidden_size))
    expected |= {f"state.{name}": hidden for name in CELLS[architecture.cell].states}
    if architecture.n_pairs is not None:
        expected["state.symbol"] = Declared("I32", (1, B, 1))
    return expected


def is_record_name(name: str) -> bool:
    """Return whether an array of a record may have this name."""
    return re.fullmatch("[A-Za-z0-9_.-]{1,100}", name) is not None
