"""`crnn train --model mixture`."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..mixture import Mixture, fit_since
from ..parameters.checks import MAX_SIZE
from .errors import Ending, say
from .train_checkpoint import checkpoint_options, refuse_other_settings
from .train_job import NGRAM_ONLY, Job, Start, given_parameters, network_of, network_parameters, training_texts
from .train_network import NetworkJob, save_network

MIXTURE_SECONDS = 60.0  # the default


class MixtureJob(Job):
    """``--model mixture``: counts and a network that share the time, with weights fitted to the validation text, or to
    a small part of a long text; the mixture of ``--from``; or the run that ``--resume`` finishes.
    """

    options = (*NetworkJob.options, *NGRAM_ONLY)

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        parameters = network_parameters(arguments)
        seconds = parameters.pop("max_seconds", None)
        self._given = {name: value for name, value in parameters.items() if name != "verbose"}
        self._checkpoint = start.checkpoint
        self._resumed = start.checkpoint if arguments.resume else None
        self._mixture: Mixture | None = start.model if isinstance(start.model, Mixture) else None
        self._is_new = start.model is None
        self._first = (
            0 if self._is_new or arguments.resume or self._mixture is None else network_of(self._mixture).n_steps_
        )
        self._seconds: float | None = seconds
        self._has_default_time = False
        if self._resumed is not None:
            assert self._mixture is not None
            refuse_other_settings(self._resumed, network_of(self._mixture).get_params(), self._given)
        elif self._is_new:
            CharRNN(**self._given)
            of_counts = given_parameters(arguments, CharNGram())
            self._given |= {name: value for name, value in of_counts.items() if name != "verbose"}
            if seconds is None:
                self._seconds = MIXTURE_SECONDS
                self._has_default_time = True
        model = CharRNN() if self._mixture is None else network_of(self._mixture)
        self._text, others = training_texts(arguments, model)
        self._labels = others["y"]
        self._validation = others["validation"]
        self._saving = {} if start.checkpoint is None else checkpoint_options(arguments, start.checkpoint)

    def train(self) -> None:
        """Choose the network and fit both models, all within the time; or continue."""
        if self._resumed is not None:
            self._mixture = Mixture.resume(
                self._resumed, self._text, self._labels, validation=self._validation, verbose=self._verbose
            )
        elif self._is_new:
            start = time.perf_counter()
            assert self._seconds is not None
            self._mixture = Mixture.recommended(self._text, self._seconds, verbose=self._verbose, **self._given)
            self._mixture.set_params(verbose=self._verbose)
            fit_since(start, self._mixture, self._text, self._labels, validation=self._validation, **self._saving)
        else:
            self._continue_training()

    def _continue_training(self) -> None:
        """Train the network for the given steps, time or epochs, or for one epoch, and add the text to the counts."""
        mixture = self._mixture
        assert mixture is not None
        given = dict(self._given)
        limits = {"max_steps": given.pop("max_steps", None), "max_seconds": None}
        epochs = given.pop("epochs", None)
        if limits["max_steps"] is not None:
            epochs = MAX_SIZE  # only max_steps ends training
        before = {name: getattr(network_of(mixture), name) for name in limits}
        mixture.set_params(max_seconds=self._seconds, verbose=self._verbose)
        network_of(mixture).set_params(**given, **limits)
        try:
            mixture.partial_fit(self._text, self._labels, validation=self._validation, epochs=epochs, **self._saving)
        finally:
            network_of(mixture).set_params(**before)

    def save(self, ending: Ending) -> int:
        """Save the mixture; after an interruption or divergence, with the network's last good weights."""
        if ending.code and self._resumed is not None:
            self._mixture = Mixture.load(self._resumed)
        mixture = self._mixture
        if mixture is None:
            say(f"crnn: {ending.reason}; there was nothing to save yet")
            return ending.code
        code = save_network(
            mixture, self._output, ending, first=self._first, checkpoint=self._checkpoint, verbose=self._verbose
        )
        if self._has_default_time and self._verbose and not code and _ended_by_time(network_of(mixture)):
            say("crnn: it was trained for a minute; --time 10m would make a better one")
        return code


def _ended_by_time(network: CharRNN) -> bool:
    """Return whether a new network had steps left when its time was up."""
    return network.max_steps is None or network.n_steps_ < network.max_steps
