"""The file of a network, and the checkpoint of its training run: the parameters and the state, without pickle.

The weights have PyTorch's names, so that ``torch.nn.RNN``, ``GRU`` or ``LSTM`` and ``torch.nn.Linear`` can load them
directly. A ``cifg`` cell is stored as an LSTM in which the input gate has the forget gate's weights, negated (see
`crnn.model.layout`). It is a sealed file (see `sealed_file`), whose ``__metadata__`` also contains

=================== ========================================================================
``configuration``   JSON: the constructor's parameters, including the precision of products
``architecture``    JSON: cell, num_layers, hidden_size, vocab_size, dtype; embedding_size and n_pairs if the model
                    has an embedding or a table of pairs. It implies every weight's shape. With ``int8`` each
                    matrix contains 8-bit integers, to be multiplied by the scales of its outputs, float32, in
                    ``<weight>.scale``
``vocabulary``      JSON: ``kind`` and the ``codes`` (code points or byte values) of the V symbols in id order;
                    ``unknown`` and ``boundary``, each ``true``, if there are such symbols; ``labels`` if any
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

import io
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError, short_repr
from ..model.layout import (
    LARGEST_INT8,
    LOOKUP_TABLES,
    SHAPING,
    SMALLEST_SCALE,
    Layout,
    Scales,
    SymbolPairs,
    by_output,
    input_size,
    input_tables,
    integers_of,
    is_coupled,
    second_bias,
    torch_name,
    with_input_gate,
    without_input_gate,
)
from ..model.state import ModelState, gradient_rms, zero_hidden, zero_optimizer_state
from ..parameters.checks import FilePath, checked_bool, generator, pcg64_generator
from ..parameters.kinds import CELLS, OPTIMIZERS
from ..parameters.settings import Settings
from ..text.vocabulary import Vocabulary
from ..training.checkpoints import DIVERGED, RUNNING, RunState
from ..training.processes import processes_of
from .entries import checked_configuration, plain_json, read_entry, vocabulary_document
from .sealed_file import (
    Path,
    model_bytes,
    open_file,
    open_model,
    path_name,
    peek_header,
    read_header,
    read_tensor,
    require_kind,
    write_path,
)
from .tensor_file import DTYPES, Declared

MAX_NEW_HIDDEN = 4 << 20  # maximum bytes of a hidden state made for a file of weights alone, for its batch size
MAX_RECORDS = 20_000  # of a history in a file: about 5 MB
PARTS = ("training", "best", "run")  # JSON documents stored as tensors of bytes
PAIRS = "bigrams.pairs"  # the tensor's name; the table itself is ``bigrams.weight``
SCALE = ".scale"  # appended to the name of a matrix
TABLES = tuple(f"{name}.weight" for name in LOOKUP_TABLES)  # their columns have the scales
SQUARES = {kind.squares for kind in OPTIMIZERS.values()} - {None}  # arrays that cannot be negative
ARRAYS = {array for kind in OPTIMIZERS.values() for array in kind.state}  # of all optimizers

SIZES = ("cell", "num_layers", "hidden_size", "vocab_size", "embedding_size", "n_pairs")  # of an architecture

Shape = tuple[int, ...]


# --------------------------------------------------------- a model and its run


class StoredRecord(NamedTuple):
    """The state of a training run, stored without knowledge of its meaning."""

    values: dict[str, Any]  # names and JSON values
    tensors: dict[str, Array]  # of a type in `DTYPES`, under names of letters, digits, ``_``, ``-`` and ``.``


class StoredNetwork(NamedTuple):
    """The contents of a file: a model, and its unfinished run."""

    parameters: dict[str, Any]
    state: ModelState
    run: StoredRecord | None  # the state of the run
    best: ModelState | None  # at the run's lowest validation loss, if not the current state

    @property
    def final_state(self) -> ModelState:
        """The state that an unfinished run would have kept: at the lowest validation loss, if the file has it."""
        return self.state if self.best is None else self.best


def read(path: Path, defaults: Mapping[str, Any]) -> StoredNetwork:
    """Return everything in a file; `defaults` replace missing parameters. Memory: three times the file plus 16 MB."""
    with open_model(path, "network", expected_tensors) as (entries, tensors):
        file = network_contents(entries, tensors)
        parameters, settings = checked_configuration(file.configuration, defaults, _checked_settings)
        state = _state(
            file,
            optimizer=settings.optimizer,
            batch_size=settings.batch_size,
            seq_length=settings.seq_length,
            random_state=settings.random_state,
        )
        best = None
        if file.best is not None:
            best = replace(
                state,
                **file.best,
                params=_flat_weights(state.layout, file.best_tensors),
                optimizer_state=_optimizer_state(state.layout, state.optimizer, file.best_tensors),
                hidden=_hidden(state.layout, file.best_tensors),
            )
        return StoredNetwork(parameters, state, file.run, best)


def to_bytes(
    state: ModelState,
    parameters: Mapping[str, Any],
    *,
    training_state: bool,
    run: StoredRecord | None = None,
    best: ModelState | None = None,
) -> bytes:
    """Return the bytes of a file, with `training_state` also of optimizer state, hidden state, counters, random state.

    The state must not change during the call. `run` is the state of the run that is training the model, and `best` the
    snapshot at its lowest validation loss.
    """
    _checked_settings(parameters)
    checked_bool("training_state", training_state)
    file = _file_of(state, _portable(parameters), training_state=training_state)
    if not training_state and state.scales is None:
        file = replace(file, gradient_rms=gradient_rms(state, parameters["beta_2"]))
    if best is not None:
        tensors = _torch_tensors(state.layout, best.params) | best.training_arrays()
        file = replace(file, best={"n_steps": best.n_steps, "smooth_loss": best.smooth_loss}, best_tensors=tensors)
    return network_bytes(replace(file, run=run))


def _checked_settings(parameters: Mapping[str, Any]) -> Settings:
    """Return the settings, with the seed checked, too."""
    settings = Settings.check(parameters)
    if not hasattr(settings.random_state, "random"):
        generator(settings.random_state)
    return settings


def _portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in a form that JSON can hold; generators, stored separately, and callbacks become None."""
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    out["callbacks"] = None
    del out["vocabulary"]  # the file has the model's vocabulary
    return out


