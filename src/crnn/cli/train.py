"""The command ``crnn train``: train a model on a file and save it."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import DivergenceError, InvalidInputError
from ..files.model_file import holds_detector
from ..mixture import Mixture
from ..parameters.checks import MAX_SIZE, generator
from ..parameters.settings import checked_parameter
from ..parameters.table import GROUPS, PARAMETERS
from ..text.sources import TextLike
from ..training.recommended import CHOSEN_BY
from .errors import ERROR, described, interruptible, interruption, say, uninterrupted
from .files import STANDARD, check_writable, loaded, model_source, one_or_more, read_documents, read_text
from .options import (
    TRAINING_ERRORS,
    add_errors,
    add_files,
    add_options,
    add_output,
    checked_text,
    duration,
    option_of,
    refuse_two_standard_inputs,
)
from .training.checkpoints import (
    CHECKPOINT_TIME,
    checkpoint_every,
    checkpoint_of,
    contains_model,
    refuse_missing,
    refuse_other_settings,
    refuse_undelivered,
    remove_checkpoint,
)
from .training.counting import add_ngram_options, count_and_save, counts_of
from .training.detecting import add_detector_options, detect_and_save
from .training.mixing import mix_and_save
from .training.saving import save_and_report

PYTHON_ONLY = ("callbacks", "vocabulary")  # parameters without an option
MODELS = ("network", "ngram", "mixture", "detector")
# The kinds of model that accept an option, by name in the namespace; all accept the other options.
ACCEPTED_BY = dict.fromkeys(PARAMETERS, ("network", "mixture")) | {
    **dict.fromkeys(("min_count", "n_threads", "cache"), ("network", "ngram", "mixture")),
    **dict.fromkeys(("seconds", "random_state"), ("network", "mixture", "detector")),
    **dict.fromkeys(("order", "max_memory"), ("ngram", "mixture")),
    **dict.fromkeys(("contamination", "reduce", "calibration_fraction"), ("detector",)),
    **dict.fromkeys(("resume", "validation_labels", "checkpoint_every"), ("network",)),
    "labels": ("network", "ngram"),
    "validation": ("network", "mixture"),
    "origin": ("network", "ngram"),
    "verbose": MODELS,
}
INTERRUPTED = ".interrupted"  # after the output's name: the model of a failed run whose checkpoint failed, too
VERBOSE = 2  # the command's default; the constructor's is 0
FIRST = ("hidden_size", "cell", "epochs", "random_state")  # parameters among the ten options that most people use
OPTIMIZER_PARAMETERS = ("learning_rate", "weight_decay", "beta_1", "beta_2")
MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")  # set by Open MPI, MPICH, Intel MPI


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the model's options come from the table of parameters.

    The most used options come first. The others are grouped like the parameters.
    """
    parser.usage = "%(prog)s [options] -o MODEL FILE [FILE ...]"
    add_files(parser)
    add_output(parser, required=True, help="where to save the model; - for standard output")
    parser.add_argument(
        "--time",
        dest="seconds",
        metavar="TIME",
        type=checked_text(duration),
        help="training time, including reading FILE, such as 10s, 3m or 1h. A new model then gets the best parameters "
        "for FILE and this time, except where you give options (default: train for --epochs)",
    )
    parser.add_argument(
        "--model",
        dest="model_kind",
        choices=MODELS,
        help="the kind of model. network: a recurrent network; ngram: n-gram counts, which take about a second per "
        "million characters and are a baseline for every network; mixture: both, which predicts best; "
        "detector: finds anomalous lines with crnn detect (default: network)",
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
    _add_parameters(parser, FIRST)
    text = parser.add_argument_group("text", "how FILE is read")
    text.add_argument("--bytes", action="store_true", help="train a model of bytes; FILE may then have any contents")
    text.add_argument(
        "--labels",
        metavar="FILE",
        help="with --lines and --model network or ngram: a file with a label for each line of FILE, so that the model "
        "learns what lines with each label look like, and crnn sample accepts --label (default: none)",
    )
    add_errors(text, f"with --lines: {TRAINING_ERRORS}")
    text.add_argument(
        "--cache",
        metavar="FOLDER",
        help="a folder for caching FILE and the validation file as ids, to read them in parts and reuse them in later "
        "runs (default: large files are cached next to FILE, or in the folder $CRNN_CACHE)",
    )
    for name, content in GROUPS.items():
        group = parser.add_argument_group(name, content)
        names = [each for each, entry in PARAMETERS.items() if entry.group == name and each not in PYTHON_ONLY]
        _add_parameters(group, [each for each in names if each not in FIRST])
        if name == "validation":
            _add_validation_options(group)
        elif name == "execution":
            _add_execution_options(group)
    add_ngram_options(parser)
    add_detector_options(parser)


def _add_parameters(group: argparse._ActionsContainer, names: Iterable[str]) -> None:
    """Add the options of these parameters."""
    add_options(
        group,
        {name: PARAMETERS[name] for name in names},
        _check_parameter,
        defaults={"verbose": VERBOSE},
        aliases={"random_state": ("--seed",)},
    )


def _add_validation_options(group: argparse._ActionsContainer) -> None:
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
    group.add_argument(
        "-q", "--quiet", dest="verbose", action="store_const", const=0, default=argparse.SUPPRESS,
        help="the same as --verbose 0",
    )  # fmt: skip
    group.add_argument(
        "--checkpoint-every",
        metavar="TIME",
        type=checked_text(checkpoint_every),
        default=checkpoint_every(CHECKPOINT_TIME),
        help="how often to save a checkpoint in MODEL.checkpoint, such as 10s, 3m, 1h, or a number of steps; none: "
        "never. After training, MODEL is replaced and MODEL.checkpoint removed (default: 1m)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train a model, save it and return the exit code. Only the first of several processes saves and reports."""
    comm = communicator()
    with contextlib.nullcontext() if comm is None else aborting(comm):
        origin = _checked_origin(arguments, comm)
        kind = "ngram" if isinstance(origin, CharNGram) else arguments.model_kind or "network"
        _refuse_options_of_others(arguments, kind)
        if kind == "detector":
            return detect_and_save(arguments, VERBOSE)
        if kind == "ngram":
            counts = counts_of(arguments, origin, VERBOSE)
            text, others = _texts(arguments, counts)
            return count_and_save(arguments, counts, text, others.get("labels"))
        if kind == "mixture":
            if arguments.seconds is None:
                arguments.parser.error("argument --model: a mixture needs --time, which its two models share")
            given = _given_parameters(arguments)
            text, others = _texts(arguments, CharRNN())
            return mix_and_save(arguments, given, text, others["validation"])
        assert not isinstance(origin, CharNGram)
        model, train, checkpoint = _prepared(arguments, origin, comm)
    if comm is None or comm.Get_rank() == 0:
        return train_and_save(arguments, model, train, checkpoint, resumed=arguments.resume)
    with interruptible():
        try:
            train()
        except (KeyboardInterrupt, DivergenceError):  # reported by the first process
            return 0
    return 0


def _refuse_options_of_others(arguments: argparse.Namespace, kind: str) -> None:
    """Stop if an option is given that this kind of model does not accept."""
    for name, kinds in ACCEPTED_BY.items():
        default = arguments.parser.get_default(name)
        if default == argparse.SUPPRESS:
            given = hasattr(arguments, name)
        else:
            given = getattr(arguments, name, None) not in (None, False, default)
        if given and kind not in kinds:
            option = {"seconds": "--time", "origin": "--from"}.get(name) or option_of(name)
            reason = f"needs --model {kinds[0]}" if kind == "network" else f"not allowed with --model {kind}"
            arguments.parser.error(f"argument {option}: {reason}")


def _checked_origin(arguments: argparse.Namespace, comm: Any) -> CharRNN | CharNGram | None:
    """Check files and return the model of ``--from``."""
    _refuse_for_several(arguments, comm)
    refuse_two_standard_inputs(arguments, file="FILE", validation="--validation", origin="--from")
    _by_first(comm, lambda: check_output(arguments))
    origin: CharRNN | CharNGram | None = None
    if arguments.origin is not None and not arguments.resume:
        origin = _by_first(comm, lambda: _origin(arguments.origin))
    if arguments.model_kind == "network" and isinstance(origin, CharNGram):
        raise InvalidInputError(f"{arguments.origin} contains a CharNGram. Use --model ngram to continue with it.")
    return origin


def _origin(path: str) -> CharRNN | CharNGram:
    """Return the model to continue with."""
    source = model_source(path)
    if holds_detector(source):
        raise InvalidInputError(
            f"{path} contains a detector, whose threshold would be lost. Train it in Python: call "
            "detector.estimator_.partial_fit(lines), then detector.calibrate(other_lines)."
        )
    model = loaded(source)
    if isinstance(model, Mixture):
        raise InvalidInputError(f"{path} contains a Mixture. Train each of its models in Python.")
    return model


def _prepared(
    arguments: argparse.Namespace, origin: CharRNN | None, comm: Any
) -> tuple[CharRNN, Callable[[], CharRNN], str | None]:
    """Return the model before training, a function that trains and returns it, and the path of its checkpoint."""
    given, checkpoint = _given_parameters(arguments), _by_first(comm, lambda: checkpoint_of(arguments))
    if arguments.resume:
        if checkpoint is None:
            arguments.parser.error("argument --resume: there is no checkpoint for this -o/--output")
        return *_resumed(arguments, checkpoint, given, comm), checkpoint
    if checkpoint is not None:
        _by_first(comm, lambda: refuse_undelivered(checkpoint, arguments.output))
    model = CharRNN(**given) if origin is None else origin.set_params(**given)
    text, others = _texts(arguments, model)
    if origin is None and arguments.seconds is not None:
        choice = {name: given[name] for name in CHOSEN_BY if name in given}
        recommended = CharRNN.recommended(text, arguments.seconds, **choice, verbose=given["verbose"])
        model = _override(recommended, given)
    others |= {"checkpoint": checkpoint, "checkpoint_every": arguments.checkpoint_every, "comm": comm}
    if origin is None:
        return model, lambda: model.fit(text, **others), checkpoint
    return model, lambda: _continue_training(model, text, given, others), checkpoint


def _resumed(
    arguments: argparse.Namespace, checkpoint: str, given: Mapping[str, Any], comm: Any
) -> tuple[CharRNN, Callable[[], CharRNN]]:
    """Return the model of an interrupted training run, and a function that finishes the run."""
    _by_first(comm, lambda: refuse_missing(checkpoint, arguments.output))
    model = _by_first(comm, lambda: CharRNN.load(checkpoint)).set_params(verbose=given["verbose"])
    refuse_other_settings(checkpoint, model.get_params(), given)
    text, others = _texts(arguments, model)
    others |= {name: given.get(name) for name in ("n_threads", "verbose")}
    return model, lambda: CharRNN.resume(checkpoint, text, **others, comm=comm)


def _by_first(comm: Any, read: Callable[[], Any]) -> Any:
    """Return the result of a function that only the first of several processes calls."""
    if comm is None:
        return read()
    return comm.bcast(read() if comm.Get_rank() == 0 else None, root=0)


def _refuse_for_several(arguments: argparse.Namespace, comm: Any) -> None:
    """Reject options that several processes do not support."""
    if comm is None:
        return
    if arguments.seconds is not None:
        arguments.parser.error("argument --time: not allowed with several processes. Start one.")
    if arguments.model_kind in ("ngram", "mixture", "detector"):
        arguments.parser.error("argument --model: n-grams are counted by one process. Start one.")
    if STANDARD in (*one_or_more(arguments.file), arguments.validation):
        arguments.parser.error("argument FILE: several processes cannot share standard input. Pass a file.")


def _texts(arguments: argparse.Namespace, model: CharRNN | CharNGram) -> tuple[TextLike, dict[str, Any]]:
    """Return the training text, and by argument the validation text and the labels, if any."""
    as_bytes = arguments.bytes or (hasattr(model, "vocabulary_") and model.vocabulary_.kind == "bytes")
    if arguments.errors and not arguments.lines:
        arguments.parser.error("--errors needs --lines")
    lines = partial(read_documents, errors=arguments.errors or "strict")
    read: Callable[..., TextLike] = lines if arguments.lines else read_text
    text = read(arguments.file, as_bytes=as_bytes, cache=arguments.cache)
    validation = None
    if arguments.validation:
        validation = read(arguments.validation, as_bytes=as_bytes, cache=arguments.cache)
    names = [name for name in ("labels", "validation_labels") if getattr(arguments, name) is not None]
    labels = {name: read_documents(getattr(arguments, name), as_bytes=False) for name in names}
    return text, {"validation": validation, **labels}


def train_and_save(
    arguments: argparse.Namespace,
    model: CharRNN,
    train: Callable[[], CharRNN],
    checkpoint: str | None = None,
    *,
    resumed: bool = False,
) -> int:
    """Train, save the model to `arguments.output` even if training is interrupted or diverges, report it, and return
    the exit code.

    If there is a checkpoint, an existing output is replaced only after training has ended normally, and the checkpoint
    is then removed. If training ends otherwise and the last checkpoint could not be written, the model is saved next to
    the output. With `resumed`, `train` trains another model, read from the checkpoint.
    """
    first = model.n_steps_ if hasattr(model, "vocabulary_") else 0
    code, reason, start, verbose = 0, "", time.perf_counter(), model.verbose
    with interruptible():
        try:
            model = train()
        except KeyboardInterrupt as error:
            code, reason = interruption(error).code, interruption(error).reason
        except DivergenceError as error:
            code, reason = ERROR, f"error: {error}"
        with uninterrupted():
            if code and checkpoint is not None and resumed:
                model = CharRNN.load(checkpoint)
            steps = (model.n_steps_ if hasattr(model, "vocabulary_") else first) - first
            if code and not steps:
                say(f"crnn: {reason}; there was nothing to save yet")
                return code
            taken, output = f"{steps:,} steps in {time.perf_counter() - start:.1f} s", arguments.output
            kept = bool(code) and checkpoint is not None and contains_model(checkpoint, model)
            remedy = f"; add --resume to continue from {checkpoint}" if kept and code != ERROR else ""
            if code and checkpoint is not None and os.path.exists(output):
                after = f"crnn: {reason}; the model after step {model.n_steps_:,} is"
                if kept:
                    say(f"{after} in {checkpoint}, and {output} is unchanged{remedy}")
                    return code
                say(f"{after} not in {checkpoint}; saving it in {output}{INTERRUPTED}, and {output} is unchanged")
                return _save(output + INTERRUPTED, model, code, verbose, taken)
            if code:
                say(f"crnn: {reason}; saving the model after step {model.n_steps_:,}{remedy}")
            code = _save(output, model, code, verbose, taken)
            if not code and checkpoint is not None:  # the model is on the disk, under its final name
                remove_checkpoint(checkpoint)
            return code


def _save(output: str, model: CharRNN, code: int, verbose: int, taken: str) -> int:
    """Save the model, report it and return the exit code."""
    model.verbose = 0  # this command's display setting is not a parameter of the saved model
    losses = {"training": model.smooth_loss_ / model.seq_length}
    for record in model.history_:
        if record["step"] == model.n_steps_ and record["validation_loss"] is not None:
            losses["validation"] = record["validation_loss"]
    shown = ", ".join(f"{name} loss {loss:.3f} nats ({loss / math.log(2):.3f} bits)" for name, loss in losses.items())
    summary = f"{taken}, {shown} per symbol"
    return save_and_report(model, output, summary, report=bool(code or verbose), code=code)


def check_output(arguments: argparse.Namespace) -> None:
    """Refuse, before any work, an output that cannot or should not be written."""
    path = arguments.output
    check_writable(path)
    if path == STANDARD and sys.stdout.isatty():
        arguments.parser.error("argument -o/--output: a model is binary. Redirect standard output to a file.")
    for name, shown in (("file", "FILE"), ("validation", "the FILE of --validation")):
        for text in one_or_more(getattr(arguments, name, None) or STANDARD):
            with contextlib.suppress(OSError):
                if STANDARD not in (path, text) and os.path.samefile(path, text):
                    arguments.parser.error(
                        f"argument -o/--output: {shown} is the same file, and the model would replace the text"
                    )


def _given_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the given constructor parameters, including the verbosity, and --time as `max_seconds`."""
    names = CharRNN().get_params()
    given = {"verbose": VERBOSE} | {name: value for name, value in vars(arguments).items() if name in names}
    if arguments.seconds is not None:
        if given.get("max_seconds") is not None:
            arguments.parser.error("--time and --max-seconds mean the same. Pass one of them.")
        given["max_seconds"] = arguments.seconds
    return given


def _override(model: CharRNN, given: Mapping[str, Any]) -> CharRNN:
    """Set the given parameters on a recommended model, and report those that differ."""
    recommended = model.get_params()
    other = {name: value for name, value in given.items() if name != "verbose" and value != recommended[name]}
    if "optimizer" in other:  # a learning rate chosen for another optimizer would be wrong
        defaults = CharRNN().get_params()
        model.set_params(**{name: defaults[name] for name in OPTIMIZER_PARAMETERS})
    if other and given["verbose"]:
        say(f"as requested: {', '.join(f'{name}={value}' for name, value in other.items())}")
    return model.set_params(**given)


def _continue_training(model: CharRNN, text: TextLike, given: Mapping[str, Any], rest: Mapping[str, Any]) -> CharRNN:
    """Train for the given steps, time or epochs, or for one epoch; the model's own limits are ignored."""
    own_limits = {name: getattr(model, name) for name in ("max_steps", "max_seconds")}
    epochs = given.get("epochs")
    if given.get("max_seconds") is not None:
        epochs = None
    elif given.get("max_steps") is not None:
        epochs = MAX_SIZE  # only max_steps ends training
    try:
        model.set_params(**{name: given.get(name) for name in own_limits})
        return model.partial_fit(text, epochs=epochs, **rest)
    finally:
        model.set_params(**own_limits)


def _check_parameter(name: str, value: Any) -> None:
    checked_parameter(name, value)
    if name == "random_state":
        generator(value)


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
        say(f"crnn: error: process {comm.Get_rank()}: {described(error)}")
        comm.Abort(1)
        raise
    except SystemExit:  # wrong usage, already reported by argparse
        comm.Abort(2)
        raise
