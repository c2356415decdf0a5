"""The command ``crnn train``: train a model on a file and save it."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..char_rnn import CharRNN
from ..errors import DivergenceError
from ..settings import MAX_SIZE, generator
from ..settings import checked as checked_parameter
from ..text.sources import TextLike
from .arguments import add_files, add_output, checked_text, duration, refuse_two_standard_inputs
from .errors import ERROR, INTERRUPTED, described, say
from .files import STANDARD, check_writable, load, one_or_more, read_documents, read_text, save
from .signature_options import add_options

__all__ = ["VERBOSE", "add_arguments", "check_output", "run", "train_and_save"]

VERBOSE = 2  # the command's default; the constructor's is 0
OPTIMIZER_PARAMETERS = ("learning_rate", "weight_decay", "beta_1", "beta_2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the parameters of the model come from the constructor of `CharRNN`."""
    add_files(parser)
    add_output(parser, required=True, help="where to save the model; - for standard output")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="continue the training of a saved model: for one more epoch over FILE, or --epochs epochs, or --max-steps "
        "steps. Other options change the parameters of the model (default: a new model)",
    )
    parser.add_argument(
        "--time",
        dest="seconds",
        metavar="TIME",
        type=checked_text(duration),
        help="how long to train, the reading of FILE included: 10s, 3m, 1h. A new model then gets the parameters that "
        "are best for FILE in this time, except those given here (default: --epochs epochs)",
    )
    parser.add_argument(
        "--validation",
        metavar="FILE",
        help="a text whose loss is measured during training; the saved model is the one with the lowest "
        "(default: the last part of FILE, of the size --validation-fraction)",
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="each line of FILE, and of the validation file, is a document (a name, a molecule), without its line end: "
        "the model learns where a document starts and ends",
    )
    parser.add_argument("--bytes", action="store_true", help="train a model of bytes; FILE may then hold anything")
    parser.add_argument(
        "-q", "--quiet", dest="verbose", action="store_const", const=0, default=argparse.SUPPRESS,
        help="the same as --verbose 0",
    )  # fmt: skip
    add_options(
        parser.add_argument_group("the model and its training", "The parameters of crnn.CharRNN."),
        CharRNN,
        _check_parameter,
        names=[name for name in CharRNN().get_params() if name not in ("callbacks", "vocabulary")],
        defaults={"verbose": VERBOSE},
        aliases={"random_state": ("--seed",)},
    )


def run(arguments: argparse.Namespace) -> int:
    """Train a model and save it; return the exit code."""
    check_output(arguments)
    refuse_two_standard_inputs(arguments, file="FILE", validation="--validation", origin="--from")
    given = _given_parameters(arguments)
    model = CharRNN(**given) if arguments.origin is None else load(arguments.origin).set_params(**given)
    as_bytes = arguments.bytes or (arguments.origin is not None and model.vocabulary_.kind == "bytes")
    read: Callable[..., TextLike] = read_documents if arguments.lines else read_text
    text = read(arguments.file, as_bytes=as_bytes)
    if arguments.origin is None and arguments.seconds is not None:
        choice = {name: given[name] for name in ("cell", "n_threads") if name in given}
        recommended = CharRNN.recommended(text, arguments.seconds, **choice, verbose=given["verbose"])
        model = _override(recommended, given)
    validation = read(arguments.validation, as_bytes=as_bytes) if arguments.validation else None
    if arguments.origin is None:
        return train_and_save(arguments, model, lambda: model.fit(text, validation=validation))
    return train_and_save(arguments, model, lambda: _continue_training(model, text, validation, given))


