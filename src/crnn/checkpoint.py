"""Checkpoint: a `CharRNN` to its file and back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from . import model_file
from .errors import InvalidInputError, ModelFileError
from .model_file import Architecture, ModelFile
from .parameters import Layout
from .settings import Settings

if TYPE_CHECKING:
    from .char_rnn import CharRNN

CELL, NUM_LAYERS = "rnn", 1


def write(model: CharRNN, path: str | os.PathLike[str], *, training_state: bool) -> None:
    """Write a fitted model to a file; InvalidInputError if a parameter has been set to what training would refuse."""
    Settings.check(model.get_params())  # a file that `read` would refuse is of no use
    layout = model._layout
    weights = layout.torch_named(model._params)
    # PyTorch's second bias, which is added to the first: zeros.
    tensors = {**weights, "rnn.bias_hh_l0": np.zeros_like(weights["rnn.bias_ih_l0"])}
    training: dict[str, Any] | None = None
    training_tensors = {}
    if training_state:
        training = {
            "n_steps": model.n_steps_,
            "smooth_loss": model.smooth_loss_,
            "loss_length": model._loss_length,
            "random_state": model._rng.bit_generator.state,
            "history": model.history_,
        }
        memory = layout.torch_named(model._sum)
        training_tensors = {f"optimizer.sum.{name}": array for name, array in memory.items()}
        training_tensors["state.h"] = model.state_
    model_file.write(
        path,
        ModelFile(
            configuration=_portable(model.get_params()),
            architecture=Architecture(
                cell=CELL,
                num_layers=NUM_LAYERS,
                hidden_size=layout.hidden_size,
                vocab_size=layout.vocab_size,
                dtype=layout.dtype.name,
            ),
            vocabulary=model.vocabulary_,
            tensors=tensors,
            training=training,
            training_tensors=training_tensors,
        ),
    )


def read(model: CharRNN, path: str | os.PathLike[str]) -> None:
    """Fill a new model from a file."""
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
    layout = Layout(architecture.vocab_size, architecture.hidden_size, np.dtype(architecture.dtype))
    model._layout = layout
    model.vocabulary_ = file.vocabulary
    model._params = layout.zeros()
    for name, view in layout.torch_named(model._params).items():
        view[...] = file.tensors[name]
    model.params_["bh_l0"][...] += file.tensors["rnn.bias_hh_l0"]
    _restore_training(model, settings, file, path)


def _restore_training(model: CharRNN, settings: Settings, file: ModelFile, path: str | os.PathLike[str]) -> None:
    layout, training = model._layout, file.training or {}
    model._sum = layout.zeros()
    model._rng = _generator(training.get("random_state"), path)
    model.n_steps_ = training.get("n_steps", 0)
    model.smooth_loss_ = training.get("smooth_loss", settings.seq_length * float(np.log(layout.vocab_size)))
    model._loss_length = training.get("loss_length", settings.seq_length)
    model.history_ = training.get("history", [])
    model.state_ = file.training_tensors.get(
        "state.h", np.zeros((NUM_LAYERS, settings.batch_size, layout.hidden_size), layout.dtype)
    )
    if training:
        for name, view in layout.torch_named(model._sum).items():
            if f"optimizer.sum.{name}" not in file.training_tensors:
                raise ModelFileError(f"{os.fspath(path)}: it has a training state without optimizer.sum.{name}")
            view[...] = file.training_tensors[f"optimizer.sum.{name}"]


def _generator(state: Any, path: str | os.PathLike[str]) -> np.random.Generator:
    """Return the generator whose bit generator has this state; a fresh one if there is none."""
    if state is None:
        return np.random.default_rng()
    try:
        kind = {"PCG64": np.random.PCG64, "PCG64DXSM": np.random.PCG64DXSM, "Philox": np.random.Philox,
                "SFC64": np.random.SFC64, "MT19937": np.random.MT19937}[state["bit_generator"]]  # fmt: skip
        bits = kind()
        bits.state = state
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{os.fspath(path)}: its random state is not one of NumPy's bit generators") from error
    return np.random.Generator(bits)


def _portable(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them; a generator, which cannot be, is None (its state is kept apart)."""
    out = dict(parameters)
    out["dtype"] = np.dtype(out["dtype"]).name
    if not isinstance(out["random_state"], int | np.integer):
        out["random_state"] = None
    return out
