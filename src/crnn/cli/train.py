"""The command ``crnn train``: train a model on a file and save it."""

from __future__ import annotations

import abc
import argparse
import contextlib
import io
import math
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN, is_of_step
from ..errors import InvalidInputError
from ..files.model_file import holds_detector, is_mixture, open_network, read_mixture
from ..files.network_file import read_run
from ..mixture import Mixture, fit_since, shown_weights
from ..ngram.counts import checked_ngram_parameter
from ..parameters.checks import MAX_SIZE, generator
from ..parameters.settings import GROUPS, PARAMETERS, checked_parameter
from ..text.sources import TextLike
from ..training.checkpoints import CHECKPOINT_SECONDS, FINISHED, RUNNING, checkpoint_interval
from ..training.recommended import CHOSEN_BY
from .detect import add_threshold_options, threshold_options
from .errors import ERROR, Ending, catch_ending, error_message, interruptible, say, say_warnings, uninterrupted
from .files import (
    STANDARD_STREAM,
    check_writable,
    load_source,
    model_source,
    path_list,
    read_documents,
    read_text,
    save,
)
from .options import (
    TRAINING_ERRORS,
    Parser,
    add_errors,
    add_files,
    add_options,
    byte_count,
    duration,
    option_of,
    parameter_table,
    refuse_two_standard_inputs,
    text_type,
    value_type,
)

PYTHON_ONLY = ("callbacks", "vocabulary")  # parameters without an option
DEFAULT_VERBOSE = 2  # the command's default; the constructor's is 0
OF_NETWORKS = ("epochs", "max_steps")  # options that mean a network alone
MIXTURE_SECONDS = 60.0  # the default
# The parameters among the ten options that most people use.
FIRST_PARAMETERS = ("hidden_size", "cell", "epochs", "random_state")
NGRAM_ONLY = ("order", "max_memory")  # parameters of counts that a network lacks
CHECKPOINT_SUFFIX = ".checkpoint"  # after the output's name
INTERRUPTED_SUFFIX = ".interrupted"  # after the output's name: the model of a failed run whose checkpoint failed, too
# The parameters that a resumed run may change: they do not affect the trained model.
MAY_CHANGE_ON_RESUME = {"verbose", "n_threads"}
OPTIMIZER_PARAMETERS = ("learning_rate", "weight_decay", "beta_1", "beta_2")
MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")  # set by Open MPI, MPICH, Intel MPI

# ---------------------------------------------------------------- options


def add_arguments(parser: Parser) -> None:
    """Add the arguments of the command, the most used options first, the others grouped like the parameters."""
    parser.usage = "%(prog)s [options] -o MODEL FILE [FILE ...]"
    parser.add_help_all("text")
    add_files(parser)
    parser.add_argument(
        "-o", "--output", metavar="MODEL", required=True, help="where to save the model; - for standard output"
    )
    parser.add_argument(
        "--time",
        dest="seconds",
        metavar="TIME",
        type=text_type(duration),
        help="training time, including reading FILE, such as 10s, 3m or 1h. A new model gets the best parameters for "
        "FILE and this time, except where you give options (default: 1m, or with --epochs or --max-steps no limit)",
    )
    parser.add_argument(
        "--model",
        dest="model_kind",
        choices=KINDS,
        help="the kind of model. mixture: a recurrent network and n-gram counts together, which predict best; "
        "network: the network alone; ngram: the counts alone, which take about a second per million characters; "
        "detector: finds anomalous lines with crnn detect (default: mixture, or with --epochs or --max-steps network)",
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="treat each line of FILE and of the validation file as a document (such as a name), without its line "
        "end; the model learns where documents start and end",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="continue training a saved model for one more epoch on FILE, or for the given --epochs or --max-steps; "
        "with n-gram counts, add the n-grams of FILE. Other options change the model's parameters (default: train a "
        "new model)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="finish an interrupted run from MODEL.checkpoint, with the same FILE and the same options or none",
    )
    _add_parameters(parser, FIRST_PARAMETERS)
    _add_text_options(parser)
    for name, content in GROUPS.items():
        group = parser.add_argument_group(name, content)
        names = [each for each, entry in PARAMETERS.items() if entry.group == name and each not in PYTHON_ONLY]
        _add_parameters(group, [each for each in names if each not in FIRST_PARAMETERS])
        if name == "validation":
            _add_validation_options(group)
        elif name == "execution":
            _add_execution_options(group)
    _add_other_options(parser)


