"""The command ``crnn train``: train a model on a file and save it."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterable
from typing import Any

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..files.model_file import holds_detector, is_mixture
from ..mixture import Mixture
from ..ngram.settings import checked_ngram_parameter
from ..parameters.checks import generator
from ..parameters.settings import GROUPS, PARAMETERS, checked_parameter
from ..training.checkpoints import CHECKPOINT_SECONDS, checkpoint_interval
from .detect import add_threshold_options
from .errors import catch_ending, interruptible, uninterrupted
from .files import (
    STANDARD_STREAM,
    check_writable,
    load_source,
    model_source,
    path_list,
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
from .train_checkpoint import CHECKPOINT_SUFFIX, checkpoint_path, refuse_missing, refuse_undelivered
from .train_detector import DetectorJob
from .train_job import DEFAULT_VERBOSE, NGRAM_ONLY, Job, Origin, Start
from .train_mixture import MixtureJob
from .train_mpi import aborting, communicator
from .train_network import NetworkJob
from .train_ngram import NGramJob

PYTHON_ONLY = ("callbacks", "vocabulary")  # parameters without an option
OF_NETWORKS = ("epochs", "max_steps")  # options that mean a network alone
# The parameters among the ten options that most people use.
FIRST_PARAMETERS = ("hidden_size", "cell", "epochs", "random_state")

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
    checkpoint = checkpoint_path(arguments)
    if arguments.resume:
        if checkpoint is None:
            arguments.parser.error("argument --resume: there is no checkpoint for this -o/--output")
        assert checkpoint is not None
        refuse_missing(checkpoint, arguments.output)
        stored = Mixture.load(checkpoint) if kind == "mixture" else CharRNN.load(checkpoint)
        return Start(kind, stored, checkpoint)
    if checkpoint is not None:
        refuse_undelivered(checkpoint, arguments.output)
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


KINDS: dict[str, type[Job]] = {
    "network": NetworkJob,
    "ngram": NGramJob,
    "mixture": MixtureJob,
    "detector": DetectorJob,
}