def train_and_save(arguments: argparse.Namespace, model: CharRNN, train: Callable[[], object]) -> int:
    """Train, save the model to `arguments.output` even if the training is interrupted or diverges, and report it.

    Parameters
    ----------
    arguments : argparse.Namespace
    model : CharRNN
    train : callable
        Trains the model.

    Returns
    -------
    int
        The exit code.
    """
    first = model.n_steps_ if hasattr(model, "vocabulary_") else 0
    code, reason, start, verbose = 0, "", time.perf_counter(), model.verbose
    try:
        train()
    except KeyboardInterrupt:
        code, reason = INTERRUPTED, "stopped by Ctrl-C"
    except DivergenceError as error:
        code, reason = ERROR, f"error: {error}"
    with _uninterrupted():
        steps = (model.n_steps_ if hasattr(model, "vocabulary_") else first) - first
        if code and not steps:
            say(f"crnn: {reason}; there was nothing to save yet")
            return code
        if code:
            say(f"crnn: {reason}; saving the model as it was after step {model.n_steps_:,}")
        model.verbose = 0  # the display of this command is no parameter of the saved model
        where, failure = save(model, arguments.output)
        if failure:
            say(f"crnn: error: {described(failure)}: the model is saved in {where} instead")
            return code or ERROR
        if code or verbose:
            loss, seconds = model.smooth_loss_ / model.seq_length, time.perf_counter() - start
            say(
                f"crnn: saved {'to standard output' if where == STANDARD else where}: {steps:,} steps in "
                f"{seconds:.1f} s, loss {loss:.3f} nats, {loss / math.log(2):.3f} bits per symbol"
            )
    return code


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse, before any work, an output that cannot be written or should not be."""
    path = arguments.output
    check_writable(path)
    if path == STANDARD and sys.stdout.isatty():
        arguments.parser.error(
            "argument -o/--output: a model is not text; send standard output to a file or a program"
        )
    for name, shown in (("file", "FILE"), ("validation", "the FILE of --validation")):
        for text in one_or_more(getattr(arguments, name, None) or STANDARD):
            with contextlib.suppress(OSError):
                if STANDARD not in (path, text) and os.path.samefile(path, text):
                    arguments.parser.error(
                        f"argument -o/--output: this is {shown}, and the model would replace the text"
                    )


def _given_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the constructor that were given, with the verbosity and --time as `max_seconds`."""
    names = CharRNN().get_params()
    given = {"verbose": VERBOSE} | {name: value for name, value in vars(arguments).items() if name in names}
    if arguments.seconds is not None:
        if given.get("max_seconds") is not None:
            arguments.parser.error("--time and --max-seconds are the same: give one of them")
        given["max_seconds"] = arguments.seconds
    return given


def _override(model: CharRNN, given: Mapping[str, Any]) -> CharRNN:
    """Set the parameters that were given on a recommended model, and report those that differ."""
    recommended = model.get_params()
    other = {name: value for name, value in given.items() if name != "verbose" and value != recommended[name]}
    if "optimizer" in other:  # a learning rate that suits another optimizer would be wrong for this one
        defaults = CharRNN().get_params()
        model.set_params(**{name: defaults[name] for name in OPTIMIZER_PARAMETERS})
    if other and given["verbose"]:
        say(f"as given: {', '.join(f'{name}={value}' for name, value in other.items())}")
    return model.set_params(**given)


def _continue_training(model: CharRNN, text: TextLike, validation: TextLike | None, given: Mapping[str, Any]) -> None:
    """Train for the steps, time or epochs that were given, or for one epoch; the model's own limits do not count."""
    own_limits = {name: getattr(model, name) for name in ("max_steps", "max_seconds")}
    epochs = given.get("epochs")
    if given.get("max_seconds") is not None:
        epochs = None
    elif given.get("max_steps") is not None:
        epochs = MAX_SIZE  # max_steps alone ends the training
    try:
        model.set_params(**{name: given.get(name) for name in own_limits})
        model.partial_fit(text, validation=validation, epochs=epochs)
    finally:
        model.set_params(**own_limits)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C while the trained model is saved."""
    if threading.current_thread() is not threading.main_thread():  # signals arrive on the main thread only
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) or signal.SIG_DFL
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _check_parameter(name: str, value: Any) -> None:
    checked_parameter(name, value)
    if name == "random_state":
        generator(value)
