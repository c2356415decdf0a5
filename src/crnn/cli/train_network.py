"""`crnn train --model network`."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping
from typing import Any

from ..char_rnn import CharRNN
from ..mixture import Mixture, shown_weights
from ..parameters.checks import MAX_SIZE
from ..parameters.settings import PARAMETERS
from ..text.sources import TextLike
from ..training.recommended import CHOSEN_BY
from .errors import ERROR, Ending, say
from .train_checkpoint import checkpoint_options, is_in_checkpoint, refuse_other_settings, remove_checkpoint
from .train_job import Job, Start, network_of, network_parameters, save_and_report, training_texts

INTERRUPTED_SUFFIX = ".interrupted"  # after the output's name: the model of a failed run whose checkpoint failed, too

OPTIMIZER_PARAMETERS = ("learning_rate", "weight_decay", "beta_1", "beta_2")


class NetworkJob(Job):
    """``--model network``: a new network, the one of ``--from``, or the run that ``--resume`` finishes."""

    options = (
        *PARAMETERS,
        "cache",
        "seconds",
        "resume",
        "validation_labels",
        "checkpoint_every",
        "checkpoint_seconds",
        "labels",
        "validation",
        "origin",
    )

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        parameters = network_parameters(arguments)
        self._checkpoint = start.checkpoint
        self._resumed = start.checkpoint if arguments.resume else None  # the run to finish
        self._parameters = parameters if start.model is not None else None  # for `partial_fit`; a new model has its own
        model = start.model
        if self._resumed is not None:
            assert isinstance(model, CharRNN)
            refuse_other_settings(self._resumed, model.get_params(), parameters)
            self._text, self._fit_options = training_texts(arguments, model)
            self._fit_options |= {name: parameters.get(name) for name in ("n_threads", "verbose")}
        else:
            assert model is None or isinstance(model, CharRNN)
            model = CharRNN(**parameters) if model is None else model.set_params(**parameters)
            self._text, self._fit_options = training_texts(arguments, model)
            if start.model is None and arguments.seconds is not None:
                model = _recommend(self._text, arguments.seconds, parameters)
            self._fit_options |= checkpoint_options(arguments, start.checkpoint)
        self._fit_options["comm"] = comm
        self._model = model
        self._first = model.n_steps_ if hasattr(model, "vocabulary_") else 0

    def train(self) -> None:
        """Train; if the run is resumed, the result is another model, read from the checkpoint."""
        if self._resumed is not None:
            self._model = CharRNN.resume(self._resumed, self._text, **self._fit_options)
        elif self._parameters is None:
            self._model.fit(self._text, **self._fit_options)
        else:
            self._continue_training(self._parameters)

    def _continue_training(self, parameters: Mapping[str, Any]) -> None:
        """Train for the given steps, time or epochs, or for one epoch; the model's own limits are ignored."""
        limits = {name: getattr(self._model, name) for name in ("max_steps", "max_seconds")}
        epochs = parameters.get("epochs")
        if parameters.get("max_seconds") is not None:
            epochs = None
        elif parameters.get("max_steps") is not None:
            epochs = MAX_SIZE  # only max_steps ends training
        try:
            self._model.set_params(**{name: parameters.get(name) for name in limits})
            self._model.partial_fit(self._text, epochs=epochs, **self._fit_options)
        finally:
            self._model.set_params(**limits)

    def save(self, ending: Ending) -> int:
        """Save the network; after an interruption of a resumed run, the one in its checkpoint."""
        if ending.code and self._resumed is not None:
            self._model = CharRNN.load(self._resumed)
        return save_network(
            self._model, self._output, ending, first=self._first, checkpoint=self._checkpoint, verbose=self._verbose
        )


def _recommend(text: TextLike, seconds: float, parameters: Mapping[str, Any]) -> CharRNN:
    """Return the best network for a text and a time, except for the given parameters; report those that differ."""
    choice = {name: parameters[name] for name in CHOSEN_BY if name in parameters}
    model = CharRNN.recommended(text, seconds, **choice, verbose=parameters["verbose"])
    recommended = model.get_params()
    other = {name: value for name, value in parameters.items() if name != "verbose" and value != recommended[name]}
    if "optimizer" in other:  # a learning rate chosen for another optimizer would be wrong
        defaults = CharRNN().get_params()
        model.set_params(**{name: defaults[name] for name in OPTIMIZER_PARAMETERS})
    if other and parameters["verbose"]:
        say(f"as requested: {', '.join(f'{name}={value}' for name, value in other.items())}")
    return model.set_params(**parameters)


def save_network(
    model: CharRNN | Mixture,
    output: str,
    ending: Ending,
    *,
    first: int = 0,
    checkpoint: str | None = None,
    verbose: int = 0,
) -> int:
    """Save a network, or a mixture with one, report it, and return the exit code.

    It is saved even if training was interrupted or diverged, unless it took no step after the `first`.
    """
    # If there is a checkpoint, an existing output is replaced only after training has ended normally, and the
    # checkpoint is then removed. If the last checkpoint could not be written, the model is saved next to the output.
    code = ending.code
    is_fitted = model.__sklearn_is_fitted__()
    network = network_of(model) if is_fitted and isinstance(model, Mixture) else model
    steps = network.n_steps_ - first if is_fitted and isinstance(network, CharRNN) else 0
    if code and not steps:
        say(f"crnn: {ending.reason}; there was nothing to save yet")
        return code
    if code:
        in_checkpoint = checkpoint is not None and is_in_checkpoint(checkpoint, model)
        keeps_output = checkpoint is not None and os.path.exists(output)
        # What happens to the model, in the order of the message's clauses.
        if keeps_output and in_checkpoint:
            clauses = [f"the model after step {network.n_steps_:,} is in {checkpoint}, and {output} is unchanged"]
        elif keeps_output:
            place = f"{output}{INTERRUPTED_SUFFIX}"
            clauses = [
                f"the model after step {network.n_steps_:,} is not in {checkpoint}",
                f"saving it in {place}, and {output} is unchanged",
            ]
            output = place
        else:
            clauses = [f"saving the model after step {network.n_steps_:,}"]
        if in_checkpoint and code != ERROR:
            clauses.append(f"add --resume to continue from {checkpoint}")
        say(f"crnn: {'; '.join([ending.reason, *clauses])}")
        if keeps_output and in_checkpoint:
            return code
    code = save_and_report(model, output, _summary(model, steps, ending.seconds), ending, verbose)
    if not code and checkpoint is not None:  # the model is on the disk, under its final name
        remove_checkpoint(checkpoint)
    return code


def _summary(model: CharRNN | Mixture, steps: int, seconds: float) -> str:
    """Return what was trained: the steps and the time, with a network's losses or a mixture's members and weights."""
    taken = f"{steps:,} steps in {seconds:.1f} s"
    if not isinstance(model, Mixture):
        return f"{taken}, {_losses(model)} per symbol"
    weights = ", ".join(shown_weights(model))
    others = ", counts and words" if "words" in model.members_ else " and counts"
    return f"a network after {taken}{others}, weights {weights}"


def _losses(network: CharRNN) -> str:
    """Return the training loss, and the validation loss if it was measured at the last step, as text."""
    losses = {"training": network.smooth_loss_ / network.seq_length}
    for record in network.history_:
        if record["step"] == network.n_steps_ and record["validation_loss"] is not None:
            losses["validation"] = record["validation_loss"]
    return ", ".join(f"{name} loss {loss:.3f} nats ({loss / math.log(2):.3f} bits)" for name, loss in losses.items())
