"""Run checkpoint: a model in training and the state of its training call, to a file and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..errors import InvalidInputError, ModelFileError
from ..model.state import ModelState
from ..parameters.checks import FilePath
from ..parameters.settings import Settings
from ..training.checkpoints import DIVERGED, RUNNING, RunState
from ..training.processes import processes_of
from . import network_file
from .model_file import StoredRecord


def write_run(state: ModelState, *, run: RunState, parameters: Mapping[str, Any], path: FilePath) -> None:
    """Write a model file; `read_run` returns the run as well, `network_file.read` everything."""
    record = StoredRecord(run.to_dict(), run.arrays())
    network_file.write(state, parameters, path, training_state=True, run=record, best=run.best)


def read_run(path: FilePath, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], ModelState, RunState | None]:
    """Return the parameters and the state of a model, and its run if the file has one."""
    stored = network_file.read(path, defaults)
    if stored.run is None:
        return stored.parameters, stored.state, None
    try:
        run = RunState.from_dict(stored.run.values, stored.run.tensors, stored.state, stored.best)
        if run.outcome == RUNNING and stored.parameters["optimizer"] != stored.state.optimizer:
            raise InvalidInputError("its run and its model have different optimizers")
    except InvalidInputError as error:
        raise ModelFileError(f"{os.fsdecode(path)}: {error}") from error
    return stored.parameters, stored.state, run


def unfinished_run(
    path: FilePath, defaults: Mapping[str, Any], given: Mapping[str, Any], comm: Any = None
) -> tuple[dict[str, Any], ModelState, RunState]:
    """Return the result of `read_run` for a call that can be finished; rank 0 reads for all processes.

    The `given` parameters, except those that are None, replace the file's.
    """
    processes = processes_of(comm)
    read = partial(read_run, path, defaults)
    parameters, state, run = processes.read_by_first(read) if processes else read()
    name = os.fsdecode(path)
    if run is None:
        raise InvalidInputError(
            f"{name} contains a model, but no unfinished training run. Load it and call partial_fit."
        )
    if run.outcome == DIVERGED:
        raise InvalidInputError(
            f"the training run in {name} diverged, and would diverge again. Load it, lower learning_rate, and call "
            "partial_fit."
        )
    parameters |= {name: value for name, value in given.items() if value is not None}
    Settings.check(parameters)
    return parameters, state, run
