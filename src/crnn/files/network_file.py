"""NetworkFile: a model's state and parameters, to a file and back."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Array
from ..errors import InvalidInputError, ModelFileError
from ..model.int8_weights import Scales
from ..model.layout import SHAPING, Layout, is_coupled, second_bias, torch_name, with_input_gate, without_input_gate
from ..model.state import WEIGHT_AVERAGE, ModelState, gradient_rms, zero_hidden, zero_optimizer_state
from ..parameters.checks import checked_bool, generator, pcg64_generator
from ..parameters.settings import Settings
from . import model_file
from .int8_tensors import float_tensors, int8_tensors
from .model_file import ModelFile, StoredRecord
from .network_file_checks import Architecture
from .random_state import restored_generator
from .sealed_file import Path, path_name
from .stored_pairs import stored_pairs

MAX_NEW_HIDDEN = 4 << 20  # maximum bytes of a hidden state made for a file of weights alone, for its batch size


class StoredNetwork(NamedTuple):
    """The contents of a file: a model, and its unfinished run."""

    parameters: dict[str, Any]
    state: ModelState
    run: StoredRecord | None  # the state of the run
    best: ModelState | None  # at the run's lowest validation loss, if not the current state

    @property
    def kept(self) -> ModelState:
        """The state that an unfinished run would have kept if stopped there.

        It is the state at the lowest validation loss, if the file has it, with averaged weights if the run averages.
        """
        return (self.state if self.best is None else self.best).averaged()


def write(
    state: ModelState,
    parameters: Mapping[str, Any],
    path: Path,
    *,
    training_state: bool,
    run: StoredRecord | None = None,
    best: ModelState | None = None,
) -> None:
    """Write a model to a file, with `training_state` also its optimizer state, hidden state, counters and random state.

    The state must not change during the call: if another thread may be training the model, pass a snapshot
    (`ModelState.copy_between_steps`). Parameters that training would refuse are refused, because `read` would then
    refuse the file. `run` is the state of the run that is training the model, and `best` the snapshot at its lowest
    validation loss.
    """
    file = _file_with(state, parameters, training_state=checked_bool("training_state", training_state))
    if best is not None:
        tensors = _torch_tensors(state.layout, best.params) | _training(best)[1]
        file = replace(file, best={"n_steps": best.n_steps, "smooth_loss": best.smooth_loss}, best_tensors=tensors)
    model_file.write(path, replace(file, run=run))


def _file_with(state: ModelState, parameters: Mapping[str, Any], *, training_state: bool) -> ModelFile:
    """Return the checked contents of a file, given a state and its model's parameters."""
    _check(parameters)
    if not training_state:
        state = state.averaged()
    file = _file_of(state, _portable(parameters), training_state=training_state)
    if training_state or state.scales is not None:
        return file
    return replace(file, gradient_rms=gradient_rms(state, parameters["beta_2"]))


def _file_of(state: ModelState, configuration: dict[str, Any], *, training_state: bool) -> ModelFile:
    """Return the contents of a file, given a state that does not change during the call."""
    layout = state.layout
    training, training_tensors = _training(state) if training_state else (None, {})
    return ModelFile(
        configuration=configuration,
        architecture=Architecture(
            cell=layout.cell,
            num_layers=layout.num_layers,
            hidden_size=layout.hidden_size,
            vocab_size=layout.vocab_size,
            dtype=layout.dtype.name,
            embedding_size=layout.embedding_size,
            n_pairs=layout.n_pairs,
            int8=None if state.scales is None else True,
        ),
        vocabulary=state.vocabulary,
        tensors=_torch_tensors(layout, state.params, state.scales),
        training=training,
        training_tensors=training_tensors,
        pairs=None if layout.pairs is None else layout.pairs.pairs,
    )


def _check(parameters: Mapping[str, Any]) -> Settings:
    """Return the settings, with the seed checked, too."""
    settings = Settings.check(parameters)
    if not hasattr(settings.random_state, "random"):
        generator(settings.random_state)
    return settings


def _torch_tensors(layout: Layout, params: Array, scales: Scales | None = None) -> dict[str, Array]:
    """Return the weights in PyTorch's form, with zeros as the second bias except for a GRU's gate n.

    If scales are given, matrices are integers.
    """
    tensors = layout.torch_named(params)
    if layout.kind.coupled:
        tensors |= {name: with_input_gate(array) for name, array in tensors.items() if name.startswith("rnn.")}
    for k, layer in enumerate(layout.tensors(params).layers):
        tensors.pop(f"rnn.bias_hn_l{k}", None)
        tensors[f"rnn.bias_hh_l{k}"] = second_bias(tensors[f"rnn.bias_ih_l{k}"], layer.bn)
    return tensors if scales is None else int8_tensors(tensors, torch_scales(layout, scales))


def torch_scales(layout: Layout, scales: Scales) -> dict[str, Array]:
    """Return scales by PyTorch's names; a coupled input gate has the forget gate's scales."""
    by_name = {torch_name(name): scale for name, scale in scales.items()}
    if layout.kind.coupled:
        by_name |= {n: np.abs(with_input_gate(scale)) for n, scale in by_name.items() if n.startswith("rnn.")}
    return by_name


def own_scales(layout: Layout, by_name: Mapping[str, Array]) -> Scales | None:
    """Return the scales that `torch_scales` has converted, if any."""
    scales: Scales = {}
    for name in layout.named(layout.zeros()):
        scale = by_name.get(torch_name(name))
        if scale is not None:
            coupled = layout.kind.coupled and torch_name(name).startswith("rnn.")
            scales[name] = without_input_gate(scale) if coupled else scale
    return scales or None