def state_to_bytes(state: ModelState) -> bytes | ModelState:
    """Return a state, for a pickle, as the contents of a model file, or a copy if its weights are not finite."""
    copy = state.copy_between_steps()
    layout = copy.layout
    configuration = {name: getattr(layout, name) for name in SHAPING}
    configuration |= {"dtype": layout.dtype.name, "optimizer": copy.optimizer, "seq_length": copy.loss_length}
    try:
        file = _file_of(copy, configuration, training_state=True)
        return network_bytes(replace(file, gradient_rms=copy.gradient_rms))
    except (ValueError, TypeError):
        return copy


def state_from_bytes(content: bytes) -> ModelState:
    """Return the state written by `state_to_bytes`."""
    with open_model(io.BytesIO(content), "network", expected_tensors) as (entries, tensors):
        file = network_contents(entries, tensors)
        return replace(_state(file, optimizer="adagrad", batch_size=1, seq_length=1), gradient_rms=file.gradient_rms)


def has_training_state(path: Path) -> bool:
    """Return whether the file of a network has its training state, without checking the rest of the file."""
    return "training" in peek_header(path).declared


def is_of_step(path: Path, state: ModelState) -> bool:
    """Return whether the file of a network, or of its run's best step, is of a state: as many steps, the same biases.

    Every step changes the biases. Nothing else is read, so that this takes milliseconds; the checksum is not compared.
    """
    with open_file(path) as (stream, size):
        header = require_kind(read_header(stream, size), "network")
        has_best = "best" in header.declared
        part = "best" if has_best else "training"
        prefix = "best." if has_best else ""
        document = read_entry(part, read_tensor(stream, header, part).tobytes())
        if document["n_steps"] != state.n_steps:
            return False
        for name, array in _torch_tensors(state.layout, state.params).items():
            if array.ndim == 1 and not np.array_equal(read_tensor(stream, header, prefix + name), array):
                return False
    return True


