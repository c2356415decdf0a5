"""The checkpoint of a network's training run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from ..errors import InvalidInputError, ModelFileError
from ..model.state import ModelState
from ..parameters.checks import FilePath
from ..parameters.settings import Settings
from ..training.checkpoints import DIVERGED, RUNNING, RunState
from ..training.processes import processes_of
from .entries import read_entry
from .network_contents import StoredRecord
from .network_file import read, to_bytes
from .network_tensors import torch_tensors
from .sealed_file import (
    Path,
    open_file,
    path_name,
    peek_header,
    read_header,
    read_tensor,
    require_kind,
    write_path,
)


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
        for name, array in torch_tensors(state.layout, state.params).items():
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
        raise ModelFileError(f"{shown_path(path)}: {error}") from error
    return stored.parameters, stored.state, run


def shown_path(path: Path) -> str:
    """Return the path of a file, or the name of a stream, for a message."""
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else path_name(path)


def unfinished_run(
    path: Path, defaults: Mapping[str, Any], overrides: Mapping[str, Any], comm: Any = None
) -> tuple[dict[str, Any], ModelState, RunState]:
    """Return `read_run` of a call that can be finished, with `overrides` that are not None; rank 0 reads for all."""
    processes = processes_of(comm)
    read_file = partial(read_run, path, defaults)
    parameters, state, run = processes.read_by_first(read_file) if processes else read_file()
    name = shown_path(path)
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