def _add_text_options(parser: Parser) -> None:
    """Add the options of reading FILE."""
    text = parser.add_argument_group("text", "how FILE is read")
    text.add_argument("--bytes", action="store_true", help="train a model of bytes; FILE may then have any contents")
    text.add_argument(
        "--labels",
        metavar="FILE",
        help="with --lines: a file with a label for each line of FILE, so that the model "
        "learns what lines with each label look like, and crnn sample accepts --label (default: none)",
    )
    add_errors(text, f"with --lines: {TRAINING_ERRORS}")
    text.add_argument(
        "--cache",
        metavar="FOLDER",
        help="a folder for caching FILE and the validation file as ids, to read them in parts and reuse them in later "
        "runs (default: only large files are cached, in the folder $CRNN_CACHE or your folder for caches)",
    )


def _add_parameters(group: argparse._ActionsContainer, names: Iterable[str]) -> None:
    """Add the options of these parameters."""
    add_options(
        group,
        {name: PARAMETERS[name] for name in names},
        _check_parameter,
        defaults={"verbose": DEFAULT_VERBOSE},
    )


def _add_validation_options(group: argparse._ActionsContainer) -> None:
    """Add the options that name a validation text, by default a part of FILE."""
    group.add_argument(
        "--validation",
        metavar="FILE",
        help="a text on which to measure the loss during training; the model with the lowest loss is saved "
        "(default: the last --validation-fraction of FILE)",
    )
    group.add_argument(
        "--validation-labels", metavar="FILE", help="the labels of the lines of the validation file (default: none)"
    )


def _add_execution_options(group: argparse._ActionsContainer) -> None:
    """Add the options for printing and checkpoints."""
    group.add_argument(
        "-q",
        "--quiet",
        dest="verbose",
        action="store_const",
        const=0,
        default=argparse.SUPPRESS,
        help="the same as --verbose 0",
    )
    group.add_argument(
        "--checkpoint-seconds",
        metavar="TIME",
        type=text_type(checkpoint_seconds),
        default=CHECKPOINT_SECONDS,
        help="how often to save a checkpoint in MODEL.checkpoint, such as 10s, 3m or 1h; none: never. After training, "
        f"MODEL is replaced and MODEL.checkpoint removed (default: {CHECKPOINT_SECONDS:.0f}s)",
    )
    group.add_argument(
        "--checkpoint-every",
        metavar="INT",
        type=value_type(lambda steps: checkpoint_interval(steps, None)),
        help="steps between checkpoints, instead of --checkpoint-seconds (default: none)",
    )


