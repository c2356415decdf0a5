"""ResumableTraining: a call of training that is saved as it goes on, finished after an interruption, or stopped."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .adaptive_model import AdaptiveModel
from .errors import InvalidInputError
from .files.run_checkpoint import read_run, write_run
from .parameters.checks import generator
from .parameters.settings import Settings
from .runtime.writable import check_writable
from .text.sources.sources import TextLike
from .training.checkpoints.checkpoint_writer import CheckpointWriter, checked_every
from .training.checkpoints.run_state import DIVERGED, FINISHED
from .training.distributed.processes import processes_of
from .training.loop.exclusive import StopRequest, begin_training, request_stop
from .training.loop.run import TrainingRun
from .training.preparation.preparation import Call, Hooks, check_texts, checkpoint_path, prepared_run

CHECKPOINT_SECONDS = 60.0
SAMPLES = 5  # documents that verbose=2 shows at a time
SAMPLE_LENGTH = 200  # symbols of a running text that it shows


class ResumableTraining(AdaptiveModel):
    """The training of a language model, whose state is in `_learned`."""

    callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None

    @classmethod
    def resume(
        cls,
        path: str | os.PathLike[str],
        X: TextLike,
        *,
        validation: TextLike | None = None,
        labels: ArrayLike | None = None,
        validation_labels: ArrayLike | None = None,
        callbacks: Sequence[Callable[[Any, dict[str, Any]], Any]] | None = None,
        n_threads: int | None = None,
        verbose: int | None = None,
        comm: Any = None,
    ) -> Self:
        """Finish a call of `fit` or `partial_fit` that was interrupted, from its checkpoint.

        On the same kind of processor the model is the same, to the bit, as if the call had never been interrupted. With
        `max_seconds` training takes the seconds that were left. Checkpoints are written to the same file. If the call
        had ended, the model is returned as it is.

        Parameters
        ----------
        path : str or os.PathLike
            The file that the interrupted call named as `checkpoint`.
        X : str, bytes, os.PathLike or iterable of str or bytes
            The text that the call was given, or the same text from elsewhere.
        validation : str, bytes, os.PathLike or iterable of str or bytes, default=None
            As it was given to the call.
        labels, validation_labels : array-like, default=None
            As they were given to the call.
        callbacks : list of functions or None, default=None
            They are not in the file.
        n_threads, verbose : int or None, default=None
            In place of the parameters of these names. None: as they were.
        comm : mpi4py.MPI.Comm, default=None
            As in `fit`; the first process reads the file. As many processes as there were give the same bits. None:
            this process alone, which can finish what several have begun.

        Returns
        -------
        CharRNN

        Raises
        ------
        ModelFileError
            If the file is damaged, of another kind, or of a newer format.
        ValueError
            If the file holds no call of training, `X` or `validation` is another text (the message says what differs),
            or the call diverged. Nothing is changed.
        OSError
            If the file cannot be read or written.
        DivergenceError, KeyboardInterrupt
            As in `fit`.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from crnn import CharRNN
        >>> text = "to be or not to be, " * 50
        >>> def interrupt(model, record):
        ...     if record["step"] == 60:
        ...         raise KeyboardInterrupt
        >>> model = CharRNN(8, max_steps=100, callbacks=[interrupt], random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "run.crnn"
        ...     try:
        ...         model.fit(text, checkpoint=path)
        ...     except KeyboardInterrupt:
        ...         model = CharRNN.resume(path, text)
        >>> whole = CharRNN(8, max_steps=100, random_state=0).fit(text)
        >>> model.n_steps_, model.score(text) == whole.score(text)
        (100, True)
        """
        name = os.fspath(path)
        processes = processes_of(comm)
        if processes:
            parameters, state, run = processes.read_by_first(partial(read_run, path, cls._defaults()))
        else:
            parameters, state, run = read_run(path, cls._defaults())
        if run is None:
            raise InvalidInputError(
                f"{name} holds a model, but no call of training to finish: load it and call partial_fit"
            )
        if run.outcome == DIVERGED:
            raise InvalidInputError(
                f"the training in {name} diverged, and would again: load it, lower learning_rate, and call partial_fit"
            )
        given = {"callbacks": callbacks, "n_threads": n_threads, "verbose": verbose}
        parameters |= {name: value for name, value in given.items() if value is not None}
        Settings.check(parameters)
        model = cls._from_state(parameters, state)
        call = Call(X, validation, labels=labels, validation_labels=validation_labels, resumed=run)
        if run.outcome == FINISHED:
            check_texts(run.texts, call, state.vocabulary.labels)
            return model
        return model._train(call, path, run.checkpoint_every, comm=comm)

    def stop(self) -> None:
        """End the call of `fit` or `partial_fit` that is training this model after the current step.

        The call returns as at its usual end. Any thread may call this, and so may a callback. Without such a call
        nothing happens.

        Examples
        --------
        >>> from crnn import CharRNN
        >>> model = CharRNN(8, max_steps=10_000, callbacks=[lambda model, record: model.stop()], random_state=0)
        >>> model.fit("to be or not to be, " * 50).n_steps_ < 10_000
        True
        """
        request_stop(self)

    def _train(
        self,
        call: Call,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int | float = CHECKPOINT_SECONDS,
        *,
        anew: bool = False,
        comm: Any = None,
    ) -> Self:
        """Train a new state, or carry the model's on, to the first of `max_seconds`, `max_steps` and `max_epochs`."""
        stop = StopRequest()
        with stop.running:
            begin_training(self, stop)
            start = time.perf_counter()
            processes = processes_of(comm)
            state = None if anew or not self._is_fitted else self._learned
            check = partial(self._checked, checkpoint, checkpoint_every, first=not processes or processes.rank == 0)
            if processes:  # weights, dropout and the order of documents follow from the generator of rank 0
                settings, writer = processes.agreed(check)
                rng = processes.agreed(partial(generator, settings.random_state))
                settings = replace(settings, random_state=processes.of_first(rng))
                state = None if state is None else replace(state, rng=processes.of_first(state.rng))
            else:
                settings, writer = check()
            hooks = Hooks(
                [partial(callback, self) for callback in settings.callbacks], self._samples, stop, writer, processes
            )
            run = _prepared(call, settings, state, start, hooks)
            self._learned = run.state
            try:
                run.run()
            finally:
                self._learned = run.final_state  # one assignment: a second Ctrl-C comes before or after it
        return self

    def _checked(
        self, checkpoint: str | os.PathLike[str] | None, every: int | float, *, first: bool
    ) -> tuple[Settings, CheckpointWriter | None]:
        """Return the settings and what writes the checkpoint; of several processes only the first prints and writes."""
        settings = Settings.check(self.get_params())
        if not first:
            return replace(settings, verbose=0), None
        return settings, None if checkpoint is None else self._writer(checkpoint, every)

    def _writer(self, checkpoint: str | os.PathLike[str], every: int | float) -> CheckpointWriter:
        path = checkpoint_path(checkpoint)
        check_writable(path)
        write = partial(write_run, parameters=self.get_params(), path=path)
        return CheckpointWriter(write, path, checked_every(every))

    def _samples(self) -> Iterable[str | bytes]:
        """Return samples for ``verbose=2`` to show."""
        if self.vocabulary_.boundary is None:
            return [self.sample(SAMPLE_LENGTH)]
        return self.sample(SAMPLE_LENGTH, num_samples=SAMPLES)


def _prepared(call: Call, settings: Settings, state: Any, start: float, hooks: Hooks) -> TrainingRun:
    """Return the run of a call; with several processes, only if all of them can take part, with the same arguments."""
    processes = hooks.processes
    if processes is None:
        return prepared_run(call, settings, state, start, hooks)
    run = processes.agreed(partial(prepared_run, call, settings, state, start, hooks))
    free: Any = {"random_state": None, "n_threads": None, "verbose": 0, "callbacks": ()}
    processes.require_same("a parameter of the model", repr(replace(settings, **free)))
    processes.require_same("a text", repr(run.texts))
    for name, values in (("sample_weight", call.sample_weight), ("labels", call.labels)):
        processes.require_same(name, None if values is None else _digest(values))
    if state is not None:
        processes.require_same("the model", state.digest())
    return run


def _digest(values: ArrayLike) -> str:
    """Return what tells numbers or labels from others, whatever holds them: a process sends it instead of them."""
    return hashlib.sha256(repr(np.asarray(values).tolist()).encode("utf-8", "surrogatepass")).hexdigest()
