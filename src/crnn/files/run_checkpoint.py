"""Run checkpoint: a model in training, and where its call of training stands, to a file and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..errors import InvalidInputError, ModelFileError
from ..model.state import ModelState
from ..model.stored_record import StoredRecord
from ..parameters.checks import FilePath
from ..training.checkpoints.run_state import DIVERGED, RUNNING, RunState
from ..training.distributed.processes import processes_of
from . import checkpoint

__all__ = ["read_run", "unfinished_run", "write_run"]

def write_run(state: ModelState, *, run: RunState, parameters: Mapping[str, Any], path: FilePath) -> None:
    """Write a model file from which `read_run` reads the run as well, and `checkpoint.read` the model alone."""
    record = StoredRecord(run.to_dict(), run.arrays())
    checkpoint.write(state, parameters, path, training_state=True, run=record, best=run.best)


def read_run(path: FilePath, defaults: Mapping[str, Any]) -> tuple[dict[str, Any], ModelState, RunState | None]:
    """Return the parameters and the state of a model, and its run if the file has one.

    Raises
    ------
    ModelFileError
        If the file is damaged, or holds a run that cannot be of this model.
    """
    found = checkpoint.read_checkpoint(path, defaults)
    if found.run is None:
        return found.parameters, found.state, None
    try:
        run = RunState.from_dict(found.run.values, found.run.tensors, found.state, found.best)
        if run.outcome == RUNNING and found.parameters["optimizer"] != found.state.optimizer:
            raise InvalidInputError("its run has another optimizer than the model")
    except InvalidInputError as error:
        raise ModelFileError(f"{os.fsdecode(path)}: {error}") from error
    return found.parameters, found.state, run


def unfinished_run(
    path: FilePath, defaults: Mapping[str, Any], comm: Any = None
) -> tuple[dict[str, Any], ModelState, RunState]:
    """Return what `read_run` returns for a call of training that can be finished; of several processes the first reads.

    Raises
    ------
    InvalidInputError
        If the file holds no such call, or one that diverged.
    """
    processes = processes_of(comm)
    read = partial(read_run, path, defaults)
    parameters, state, run = processes.read_by_first(read) if processes else read()
    name = os.fsdecode(path)
    if run is None:
        raise InvalidInputError(
            f"{name} holds a model, but no call of training to finish: load it and call partial_fit"
        )
    if run.outcome == DIVERGED:
        raise InvalidInputError(
            f"the training in {name} diverged, and would again: load it, lower learning_rate, and call partial_fit"
        )
    return parameters, state, run