def _add_other_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that belong to a single kind of model: counts or a detector."""
    table = parameter_table(CharNGram)
    group = parser.add_argument_group("n-grams", "with --model ngram, which also accepts --min-count and --n-threads")
    add_options(group, {name: table[name] for name in NGRAM_ONLY}, checked_ngram_parameter)
    group.add_argument(
        "--max-bytes",
        type=byte_count,
        metavar="BYTES",
        help="prune the counts of --model ngram to a file of at most this size, such as 400k or 1M; a pruned model "
        "cannot count more text (default: keep all)",
    )
    title = "detector"
    text = "with --model detector, which learns the lines of FILE for crnn detect"
    add_threshold_options(parser.add_argument_group(title, text))


def checkpoint_seconds(text: str) -> float | None:
    """Return the seconds between checkpoints, or None for never."""
    return None if text.lower() == "none" else duration(text)


def _check_parameter(name: str, value: Any) -> None:
    checked_parameter(name, value)
    if name == "random_state":
        generator(value)


# ---------------------------------------------------------------- the command


def run(arguments: argparse.Namespace) -> int:
    """Train a model, save it and return the exit code. Only the first of several processes saves and reports."""
    comm = communicator()
    with contextlib.nullcontext() if comm is None else aborting(comm):
        if comm is None:
            start = _start(arguments)
        else:
            start = comm.bcast(_start(arguments, several=True) if comm.Get_rank() == 0 else None, root=0)
        job = KINDS[start.kind](arguments, start, comm)
    with interruptible():
        with catch_ending() as ending:
            job.train()
        if comm is not None and comm.Get_rank() > 0:
            return 0
        with uninterrupted():
            return job.save(ending)


Origin = CharRNN | CharNGram | Mixture


class Start(NamedTuple):
    """What is known before the texts are read."""

    kind: str  # of KINDS
    model: Origin | None = None  # of --from, or the one in the checkpoint that --resume continues
    checkpoint: str | None = None  # its path, if checkpoints are written


def _start(arguments: argparse.Namespace, *, several: bool = False) -> Start:
    """Check options and files, and read the model of ``--from`` or ``--resume``."""
    if several:
        _refuse_for_several(arguments)
    refuse_two_standard_inputs(arguments, file="FILE", validation="--validation", origin="--from")
    check_output(arguments)
    origin = None if arguments.origin is None or arguments.resume else _origin(arguments.origin)
    kind = _kind(arguments, origin, several=several)
    _refuse_options_of_others(arguments, kind)
    if kind not in ("network", "mixture"):
        return Start(kind, origin)
    checkpoint = _checkpoint_path(arguments)
    if arguments.resume:
        if checkpoint is None:
            arguments.parser.error("argument --resume: there is no checkpoint for this -o/--output")
        assert checkpoint is not None
        _refuse_missing(checkpoint, arguments.output)
        stored = Mixture.load(checkpoint) if kind == "mixture" else CharRNN.load(checkpoint)
        return Start(kind, stored, checkpoint)
    if checkpoint is not None:
        _refuse_undelivered(checkpoint, arguments.output)
    return Start(kind, origin, checkpoint)


def _kind(arguments: argparse.Namespace, origin: Origin | None, *, several: bool) -> str:
    """Return the kind of model to train: the requested one, that of an existing model, or else a mixture."""
    given: str | None = arguments.model_kind
    if origin is not None:
        kinds = {"network": CharRNN, "ngram": CharNGram, "mixture": Mixture}
        (kind,) = [name for name, cls in kinds.items() if isinstance(origin, cls)]
        if given not in (None, kind):
            raise InvalidInputError(
                f"{arguments.origin} contains a {type(origin).__name__}. Omit --model {given} to continue with it."
            )
        return kind
    if arguments.resume and given in (None, "network", "mixture"):
        checkpoint = arguments.output + CHECKPOINT_SUFFIX
        if arguments.output != STANDARD_STREAM and os.path.isfile(checkpoint):
            return "mixture" if is_mixture(checkpoint) else "network"
    if given is not None:
        return given
    if several or any(getattr(arguments, name, None) is not None for name in OF_NETWORKS):
        return "network"
    return "mixture"


def _refuse_for_several(arguments: argparse.Namespace) -> None:
    """Stop if an option is given that several processes do not support."""
    if arguments.seconds is not None:
        arguments.parser.error("argument --time: not allowed with several processes. Start one.")
    if arguments.model_kind not in (None, "network"):
        arguments.parser.error("argument --model: n-grams are counted by one process. Start one.")
    if STANDARD_STREAM in (*path_list(arguments.file), arguments.validation):
        arguments.parser.error("argument FILE: several processes cannot share standard input. Pass a file.")


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse, before any work, an output that cannot or should not be written."""
    path = arguments.output
    check_writable(path)
    if path == STANDARD_STREAM and sys.stdout.isatty():
        arguments.parser.error("argument -o/--output: a model is binary. Redirect standard output to a file.")
    for name, shown in (("file", "FILE"), ("validation", "the FILE of --validation")):
        for text in path_list(getattr(arguments, name, None) or STANDARD_STREAM):
            with contextlib.suppress(OSError):
                if STANDARD_STREAM not in (path, text) and os.path.samefile(path, text):
                    arguments.parser.error(
                        f"argument -o/--output: {shown} is the same file, and the model would replace the text"
                    )


