"""Checkpoint: a `CharRNN` to its file and back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, ModelFileError
from ..model.layout import Layout
from ..settings import Settings, generator
from . import model_file
from .checks import MEMORIES
from .model_file import Architecture, ModelFile

if TYPE_CHECKING:
    from ..char_rnn import CharRNN

Array = NDArray[Any]


def write(model: CharRNN, path: str | os.PathLike[str], *, training_state: bool) -> None:
    """Write a fitted model to a file; InvalidInputError if a parameter has been set to what training would refuse."""
    Settings.check(model.get_params())  # a file that `read` would refuse is of no use
    layout = model._layout
    training, training_tensors = _training(model) if training_state else (None, {})
    model_file.write(
        path,
        ModelFile(
            configuration=_portable(model.get_params()),
            architecture=Architecture(
                cell=layout.cell,
                num_layers=layout.num_layers,
                hidden_size=layout.hidden_size,
                vocab_size=layout.vocab_size,
                dtype=layout.dtype.name,
            ),
            vocabulary=model.vocabulary_,
            tensors=_with_second_biases(layout, model._params),
            training=training,
            training_tensors=training_tensors,
        ),
    )


def _with_second_biases(layout: Layout, params: Array) -> dict[str, Array]:
    """Return the weights as PyTorch has them, whose second bias is added to the first but in a GRU's gate n."""
    tensors = layout.torch_named(params)
    for k, layer in enumerate(layout.tensors(params).layers):
        second = np.zeros_like(layer.bh)
        if layer.bn is not None:
            second[-len(layer.bn) :] = layer.bn
            del tensors[f"rnn.bias_hn_l{k}"]
        tensors[f"rnn.bias_hh_l{k}"] = second
    return tensors


def _training(model: CharRNN) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what training needs to go on: the document and the tensors."""
    layout = model._layout
    document = {
        "n_steps": model.n_steps_,
        "smooth_loss": model.smooth_loss_,
        "loss_length": model._loss_length,
        "random_state": model._rng.bit_generator.state,
        "history": model.history_,
        "optimizer": model._memory_of,
        "optimizer_start": model._optimizer_start,
    }
    state = model.state_ if isinstance(model.state_, tuple) else (model.state_,)
    tensors = {f"state.{name}": array for name, array in zip(layout.kind.states, state, strict=True)}
    for memory, flat in model._memory.items():
        tensors |= {f"optimizer.{memory}.{name}": array for name, array in layout.torch_named(flat).items()}
    return document, tensors


def read(model: CharRNN, path: str | os.PathLike[str]) -> None:
    """Fill a new model from a file; a parameter that an older file does not hold keeps its default."""
    file = model_file.read(path)
    architecture = file.architecture
    try:
        unknown = file.configuration.keys() - model.get_params().keys()
        if unknown:
            raise InvalidInputError(f"{type(model).__name__} has no parameter {min(unknown)!r}")
        model.set_params(**file.configuration)
        settings = Settings.check(model.get_params())
    except InvalidInputError as error:
        raise ModelFileError(f"{os.fspath(path)}: its configuration is not usable: {error}") from error
    layout = Layout(
        architecture.vocab_size,
        architecture.hidden_size,
        np.dtype(architecture.dtype),
        architecture.cell,
        architecture.num_layers,
    )
    model._layout = layout
    model.vocabulary_ = file.vocabulary
    model._params = _without_second_biases(layout, file.tensors)
    _restore_training(model, settings, file, path)


def _without_second_biases(layout: Layout, tensors: dict[str, Array]) -> Array:
    """Return the flat vector of the weights that PyTorch's tensors stand for."""
    params = layout.zeros()
    for name, view in layout.torch_named(params).items():
        if name in tensors:  # all but rnn.bias_hn
            view[...] = tensors[name]
    for k, layer in enumerate(layout.tensors(params).layers):
        second = tensors[f"rnn.bias_hh_l{k}"]
        if layer.bn is not None:
            second, layer.bn[...] = np.split(second, [-len(layer.bn)])
        layer.bh[: len(second)] += second
    return params


def _restore_training(model: CharRNN, settings: Settings, file: ModelFile, path: str | os.PathLike[str]) -> None:
    layout, training = model._layout, file.training or {}
    model._memory_of = training.get("optimizer", settings.optimizer)
    model._memory = {memory: layout.zeros() for memory in MEMORIES[model._memory_of]}
    model._optimizer_start = training.get("optimizer_start", 0)
    stored = training.get("random_state")
    model._rng = generator(settings.random_state) if stored is None else _generator(stored, path)
    model.n_steps_ = training.get("n_steps", 0)
    model.smooth_loss_ = training.get("smooth_loss", settings.seq_length * float(np.log(layout.vocab_size)))
    model._loss_length = training.get("loss_length", settings.seq_length)
    model.history_ = training.get("history", [])
    shape = (layout.num_layers, settings.batch_size, layout.hidden_size)
    state = tuple(
        file.training_tensors[f"state.{name}"] if training else np.zeros(shape, layout.dtype)
        for name in layout.kind.states
    )
    model.state_ = state if len(state) > 1 else state[0]
    if training:
        for memory, flat in model._memory.items():
            for name, view in layout.torch_named(flat).items():
                tensor = f"optimizer.{memory}.{name}"
                if tensor not in file.training_tensors:
                    raise ModelFileError(f"{os.fspath(path)}: it has a training state without {tensor}")
                view[...] = file.training_tensors[tensor]


def _generator(state: Any, path: str | os.PathLike[str]) -> np.random.Generator:
    """Return the generator whose bit generator has this state."""
    try:
        kind = {"PCG64": np.random.PCG64, "PCG64DXSM": np.random.PCG64DXSM, "Philox": np.random.Philox,
                "SFC64": np.random.SFC64, "MT19937": np.random.MT19937}[state["bit_generator"]]  # fmt: skip
        bits = kind()
        bits.state = state
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{os.fspath(path)}: its random state is not one of NumPy's bit generators") from error
    return np.random.Generator(bits)


def _portable(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them.

    What cannot be is None: a generator, whose state is kept apart, and callbacks, which are the caller's code.
    """
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    out["callbacks"] = None
    return out
