"""Checkpoint: the state and the parameters of a model to a file and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError, ModelFileError
from ..model.layout import Layout
from ..model.state import ModelState, zero_hidden, zero_optimizer_state
from ..settings import Settings, generator
from . import model_file
from .model_file import Architecture, ModelFile

Array = NDArray[Any]
Path = str | os.PathLike[str]


def write(state: ModelState, parameters: Mapping[str, Any], path: Path, *, training_state: bool) -> None:
    """Write a model to a file.

    Parameters
    ----------
    state : ModelState
    parameters : dict
        Those of the model's constructor.
    path : str or os.PathLike
    training_state : bool
        Whether optimizer state, hidden state, counters and random state are written as well.

    Raises
    ------
    InvalidInputError
        If a parameter has a value that training would refuse, since `read` would refuse the file.
    """
    Settings.check(parameters)
    layout = state.layout
    training, training_tensors = _training(state) if training_state else (None, {})
    model_file.write(
        path,
        ModelFile(
            configuration=_portable(parameters),
            architecture=Architecture(
                cell=layout.cell,
                num_layers=layout.num_layers,
                hidden_size=layout.hidden_size,
                vocab_size=layout.vocab_size,
                dtype=layout.dtype.name,
            ),
            vocabulary=state.vocabulary,
            tensors=_with_second_biases(layout, state.params),
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


def _training(state: ModelState) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what training needs to go on: the document and the tensors."""
    layout = state.layout
    document = {
        "n_steps": state.n_steps,
        "smooth_loss": state.smooth_loss,
        "loss_length": state.loss_length,
        "random_state": state.rng.bit_generator.state,
        "history": state.history,
        "optimizer": state.optimizer,
        "optimizer_start": state.optimizer_start,
    }
    tensors = {f"state.{name}": array for name, array in zip(layout.kind.states, state.hidden, strict=True)}
    for part, flat in state.optimizer_state.items():
        tensors |= {f"optimizer.{part}.{name}": array for name, array in layout.torch_named(flat).items()}
    return document, tensors


def read(path: Path, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], ModelState]:
    """Return the parameters and the state of a model from a file.

    Parameters
    ----------
    path : str or os.PathLike
    defaults : dict
        The constructor's parameters, for those that an older file does not hold.

    Raises
    ------
    ModelFileError
        If the file is damaged, or holds a parameter that is unknown or not usable.
    """
    file = model_file.read(path)
    architecture = file.architecture
    parameters = {**defaults, **file.configuration}
    try:
        unknown = file.configuration.keys() - defaults.keys()
        if unknown:
            raise InvalidInputError(f"there is no parameter {min(unknown)!r}")
        settings = Settings.check(parameters)
    except InvalidInputError as error:
        raise ModelFileError(f"{os.fspath(path)}: its configuration is not usable: {error}") from error
    layout = Layout(
        architecture.vocab_size,
        architecture.hidden_size,
        np.dtype(architecture.dtype),
        architecture.cell,
        architecture.num_layers,
    )
    return parameters, _state(layout, settings, file, path)


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


def _state(layout: Layout, settings: Settings, file: ModelFile, path: Path) -> ModelState:
    """Return the state in a file; of a file that holds weights alone, one from which training starts afresh."""
    training = file.training or {}
    stored = training.get("random_state")
    optimizer = training.get("optimizer", settings.optimizer)
    optimizer_state = zero_optimizer_state(optimizer, layout)
    hidden = zero_hidden(layout, settings.batch_size)
    if training:
        hidden = tuple(file.training_tensors[f"state.{name}"] for name in layout.kind.states)
        for part, flat in optimizer_state.items():
            for name, view in layout.torch_named(flat).items():
                tensor = f"optimizer.{part}.{name}"
                if tensor not in file.training_tensors:
                    raise ModelFileError(f"{os.fspath(path)}: it has a training state without {tensor}")
                view[...] = file.training_tensors[tensor]
    return ModelState(
        layout=layout,
        params=_without_second_biases(layout, file.tensors),
        optimizer=optimizer,
        optimizer_state=optimizer_state,
        optimizer_start=training.get("optimizer_start", 0),
        hidden=hidden,
        vocabulary=file.vocabulary,
        rng=generator(settings.random_state) if stored is None else _generator(stored, path),
        n_steps=training.get("n_steps", 0),
        smooth_loss=training.get("smooth_loss", settings.seq_length * float(np.log(layout.vocab_size))),
        loss_length=training.get("loss_length", settings.seq_length),
        history=training.get("history", []),
    )


def _generator(state: Any, path: Path) -> np.random.Generator:
    """Return the generator whose bit generator has this state."""
    try:
        kind = {"PCG64": np.random.PCG64, "PCG64DXSM": np.random.PCG64DXSM, "Philox": np.random.Philox,
                "SFC64": np.random.SFC64, "MT19937": np.random.MT19937}[state["bit_generator"]]  # fmt: skip
        bits = kind()
        bits.state = state
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{os.fspath(path)}: its random state is not one of NumPy's bit generators") from error
    return np.random.Generator(bits)


def _portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them.

    What cannot be is None: a generator, whose state is kept apart, and callbacks, which are the caller's code.
    """
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    out["callbacks"] = None
    del out["vocabulary"]  # the file has the model's own
    return out