def _origin(path: str) -> Origin:
    """Return the model to continue with."""
    source = model_source(path)
    if holds_detector(source):
        raise InvalidInputError(
            f"{path} contains a detector, whose threshold would be lost. Train it in Python: call "
            "detector.estimator_.partial_fit(lines), then detector.calibrate(other_lines)."
        )
    return load_source(source)


def _refuse_options_of_others(arguments: argparse.Namespace, kind: str) -> None:
    """Stop if an option is given that this kind of model does not accept, but another kind does."""
    for other, job in KINDS.items():
        for name in job.options:
            default = arguments.parser.get_default(name)
            if default == argparse.SUPPRESS:
                is_given = hasattr(arguments, name)
            else:
                is_given = getattr(arguments, name, None) not in (None, False, default)
            if is_given and name not in KINDS[kind].options:
                option = {"seconds": "--time", "origin": "--from"}.get(name) or option_of(name)
                is_default = arguments.model_kind is None and kind in ("network", "mixture")
                reason = f"needs --model {other}" if is_default else f"not allowed with --model {kind}"
                arguments.parser.error(f"argument {option}: {reason}")


def _texts(arguments: argparse.Namespace, model: CharRNN | CharNGram) -> tuple[TextLike, dict[str, Any]]:
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


def _given_parameters(arguments: argparse.Namespace, model: CharRNN | CharNGram) -> dict[str, Any]:
    """Return the given constructor parameters of a kind of model, and the verbosity."""
    names = model.get_params()
    return {"verbose": DEFAULT_VERBOSE} | {name: value for name, value in vars(arguments).items() if name in names}


def _network_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given parameters of a network, with ``--time`` as `max_seconds`."""
    parameters = _given_parameters(arguments, CharRNN())
    if arguments.seconds is not None:
        if parameters.get("max_seconds") is not None:
            arguments.parser.error("--time and --max-seconds mean the same. Pass one of them.")
        parameters["max_seconds"] = arguments.seconds
    return parameters


# ---------------------------------------------------------------- kinds of models


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
        parameters = _network_parameters(arguments)
        self._checkpoint = start.checkpoint
        self._resumed = start.checkpoint if arguments.resume else None  # the run to finish
        self._parameters = parameters if start.model is not None else None  # for `partial_fit`; a new model has its own
        model = start.model
        if self._resumed is not None:
            assert isinstance(model, CharRNN)
            _refuse_other_settings(self._resumed, model.get_params(), parameters)
            self._text, self._fit_options = _texts(arguments, model)
            self._fit_options |= {name: parameters.get(name) for name in ("n_threads", "verbose")}
        else:
            assert model is None or isinstance(model, CharRNN)
            model = CharRNN(**parameters) if model is None else model.set_params(**parameters)
            self._text, self._fit_options = _texts(arguments, model)
            if start.model is None and arguments.seconds is not None:
                model = _recommend(self._text, arguments.seconds, parameters)
            self._fit_options |= _checkpoint_options(arguments, start.checkpoint)
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
    reason = ending.reason
    is_fitted = model.__sklearn_is_fitted__()
    network = network_of(model) if is_fitted and isinstance(model, Mixture) else model
    steps = network.n_steps_ - first if is_fitted and isinstance(network, CharRNN) else 0
    if code and not steps:
        say(f"crnn: {reason}; there was nothing to save yet")
        return code
    taken = f"{steps:,} steps in {ending.seconds:.1f} s"
    in_checkpoint = bool(code) and checkpoint is not None and is_in_checkpoint(checkpoint, model)
    remedy = f"; add --resume to continue from {checkpoint}" if in_checkpoint and code != ERROR else ""
    if code and checkpoint is not None and os.path.exists(output):
        after = f"crnn: {reason}; the model after step {network.n_steps_:,} is"
        if in_checkpoint:
            say(f"{after} in {checkpoint}, and {output} is unchanged{remedy}")
            return code
        say(f"{after} not in {checkpoint}; saving it in {output}{INTERRUPTED_SUFFIX}, and {output} is unchanged")
        output += INTERRUPTED_SUFFIX
    elif code:
        say(f"crnn: {reason}; saving the model after step {network.n_steps_:,}{remedy}")
    if isinstance(network, CharRNN):
        summary = f"{taken}, {_losses(network)} per symbol"
    if isinstance(model, Mixture):
        weights = ", ".join(shown_weights(model))
        others = ", counts and words" if "words" in model.members_ else " and counts"
        summary = f"a network after {taken}{others}, weights {weights}"
    code = _save_and_report(model, output, summary, ending, verbose)
    if not code and checkpoint is not None:  # the model is on the disk, under its final name
        _remove_checkpoint(checkpoint)
    return code


def network_of(mixture: Mixture) -> CharRNN:
    """Return the network of a mixture that was trained on the command line."""
    (network,) = [model for model in mixture.models_ if isinstance(model, CharRNN)]
    return network


def _losses(network: CharRNN) -> str:
    """Return the training loss, and the validation loss if it was measured at the last step, as text."""
    losses = {"training": network.smooth_loss_ / network.seq_length}
    for record in network.history_:
        if record["step"] == network.n_steps_ and record["validation_loss"] is not None:
            losses["validation"] = record["validation_loss"]
    return ", ".join(f"{name} loss {loss:.3f} nats ({loss / math.log(2):.3f} bits)" for name, loss in losses.items())


def _save_and_report(
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


def _size_of(model: CharNGram) -> int:
    """Return the bytes of a model's file."""
    model.save(file := io.BytesIO())
    return len(file.getvalue())