def _training(state: ModelState) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what training needs to continue: the document and the tensors."""
    document = {
        "n_steps": state.n_steps,
        "smooth_loss": state.smooth_loss,
        "loss_length": state.loss_length,
        "random_state": state.rng.bit_generator.state,
        "history": state.history,
        "optimizer": state.optimizer,
        "optimizer_start": state.optimizer_start,
    }
    return document, state.training_arrays()


def read(path: Path, defaults: Mapping[str, Any]) -> StoredNetwork:
    """Return everything in a file; `defaults` hold for parameters missing from the file."""
    file = model_file.read(path)
    try:
        parameters = {**defaults, **file.configuration}
        settings = _settings_in(file, parameters, defaults)
        layout = _layout(file)
        state = _state(
            layout, file, optimizer=settings.optimizer, batch_size=settings.batch_size, seq_length=settings.seq_length,
            random_state=settings.random_state,
        )  # fmt: skip
        best = None
        if file.best is not None:
            best = replace(
                state,
                **file.best,
                params=_flat_weights(layout, file.best_tensors),
                optimizer_state=_optimizer_state(layout, state.optimizer, file.best_tensors),
                hidden=_hidden(layout, file.best_tensors),
            )
        return StoredNetwork(parameters, state, None if file.run is None else file.run.copy(), best)
    except (InvalidInputError, ModelFileError) as error:
        raise ModelFileError(f"model file {path_name(path)}: {error}") from error


def _settings_in(file: ModelFile, parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> Settings:
    """Return the settings in a file, checked."""
    try:
        if unknown := file.configuration.keys() - defaults.keys():
            raise InvalidInputError(f"{min(unknown)!r} is not a parameter")
        return _check(parameters)
    except InvalidInputError as error:
        raise ModelFileError(f"its configuration is invalid: {error}") from error


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
        layer.bh[: len(second)] += second
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
                    "weights, negated; load an LSTM trained by PyTorch with CharRNN.from_torch(state_dict)"
                )
        coupled |= {name: without_input_gate(tensors[name]) for name in names}
    return coupled


def _optimizer_state(layout: Layout, optimizer: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    state = zero_optimizer_state(optimizer, layout)
    if any(name.startswith(f"optimizer.{WEIGHT_AVERAGE}.") for name in tensors):
        state[WEIGHT_AVERAGE] = layout.zeros()
    for part, flat in state.items():
        for name, view in layout.torch_named(flat).items():
            tensor = f"optimizer.{part}.{name}"
            if tensor not in tensors:
                raise ModelFileError(f"it has a training state without {tensor}")
            view[...] = tensors[tensor]
    return state


def _hidden(layout: Layout, tensors: Mapping[str, Array]) -> tuple[Array, ...]:
    """Return the hidden state in separate arrays: in the file they are parts of one array."""
    return tuple(np.array(tensors[f"state.{name}"]) for name in layout.states)


def _layout(file: ModelFile) -> Layout:
    architecture = file.architecture
    return Layout(
        architecture.vocab_size,
        architecture.hidden_size,
        np.dtype(architecture.dtype),
        architecture.cell,
        architecture.num_layers,
        architecture.embedding_size,
        stored_pairs(file.pairs, file.configuration),
    )


def _state(
    layout: Layout, file: ModelFile, *, optimizer: str, batch_size: int, seq_length: int, random_state: Any
) -> ModelState:
    """Return the state in a file; from a file of weights alone, a state that starts training afresh.

    The keyword arguments replace what such a file lacks.
    """
    training = file.training or {}
    stored = training.get("random_state")
    optimizer = training.get("optimizer", optimizer)
    history = training.get("history", [])
    tensors, by_name = float_tensors(file.tensors)
    scales = own_scales(layout, by_name)
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
        rng=pcg64_generator(random_state) if stored is None else restored_generator(stored),
        n_steps=training.get("n_steps", 0),
        smooth_loss=float(training.get("smooth_loss", seq_length * float(np.log(layout.vocab_size)))),
        loss_length=training.get("loss_length", seq_length),
        history=history,
        gradient_rms=None if file.gradient_rms is None else np.array(file.gradient_rms),
        scales=scales,
    )


def _new_hidden(layout: Layout, batch_size: int) -> tuple[Array, ...]:
    """Return a zero hidden state, for a single stream if the batch size is too large for a file of weights.

    Training makes one for its batch size anyway.
    """
    per_stream = layout.num_layers * layout.hidden_size * layout.dtype.itemsize * len(layout.kind.states)
    return zero_hidden(layout, batch_size if batch_size * per_stream <= MAX_NEW_HIDDEN else 1)


def _portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in a form that JSON can hold.

    A generator, whose state is stored separately, and callbacks, which are the caller's code, become None.
    """
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    out["callbacks"] = None
    del out["vocabulary"]  # the file has the model's vocabulary
    return out


# --------------------------------------------------------------------- pickle


def state_from_bytes(content: bytes) -> ModelState:
    """Return the state written by `state_to_bytes`."""
    file = model_file.read(io.BytesIO(content))
    state = _state(_layout(file), file, optimizer="adagrad", batch_size=1, seq_length=1, random_state=None)
    return replace(state, gradient_rms=file.gradient_rms)


def state_to_bytes(state: ModelState) -> bytes | ModelState:
    """Return a state as the contents of a model file, compact, and checked when read.

    A copy of the state is returned if no file can hold it, for instance because its weights are not finite.
    """
    copy = state.copy_between_steps()
    layout = copy.layout
    configuration = {name: getattr(layout, name) for name in SHAPING}
    configuration |= {"dtype": layout.dtype.name, "optimizer": copy.optimizer, "seq_length": copy.loss_length}
    try:
        file = _file_of(copy, configuration, training_state=True)
        return model_file.to_bytes(replace(file, gradient_rms=copy.gradient_rms))
    except (ValueError, TypeError):
        return copy
