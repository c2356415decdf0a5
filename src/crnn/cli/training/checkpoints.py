"""The checkpoint of ``crnn train``: its path, how often it is written, and what may replace it."""

from __future__ import annotations

import argparse
import contextlib
import os
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...char_rnn import CharRNN
from ...errors import InvalidInputError
from ...files.network_file import read_run
from ...training.checkpoints import FINISHED, RUNNING, checked_every
from ..errors import described, say
from ..files import STANDARD, check_writable, one_or_more
from ..options import duration

CHECKPOINT_TIME = "1m"
SUFFIX = ".checkpoint"
FREE = {"verbose", "n_threads"}  # parameters that do not affect the trained model


def checkpoint_every(text: str) -> int | float | None:
    """Return the checkpoint interval, in seconds or steps, or None for never."""
    if text.lower() == "none":
        return None
    return checked_every(int(text)) if text.isdecimal() else duration(text)


def checkpoint_of(arguments: argparse.Namespace) -> str | None:
    """Return the path of the checkpoint; None if disabled, or if the output is not a regular file."""
    path: str = arguments.output
    if path == STANDARD or arguments.checkpoint_every is None:
        return None
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        return None
    checkpoint = path + SUFFIX
    check_writable(checkpoint)
    for name in ("file", "validation", "origin"):
        for other in one_or_more(getattr(arguments, name) or STANDARD):
            files = other != STANDARD and os.path.exists(checkpoint) and os.path.exists(other)
            if files and os.path.samefile(checkpoint, other):
                arguments.parser.error(f"argument -o/--output: the checkpoint {checkpoint} would replace {other}")
    return checkpoint


def contains_model(path: str, model: CharRNN) -> bool:
    """Return whether a file contains a network with the same weights after the same number of steps."""
    try:
        stored = CharRNN.load(path)
    except (OSError, ValueError):
        return False
    own, others = model.params_, stored.params_
    return (
        stored.n_steps_ == model.n_steps_
        and own.keys() == others.keys()
        and all(np.array_equal(own[name], others[name]) for name in own)
    )


def refuse_undelivered(checkpoint: str, output: str) -> None:
    """Raise InvalidInputError if a checkpoint must not be replaced by a new training run."""
    if not os.path.exists(checkpoint):
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


def refuse_missing(checkpoint: str, output: str) -> None:
    """Raise InvalidInputError if the checkpoint to resume is missing.

    Examples
    --------
    >>> refuse_missing("a.crnn.checkpoint", "a.crnn")
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: a.crnn.checkpoint does not exist, nor does a.crnn. Omit --resume to start training.
    """
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
        say(f"crnn: the model is saved, but its checkpoint cannot be removed: {described(error)}")


def refuse_other_settings(checkpoint: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise InvalidInputError if given parameters differ from an interrupted run's.

    Examples
    --------
    >>> refuse_other_settings("m.checkpoint", {"hidden_size": 100}, {"hidden_size": 64})
    Traceback (most recent call last):
    crnn.errors.InvalidInputError: hidden_size is 64, but m.checkpoint was started with 100. Omit the option.
    """
    for name, value in given.items():
        if name not in FREE and own[name] != value:
            raise InvalidInputError(
                f"{name} is {value}, but {checkpoint} was started with {own[name]}. Omit the option."
            )