class NGramJob(Job):
    """``--model ngram``: new counts, or more text for the counts of ``--from``."""

    options = (*NGRAM_ONLY, "max_bytes", "min_count", "n_threads", "verbose", "cache", "labels", "origin")

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        parameters = _given_parameters(arguments, CharNGram())
        assert start.model is None or isinstance(start.model, CharNGram)
        self._model = CharNGram(**parameters) if start.model is None else start.model.set_params(**parameters)
        self._text, others = _texts(arguments, self._model)
        self._y = others["y"]
        self._max_bytes: int | None = arguments.max_bytes

    def train(self) -> None:
        """Count the n-grams of the text or of the labeled lines."""
        self._model.partial_fit(self._text, self._y)
        if self._max_bytes is not None:
            self._model = self._model.prune(self._max_bytes)

    def save(self, ending: Ending) -> int:
        """Save the counts, unless they are incomplete."""
        if ending.code:
            say(f"crnn: {ending.reason}; nothing is saved, because the text was counted only in part")
            return ending.code
        model = self._model
        n_grams = f"{sum(model.n_grams_):,} n-grams of up to {model.order_} {model.vocabulary_.kind}"
        n_bytes = "" if self._max_bytes is None else f", {_size_of(model):,} bytes"
        summary = f"{n_grams}{n_bytes} in {ending.seconds:.1f} s"
        return _save_and_report(model, self._output, summary, ending, self._verbose)


class MixtureJob(Job):
    """``--model mixture``: counts and a network that share the time, with weights fitted to the validation text, or to
    a small part of a long text; the mixture of ``--from``; or the run that ``--resume`` finishes.
    """

    options = (*NetworkJob.options, *NGRAM_ONLY)

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        parameters = _network_parameters(arguments)
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
            _refuse_other_settings(self._resumed, network_of(self._mixture).get_params(), self._given)
        elif self._is_new:
            CharRNN(**self._given)
            of_counts = _given_parameters(arguments, CharNGram())
            self._given |= {name: value for name, value in of_counts.items() if name != "verbose"}
            if seconds is None:
                self._seconds = MIXTURE_SECONDS
                self._has_default_time = True
        model = CharRNN() if self._mixture is None else network_of(self._mixture)
        self._text, others = _texts(arguments, model)
        self._labels = others["y"]
        self._validation = others["validation"]
        self._saving = {} if start.checkpoint is None else _checkpoint_options(arguments, start.checkpoint)

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
        if self._has_default_time and self._verbose and not code:
            say("crnn: it was trained for a minute; --time 10m would make a better one")
        return code


