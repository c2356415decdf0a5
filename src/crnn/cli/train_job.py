"""What the jobs of `crnn train` share: their texts, their parameters, and how a model is saved."""

from __future__ import annotations

import abc
import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..mixture import Mixture
from ..text.sources import TextLike
from .errors import ERROR, Ending, error_message, say
from .files import (
    STANDARD_STREAM,
    read_documents,
    read_text,
    save,
)

DEFAULT_VERBOSE = 2  # the command's default; the constructor's is 0

NGRAM_ONLY = ("order", "max_memory")  # parameters of counts that a network lacks

Origin = CharRNN | CharNGram | Mixture


class Start(NamedTuple):
    """What is known before the texts are read."""

    kind: str  # of KINDS
    model: Origin | None = None  # of --from, or the one in the checkpoint that --resume continues
    checkpoint: str | None = None  # its path, if checkpoints are written


def training_texts(arguments: argparse.Namespace, model: CharRNN | CharNGram) -> tuple[TextLike, dict[str, Any]]:
    """Return the training text and its labels, and the validation text or a pair of it and its labels."""
    as_bytes = arguments.bytes or (hasattr(model, "vocabulary_") and model.vocabulary_.kind == "bytes")
    if arguments.errors and not arguments.lines:
        arguments.parser.error("--errors needs --lines")
    lines = partial(read_documents, errors=arguments.errors or "strict")
    read: Callable[..., TextLike] = lines if arguments.lines else read_text
    text = read(arguments.file, as_bytes=as_bytes, cache=arguments.cache)
    validation: Any = None
    if arguments.validation:
        validation = read(arguments.validation, as_bytes=as_bytes, cache=arguments.cache)
    if arguments.validation_labels is not None:
        if validation is None:
            arguments.parser.error("argument --validation-labels: needs --validation, whose lines have these labels")
        validation = (validation, read_documents(arguments.validation_labels, as_bytes=False))
    y = None if arguments.labels is None else read_documents(arguments.labels, as_bytes=False)
    return text, {"y": y, "validation": validation}


def given_parameters(arguments: argparse.Namespace, model: CharRNN | CharNGram) -> dict[str, Any]:
    """Return the given constructor parameters of a kind of model, and the verbosity."""
    names = model.get_params()
    return {"verbose": DEFAULT_VERBOSE} | {name: value for name, value in vars(arguments).items() if name in names}


def network_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given parameters of a network, with ``--time`` as `max_seconds`."""
    parameters = given_parameters(arguments, CharRNN())
    if arguments.seconds is not None:
        if parameters.get("max_seconds") is not None:
            arguments.parser.error("--time and --max-seconds mean the same. Pass one of them.")
        parameters["max_seconds"] = arguments.seconds
    return parameters


class Job(abc.ABC):
    """What the command does for one kind of model: the constructor checks and reads, and only `save` writes."""

    options: ClassVar[tuple[str, ...]]  # by name in the namespace; all kinds accept the options that no kind lists

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        self._output = arguments.output
        self._verbose = getattr(arguments, "verbose", DEFAULT_VERBOSE)

    @abc.abstractmethod
    def train(self) -> None:
        """Train until the end, or until an exception."""

    @abc.abstractmethod
    def save(self, ending: Ending) -> int:
        """Save what training has made, report it, and return the exit code."""


def network_of(mixture: Mixture) -> CharRNN:
    """Return the network of a mixture that was trained on the command line."""
    (network,) = [model for model in mixture.models_ if isinstance(model, CharRNN)]
    return network


def save_and_report(
    model: CharRNN | CharNGram | Mixture | AnomalyDetector, output: str, summary: str, ending: Ending, verbose: int
) -> int:
    """Save a model, say where it is, and return the exit code."""
    model.verbose = 0  # this command's display setting is not a parameter of the saved model
    where, failure = save(model, output)
    if failure:
        noun = "detector" if isinstance(model, AnomalyDetector) else "model"
        say(f"crnn: error: {error_message(failure)}. The {noun} is saved in {where} instead.")
        return ending.code or ERROR
    if ending.code or verbose:
        say(f"crnn: saved {'to standard output' if where == STANDARD_STREAM else where}: {summary}")
    return ending.code
