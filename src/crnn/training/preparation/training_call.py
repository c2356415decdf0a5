"""Training call: a call of `fit`, `partial_fit` or `resume`, from the parameters to the resulting state."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...errors import InvalidInputError
from ...model.state import ModelState
from ...parameters.checks import FilePath, checked_path, generator
from ...parameters.settings import Settings
from ...runtime.writable import check_writable
from ..checkpoints.checkpoint_writer import CheckpointWriter, checked_every
from ..distributed.averaging_trainer import checked_average_every
from ..distributed.processes import processes_of
from ..loop.exclusive import ExclusiveUse, begin_use
from ..loop.run import TrainingRun
from .preparation import Call, Hooks, prepared_run


class Trainee(NamedTuple):
    """A model as a call of training sees it."""

    model: object  # the model, passed to callbacks. Only one call at a time trains it.
    parameters: Mapping[str, Any]  # the constructor's parameters
    learned: Callable[[], ModelState | None]  # returns the state to continue from, or None for a new model
    keep: Callable[[ModelState], object]  # makes a state the model's own
    sample: Callable[[], Iterable[str | bytes]]  # returns the samples that ``verbose=2`` shows


class CheckpointPlan(NamedTuple):
    """Where and how often a call saves checkpoints."""

    path: FilePath | None  # the file's path; None: no checkpoints
    every: int | float  # steps (an int) or seconds (a float)
    write: Callable[..., None]  # writes a file, given the state and, by keyword, the run, the parameters and the path


def train(trainee: Trainee, call: Call, plan: CheckpointPlan, comm: Any = None) -> None:
    """Train a model until the first of `max_seconds`, `max_steps` and `max_epochs`.

    If an argument is invalid, or another call is training the model, the model is unchanged.
    """
    if comm is None and checked_average_every(call.average_every) > 1:
        raise InvalidInputError(
            f"average_every is {call.average_every}, but comm is None, and one process has nothing to average. Pass a "
            "communicator as comm, or omit average_every."
        )
    stop = ExclusiveUse()
    with stop.running:
        begin_use(trainee.model, stop)
        start, state = time.perf_counter(), trainee.learned()
        processes = processes_of(comm)
        check = partial(_checked, trainee.parameters, plan, first=not processes or processes.rank == 0)
        if processes:  # weights, dropout and the order of documents follow from rank 0's generator
            settings, writer = processes.agreed(check)
            rng = processes.agreed(partial(generator, settings.random_state))
            settings = replace(settings, random_state=processes.of_first(rng))
            state = None if state is None else replace(state, rng=processes.of_first(state.rng))
        else:
            settings, writer = check()
        callbacks = [partial(callback, trainee.model) for callback in settings.callbacks]
        run = _prepared(call, settings, state, start, Hooks(callbacks, trainee.sample, stop, writer, processes))
        trainee.keep(run.state)
        try:
            run.run()
        finally:
            trainee.keep(run.final_state)  # a single assignment: a second Ctrl-C comes before or after it


def _checked(
    parameters: Mapping[str, Any], plan: CheckpointPlan, *, first: bool
) -> tuple[Settings, CheckpointWriter | None]:
    """Return the settings and the checkpoint writer; only the first of several processes prints and writes."""
    settings = Settings.check(parameters)
    if not first:
        return replace(settings, verbose=0), None
    if plan.path is None:
        return settings, None
    path = checked_path("checkpoint", plan.path)
    check_writable(path)
    write = partial(plan.write, parameters=parameters, path=path)
    return settings, CheckpointWriter(write, path, checked_every(plan.every))


def _prepared(call: Call, settings: Settings, state: Any, start: float, hooks: Hooks) -> TrainingRun:
    """Return the run of a call; with several processes, only if all can take part and have the same arguments."""
    processes = hooks.processes
    if processes is None:
        return prepared_run(call, settings, state, start, hooks)
    run = processes.agreed(partial(prepared_run, call, settings, state, start, hooks))
    free: Any = {"random_state": None, "n_threads": None, "verbose": 0, "callbacks": ()}
    processes.require_same("a parameter of the model", repr(replace(settings, **free)))
    processes.require_same("average_every", call.average_every)
    for name, values in (("sample_weight", call.sample_weight), ("labels", call.labels)):
        processes.require_same(name, None if values is None else _digest(values))
    processes.require_same("a text", repr(run.texts))  # includes the labels: see `LabeledSource.fingerprint`
    if state is not None:
        processes.require_same("the model", state.digest())
    return run


def _digest(values: ArrayLike) -> str:
    """Return a digest of numbers or labels, whatever their container, for comparison between processes."""
    return hashlib.sha256(repr(np.asarray(values).tolist()).encode("utf-8", "surrogatepass")).hexdigest()