class DetectorJob(Job):
    """``--model detector``: a detector of the lines of a text."""

    options = ("contamination", "reduce", "mask", "seconds", "random_state", "verbose")

    def __init__(self, arguments: argparse.Namespace, start: Start, comm: Any) -> None:
        super().__init__(arguments, start, comm)
        self._detector = AnomalyDetector(
            **threshold_options(arguments),
            **({} if arguments.seconds is None else {"max_seconds": arguments.seconds}),
            random_state=getattr(arguments, "random_state", None),
            verbose=min(1, self._verbose),
        )
        self._lines = read_documents(arguments.file, as_bytes=arguments.bytes, errors=arguments.errors or "strict")

    def train(self) -> None:
        """Fit the detector to the lines."""
        with say_warnings():
            self._detector.fit(self._lines)

    def save(self, ending: Ending) -> int:
        """Save the detector, unless it has no threshold yet."""
        if ending.code:
            say(f"crnn: {ending.reason}; there was nothing to save yet")
            return ending.code
        summary = f"a detector, in {ending.seconds:.1f} s"
        return _save_and_report(self._detector, self._output, summary, ending, self._verbose)


KINDS: dict[str, type[Job]] = {
    "network": NetworkJob,
    "ngram": NGramJob,
    "mixture": MixtureJob,
    "detector": DetectorJob,
}

# ---------------------------------------------------------------- the checkpoint


def _checkpoint_options(arguments: argparse.Namespace, checkpoint: str | None) -> dict[str, Any]:
    """Return the arguments of `fit` for a checkpoint's path, which None disables, and its interval."""
    every = arguments.checkpoint_every
    seconds = arguments.checkpoint_seconds if every is None else None
    return {"checkpoint": checkpoint, "checkpoint_every": every, "checkpoint_seconds": seconds}


def _checkpoint_path(arguments: argparse.Namespace) -> str | None:
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


def _refuse_undelivered(checkpoint: str, output: str) -> None:
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


def _refuse_missing(checkpoint: str, output: str) -> None:
    """Raise InvalidInputError if the checkpoint to resume is missing."""
    if os.path.exists(checkpoint):
        return
    if os.path.exists(output):
        raise InvalidInputError(
            f"{checkpoint} does not exist: it is removed when training has ended and the model is saved. Use "
            f"--from {output} instead of --resume to train {output} further."
        )
    raise InvalidInputError(f"{checkpoint} does not exist, nor does {output}. Omit --resume to start training.")


def _remove_checkpoint(checkpoint: str) -> None:
    """Remove the checkpoint of a successful training run, after its model was saved."""
    try:
        with contextlib.suppress(FileNotFoundError):  # it could not be written, which was a warning
            os.unlink(checkpoint)
    except OSError as error:
        say(f"crnn: the model is saved, but its checkpoint cannot be removed: {error_message(error)}")


def _refuse_other_settings(checkpoint: str, settings: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Raise InvalidInputError if given parameters differ from the settings of an interrupted run."""
    for name, value in parameters.items():
        if name not in MAY_CHANGE_ON_RESUME and settings[name] != value:
            raise InvalidInputError(
                f"{name} is {value}, but {checkpoint} was started with {settings[name]}. Omit the option."
            )


# ---------------------------------------------------------------- several processes


def communicator() -> Any:
    """Return the communicator of all processes if a launcher such as mpiexec has started several, otherwise None."""
    if not any(os.environ.get(name, "1") not in ("", "1") for name in MPI_SIZES):
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise InvalidInputError(
            f"training with several processes needs mpi4py ({error}). Install it with pip install 'crnn[mpi]'."
        ) from None
    return MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None


@contextlib.contextmanager
def aborting(comm: Any) -> Iterator[None]:
    """End all processes if this one fails, since the others may be waiting for it."""
    try:
        yield
    except Exception as error:
        say(f"crnn: error: process {comm.Get_rank()}: {error_message(error)}")
        comm.Abort(1)
        raise
    except SystemExit:  # wrong usage, already reported by argparse
        comm.Abort(2)
        raise