def write_run(state: ModelState, *, run: RunState, parameters: Mapping[str, Any], path: FilePath) -> None:
    """Write the checkpoint of a run; `read_run` returns the run as well, `read` everything."""
    write_path(path, partial(run_bytes, state, run=run, parameters=parameters))


def run_bytes(state: ModelState, *, run: RunState, parameters: Mapping[str, Any]) -> bytes:
    """Return the bytes of the checkpoint of a run."""
    record = StoredRecord(run.to_dict(), run.arrays())
    return to_bytes(state, parameters, training_state=True, run=record, best=run.best)


def read_run(path: Path, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], ModelState, RunState | None]:
    """Return the parameters and the state of a model, and its run if the file has one."""
    stored = read(path, defaults)
    if stored.run is None:
        return stored.parameters, stored.state, None
    try:
        run = RunState.from_dict(stored.run.values, stored.run.tensors, stored.state, stored.best)
        if run.outcome == RUNNING and stored.parameters["optimizer"] != stored.state.optimizer:
            raise InvalidInputError("its run and its model have different optimizers")
    except InvalidInputError as error:
        raise ModelFileError(f"{_shown_path(path)}: {error}") from error
    return stored.parameters, stored.state, run


def _shown_path(path: Path) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else path_name(path)


def unfinished_run(
    path: Path, defaults: Mapping[str, Any], overrides: Mapping[str, Any], comm: Any = None
) -> tuple[dict[str, Any], ModelState, RunState]:
    """Return `read_run` of a call that can be finished, with `overrides` that are not None; rank 0 reads for all."""
    processes = processes_of(comm)
    read_file = partial(read_run, path, defaults)
    parameters, state, run = processes.read_by_first(read_file) if processes else read_file()
    name = _shown_path(path)
    if run is None:
        raise InvalidInputError(
            f"{name} contains a model, but no unfinished training run. Load it and call partial_fit."
        )
    if run.outcome == DIVERGED:
        raise InvalidInputError(
            f"the training run in {name} diverged, and would diverge again. Load it, lower learning_rate, and call "
            "partial_fit."
        )
    parameters |= {name: value for name, value in overrides.items() if value is not None}
    Settings.check(parameters)
    return parameters, state, run


# ---------------------------------------------------------- entries and tensors


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
        parts["run"] = StoredRecord(parts["run"], _without_prefix("run", tensors))
    if architecture.n_pairs is not None:
        check_pairs(tensors[PAIRS], architecture.vocab_size)
    return parts | {
        "tensors": {name: tensors[name] for name in expected_weights(architecture)},
        "training_tensors": {
            name: array for name, array in tensors.items() if name.startswith(("state.", "optimizer."))
        },
        "best_tensors": _without_prefix("best", tensors),
        "pairs": tensors.get(PAIRS),
        "gradient_rms": tensors.get("gradient_rms"),
    }


