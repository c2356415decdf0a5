"""The checkpoint of `crnn train`: where it is, what it must not replace, and when it is removed."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..char_rnn import CharRNN, is_of_step
from ..errors import InvalidInputError
from ..files.model_file import is_mixture, open_network, read_mixture
from ..files.run_file import read_run
from ..mixture import Mixture
from ..training.checkpoints import CHECKPOINT_SECONDS, FINISHED, RUNNING
from .errors import error_message, say
from .files import (
    STANDARD_STREAM,
    check_writable,
    path_list,
)
from .train_job import network_of

CHECKPOINT_SUFFIX = ".checkpoint"  # after the output's name

# The parameters that a resumed run may change: they do not affect the trained model.
MAY_CHANGE_ON_RESUME = {"verbose", "n_threads"}


def checkpoint_options(arguments: argparse.Namespace, checkpoint: str | None) -> dict[str, Any]:
    """Return the arguments of `fit` for a checkpoint's path, which None disables, and its interval."""
    every = arguments.checkpoint_every
    seconds = arguments.checkpoint_seconds if every is None else None
    return {"checkpoint": checkpoint, "checkpoint_every": every, "checkpoint_seconds": seconds}


def checkpoint_path(arguments: argparse.Namespace) -> str | None:
    """Return the path of the checkpoint; None if disabled, or if the output is not a regular file."""
    path: str = arguments.output
    if arguments.checkpoint_every is not None and arguments.checkpoint_seconds != CHECKPOINT_SECONDS:
        arguments.parser.error("argument --checkpoint-every: not allowed with argument --checkpoint-seconds")
    if path == STANDARD_STREAM or arguments.checkpoint_seconds is None:
        return None
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        return None
    checkpoint = path + CHECKPOINT_SUFFIX
    check_writable(checkpoint)
    for name in ("file", "validation", "origin"):
        for other in path_list(getattr(arguments, name) or STANDARD_STREAM):
            files = other != STANDARD_STREAM and os.path.exists(checkpoint) and os.path.exists(other)
            if files and os.path.samefile(checkpoint, other):
                arguments.parser.error(f"argument -o/--output: the checkpoint {checkpoint} would replace {other}")
    return checkpoint


def contains_model(path: str, model: CharRNN | Mixture) -> bool:
    """Return whether a file contains a network, alone or in a mixture, with the same weights after as many steps."""
    is_mixed = isinstance(model, Mixture)
    if isinstance(model, Mixture):
        model = network_of(model)
    try:
        stored = _stored_network(path) if is_mixed else CharRNN.load(path)
    except (OSError, ValueError):
        return False
    return (
        stored.n_steps_ == model.n_steps_
        and stored.params_.keys() == model.params_.keys()
        and all(np.array_equal(stored.params_[name], array) for name, array in model.params_.items())
    )


def is_in_checkpoint(path: str, model: CharRNN | Mixture) -> bool:
    """Return whether the checkpoint of this call is of the model's last step.

    Unlike `contains_model`, this reads next to nothing: after a signal, the command should end soon.
    """
    try:
        if isinstance(model, Mixture):
            with open_network(path) as network:
                return is_of_step(network, network_of(model))
        return is_of_step(path, model)
    except (OSError, ValueError):
        return False


def _stored_network(path: str) -> CharRNN:
    """Return the network in a mixture's file, without the counts, which take longer to read."""
    (content,) = [content for kind, content in read_mixture(path).parts if kind == "CharRNN"]
    return CharRNN.load(io.BytesIO(content))


def refuse_undelivered(checkpoint: str, output: str) -> None:
    """Raise InvalidInputError if a checkpoint must not be replaced by a new training run."""
    if not os.path.exists(checkpoint):
        return
    if is_mixture(checkpoint):
        _refuse_undelivered_mixture(checkpoint, output)
        return
    _, state, run = read_run(checkpoint, CharRNN().get_params())
    if run is None:
        raise InvalidInputError(f"{checkpoint} is a model, but a checkpoint would replace it. Move or rename it.")
    if run.outcome == RUNNING:
        raise InvalidInputError(
            f"{checkpoint} contains a training run interrupted after step {state.n_steps:,}. Add --resume to finish "
            f"it, or remove the file to start anew."
        )
    if run.outcome == FINISHED and not contains_model(output, CharRNN.load(checkpoint)):
        raise InvalidInputError(
            f"{checkpoint} contains a finished training run whose model is not in {output}. Add --resume to save it, "
            f"or remove the file to start anew."
        )


def _refuse_undelivered_mixture(checkpoint: str, output: str) -> None:
    """Raise an error if a checkpoint has a model, or a run whose model is not in the output, and would be lost."""
    document = read_mixture(checkpoint).fitting
    if document is None:
        raise InvalidInputError(f"{checkpoint} is a model, but a checkpoint would replace it. Move or rename it.")
    if not document["finished"]:
        raise InvalidInputError(
            f"{checkpoint} contains a training run interrupted after step {_stored_network(checkpoint).n_steps_:,}. "
            f"Add --resume to finish it, or remove the file to start anew."
        )
    if not contains_model(output, Mixture.load(checkpoint)):
        raise InvalidInputError(
            f"{checkpoint} contains a finished training run whose model is not in {output}. Add --resume to save it, "
            f"or remove the file to start anew."
        )


def refuse_missing(checkpoint: str, output: str) -> None:
    """Raise InvalidInputError if the checkpoint to resume is missing."""
    if os.path.exists(checkpoint):
        return
    if os.path.exists(output):
        raise InvalidInputError(
            f"{checkpoint} does not exist: it is removed when training has ended and the model is saved. Use "
            f"--from {output} instead of --resume to train {output} further."
        )
    raise InvalidInputError(f"{checkpoint} does not exist, nor does {output}. Omit --resume to start training.")


def remove_checkpoint(checkpoint: str) -> None:
    """Remove the checkpoint of a successful training run, after its model was saved."""
    try:
        with contextlib.suppress(FileNotFoundError):  # it could not be written, which was a warning
            os.unlink(checkpoint)
    except OSError as error:
        say(f"crnn: the model is saved, but its checkpoint cannot be removed: {error_message(error)}")


def refuse_other_settings(checkpoint: str, settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Raise InvalidInputError if given parameters differ from the settings of an interrupted run."""
    for name, value in parameters.items():
        if name not in MAY_CHANGE_ON_RESUME and settings[name] != value:
            raise InvalidInputError(
                f"{name} is {value}, but {checkpoint} was started with {settings[name]}. Omit the option."
            )