def _without_prefix(part: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
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
    for name in _scale_names(tensors):
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


# ------------------------------------------------------------- expected tensors


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
        expected |= _expected_training(declared, architecture)
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


def _expected_training(declared: Mapping[str, Declared], architecture: Architecture) -> dict[str, Declared]:
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


# ------------------------------------------------------------ a state's tensors


def _file_of(state: ModelState, configuration: dict[str, Any], *, training_state: bool) -> NetworkFile:
    """Return the contents of a file, given a state that does not change during the call."""
    layout = state.layout
    training = {
        "n_steps": state.n_steps,
        "smooth_loss": state.smooth_loss,
        "loss_length": state.loss_length,
        "random_state": state.rng.bit_generator.state,
        "history": state.history,
        "optimizer": state.optimizer,
        "optimizer_start": state.optimizer_start,
    }
    return NetworkFile(
        configuration=configuration,
        architecture=Architecture(
            **{name: getattr(layout, name) for name in SIZES},
            dtype=layout.dtype.name,
            int8=None if state.scales is None else True,
        ),
        vocabulary=state.vocabulary,
        tensors=_torch_tensors(layout, state.params, state.scales),
        training=training if training_state else None,
        training_tensors=state.training_arrays() if training_state else {},
        pairs=None if layout.pairs is None else layout.pairs.pairs,
    )


def _state(
    file: NetworkFile, *, optimizer: str, batch_size: int, seq_length: int, random_state: Any = None
) -> ModelState:
    """Return the state in a file; the other arguments replace what a file of weights alone lacks."""
    architecture = file.architecture
    training = file.training or {}
    layout = Layout(
        architecture.vocab_size,
        architecture.hidden_size,
        np.dtype(architecture.dtype),
        cell=architecture.cell,
        num_layers=architecture.num_layers,
        embedding_size=architecture.embedding_size,
        pairs=symbol_pairs(file.pairs, file.configuration),
    )
    random_bits = training.get("random_state")
    optimizer = training.get("optimizer", optimizer)
    tensors, by_name = float_tensors(file.tensors)
    scales = named_scales(layout, by_name)
    if scales is not None:
        optimizer_state = {}
    elif training:
        optimizer_state = _optimizer_state(layout, optimizer, file.training_tensors)
    else:
        optimizer_state = zero_optimizer_state(optimizer, layout)
    return ModelState(
        layout=layout,
        params=_flat_weights(layout, tensors),
        optimizer=optimizer,
        optimizer_state=optimizer_state,
        optimizer_start=training.get("optimizer_start", 0),
        hidden=_hidden(layout, file.training_tensors) if training else _new_hidden(layout, batch_size),
        vocabulary=file.vocabulary,
        rng=pcg64_generator(random_state) if random_bits is None else generator_from_bits(random_bits),
        n_steps=training.get("n_steps", 0),
        smooth_loss=training.get("smooth_loss", seq_length * float(np.log(layout.vocab_size))),
        loss_length=training.get("loss_length", seq_length),
        history=training.get("history", []),
        gradient_rms=None if file.gradient_rms is None else np.array(file.gradient_rms),
        scales=scales,
    )


def _torch_tensors(layout: Layout, params: Array, scales: Scales | None = None) -> dict[str, Array]:
    """Return the weights in PyTorch's form, with the second bias; if scales are given, matrices are integers."""
    tensors = layout.torch_named(params)
    if layout.kind.coupled:
        tensors |= {name: with_input_gate(array) for name, array in tensors.items() if name.startswith("rnn.")}
    for k, layer in enumerate(layout.tensors(params).layers):
        tensors.pop(f"rnn.bias_hn_l{k}", None)
        tensors[f"rnn.bias_hh_l{k}"] = second_bias(tensors[f"rnn.bias_ih_l{k}"], layer.bn)
    return tensors if scales is None else int8_tensors(tensors, torch_scales(layout, scales))


def _flat_weights(layout: Layout, tensors: Mapping[str, Array]) -> Array:
    """Return the flat vector of weights, given PyTorch's tensors."""
    if layout.kind.coupled:
        tensors = _without_input_gates(layout, tensors)
    params = layout.zeros()
    for name, view in layout.torch_named(params).items():
        if name in tensors:  # all but rnn.bias_hn
            view[...] = tensors[name]
    for k, layer in enumerate(layout.tensors(params).layers):
        second = tensors[f"rnn.bias_hh_l{k}"]
        if layer.bn is not None:
            second, layer.bn[...] = np.split(second, [-len(layer.bn)])
        first = layer.bh[: len(second)]
        np.add(first, second, out=first, where=second != 0)  # -0.0 + 0.0 would be 0.0, and other bits than were saved
    if not np.isfinite(params).all():  # two finite biases may add up to infinity
        raise ModelFileError("the sum of a unit's two biases is infinite")
    return params


def _without_input_gates(layout: Layout, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the weights of PyTorch's LSTM without the input gate's, if it is coupled."""
    coupled = dict(tensors)
    for k in range(layout.num_layers):
        names = [f"rnn.{part}_l{k}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        first, second = (tensors[name] for name in names[2:])
        for name, rows in ((names[0], tensors[names[0]]), (names[1], tensors[names[1]]), (names[2], first + second)):
            if not is_coupled(rows):
                raise ModelFileError(
                    f"its tensor {name!r} does not have coupled gates, in which the input gate has the forget gate's "
                    "weights, negated",
                    remedy="load an LSTM trained by PyTorch with CharRNN.from_torch(state_dict)",
                )
        coupled |= {name: without_input_gate(tensors[name]) for name in names}
    return coupled


def _optimizer_state(layout: Layout, optimizer: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Copy an optimizer's state from a file's tensors into flat vectors."""
    state = zero_optimizer_state(optimizer, layout)
    for part, flat in state.items():
        for name, view in layout.torch_named(flat).items():
            tensor = f"optimizer.{part}.{name}"
            if tensor not in tensors:
                raise ModelFileError(f"it has a training state without {tensor}")
            view[...] = tensors[tensor]
    return state


def _hidden(layout: Layout, tensors: Mapping[str, Array]) -> tuple[Array, ...]:
    """Return the hidden state in aligned arrays of its own."""
    return tuple(np.array(tensors[f"state.{name}"]) for name in layout.states)


def _new_hidden(layout: Layout, batch_size: int) -> tuple[Array, ...]:
    """Return a zero hidden state, of one stream if the batch size takes much memory: training makes its own."""
    per_stream = layout.num_layers * layout.hidden_size * layout.dtype.itemsize * len(layout.kind.states)
    return zero_hidden(layout, batch_size if batch_size * per_stream <= MAX_NEW_HIDDEN else 1)


def symbol_pairs(pairs: Array | None, configuration: Mapping[str, Any]) -> SymbolPairs | None:
    """Return the pairs in a tensor; the text may have had fewer than the configuration asks for."""
    if pairs is None:
        return None
    limit = configuration.get("n_bigrams")
    return SymbolPairs(pairs, limit if type(limit) is int and limit > len(pairs) else None)


def generator_from_bits(state: dict[str, Any]) -> np.random.Generator:
    """Return a generator whose PCG64 has this checked state."""
    bits = np.random.PCG64()
    bits.state = state  # type: ignore[assignment]
    return np.random.Generator(bits)


# --------------------------------------------------------------- 8-bit weights


def int8_tensors(tensors: Mapping[str, Array], scales: Mapping[str, Array]) -> dict[str, Array]:
    """Return tensors with the matrices as integers, followed by their scales."""
    out = dict(tensors)
    for name, scale in scales.items():
        out[name] = by_output(integers_of(by_output(tensors[name], name in TABLES), scale), name in TABLES)
        out[name + SCALE] = scale
    return out


def float_tensors(tensors: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the arguments of `int8_tensors`; tensors without scales are unchanged."""
    floats = dict(tensors)
    scales = {}
    for name in _scale_names(tensors):
        matrix = name.removesuffix(SCALE)
        scale = np.array(floats.pop(name), np.float32)
        scales[matrix] = scale
        floats[matrix] = by_output(by_output(tensors[matrix], matrix in TABLES) * scale[:, None], matrix in TABLES)
    return floats, scales


def _scale_names(tensors: Mapping[str, Array]) -> list[str]:
    return [name for name in tensors if name.endswith(SCALE) and name.partition(".")[0] not in PARTS]


def torch_scales(layout: Layout, scales: Scales) -> dict[str, Array]:
    """Return scales by PyTorch's names; a coupled input gate has the forget gate's scales."""
    by_name = {torch_name(name): scale for name, scale in scales.items()}
    if layout.kind.coupled:
        by_name |= {n: np.abs(with_input_gate(scale)) for n, scale in by_name.items() if n.startswith("rnn.")}
    return by_name


def named_scales(layout: Layout, by_name: Mapping[str, Array]) -> Scales | None:
    """Return scales under the names of `Layout.named`, the reverse of `torch_scales`; None if there are none."""
    scales: Scales = {}
    for name in layout.named(layout.zeros()):
        scale = by_name.get(torch_name(name))
        if scale is not None:
            coupled = layout.kind.coupled and torch_name(name).startswith("rnn.")
            scales[name] = without_input_gate(scale) if coupled else scale
    return scales or None
