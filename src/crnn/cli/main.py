"""The command ``crnn``: train, sample, score, info, demo.

Exit codes: 0; 1 for an error, told in one line; 2 for wrong usage; 130 for Ctrl-C, after saving what there is.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .._version import __version__
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..inference.language_model import LENGTH, MAX_LENGTH
from ..inference.sampling_controls import (
    checked_min_p,
    checked_repetition_penalty,
    checked_temperature,
    checked_top_k,
    checked_top_p,
)
from ..settings import checked, generator, real, whole
from . import commands
from .commands import ERROR, INTERRUPTED
from .constructor_options import add_options, value_of
from .errors import described, say
from .files import STANDARD, check_writable

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0, 1 (an error) or 130 (interrupted). Wrong usage, ``--help`` and ``--version`` leave through
        SystemExit, as argparse has it.

    Examples
    --------
    >>> main(["info", "--build"])  # doctest: +ELLIPSIS
    crnn ...
    0
    """
    with _standard_error():
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # what the terminal cannot show is escaped, and is no crash
                stream.reconfigure(errors="backslashreplace")
        arguments = _parser().parse_args(argv)
        try:
            if arguments.run is not commands.train:  # all others write to standard output
                check_writable(STANDARD)
            code: int = arguments.run(arguments)
            _flush_output()
            return code
        except KeyboardInterrupt:
            say("crnn: stopped by Ctrl-C")
            return INTERRUPTED
        except BrokenPipeError:  # whoever read the output has seen enough
            _discard_output()
            return ERROR
        except (OSError, ValueError, ArithmeticError, MemoryError) as error:
            _discard_output()
            files = {"X": getattr(arguments, "file", None), "validation": getattr(arguments, "validation", None)}
            say(f"crnn: error: {described(error, files)}")
            return ERROR


# -------------------------------------------------------------------- parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crnn",
        description="Character-level recurrent language models on a CPU.",
        epilog="Start with: crnn demo",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"crnn {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        added = subparsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        added.set_defaults(run=run, parser=added)
        return added

    _add_train(command("train", commands.train, "Train a model on a text and save it."))
    _add_sample(command("sample", commands.sample, "Generate text with a model, on standard output."))
    score = command("score", commands.score, "Say how well a model predicts a text.")
    score.add_argument("model", metavar="MODEL", help="a model file, or - for standard input")
    score.add_argument("file", metavar="FILE", help="a text, or - for standard input")
    how = score.add_mutually_exclusive_group()
    how.add_argument("--exact", action="store_true", help="carry one state through the whole text (the default)")
    how.add_argument("--fast", action="store_true", help="cut a long text in parts that are read side by side")
    how.add_argument(
        "--lines", action="store_true", help="take every line by itself; for each, write a line: its log-probability"
    )
    score.add_argument("--normalize", choices=["char"], help="with --lines: the mean per character (default: the sum)")
    score.add_argument("--bits", action="store_true", help="with --lines: logarithms to base 2 (default: natural ones)")
    info = command("info", commands.info, "Say what a model file holds, or what this crnn is.")
    info.add_argument("model", metavar="MODEL", nargs="?", help="a model file, or - for standard input")
    info.add_argument(
        "--build", action="store_true", help="instead of a model: instruction set, BLAS, versions, processor"
    )
    demo = command("demo", commands.demo, "Watch a network learn English from Python's own documentation.")
    _add_output(demo, default="crnn-demo.crnn", help="where to save the model (default: %(default)s)")
    demo.add_argument(
        "--seconds",
        metavar="S",
        type=_checked(lambda value: real("seconds", value, above=0.0)),
        default=20.0,
        help="how long to train (default: %(default)g)",
    )
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a UTF-8 text, line ends kept as they are; - for standard input")
    _add_output(parser, required=True, help="where to save the model; - for standard output")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="MODEL",
        help="go on from a saved model: one more sweep over FILE, or --epochs sweeps, or --max-steps steps. Other "
        "options change what is in the model (default: a new model)",
    )
    parser.add_argument(
        "--time",
        dest="seconds",
        metavar="TIME",
        type=_checked_text(duration),
        help="how long to train, the reading of FILE included: 10s, 3m, 1h. A new model then gets the parameters that "
        "make the most of FILE in this time, but for those given here (default: --epochs sweeps)",
    )
    parser.add_argument(
        "--validation",
        metavar="FILE",
        help="a text whose loss is measured now and then; the model that is saved is the one with the lowest "
        "(default: the end of FILE that --validation-fraction names)",
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="each line is a document of its own (a name, a molecule), without its line end: the model learns where "
        "one starts and ends; so too in the validation file",
    )
    parser.add_argument("--bytes", action="store_true", help="train a model of bytes; FILE may then hold anything")
    parser.add_argument(
        "-q", "--quiet", dest="verbose", action="store_const", const=0, default=argparse.SUPPRESS,
        help="the same as --verbose 0",
    )  # fmt: skip
    options = parser.add_argument_group("the model and its training", "The parameters of crnn.CharRNN.")
    add_options(
        options,
        CharRNN,
        _check_parameter,
        defaults={"verbose": commands.VERBOSE},
        aliases={"random_state": ("--seed",)},
        without=("callbacks",),
    )


def _add_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a model file, or - for standard input")

    def option(*names: str, **rest: Any) -> None:
        shown = rest["default"] if rest["default"] not in ("", None) else "none"
        parser.add_argument(*names, help=f"{rest.pop('text')} (default: {shown})", **rest)

    parser.add_argument(
        "-n",
        metavar="N",
        type=_checked(lambda value: whole("n", value, 0)),
        help=f"characters to generate (default: {LENGTH}); of a document at most so many (default: {MAX_LENGTH})",
    )
    option("--prime", metavar="TEXT", default="",
           text="text to go on from; it is not written, but at the head of a document")  # fmt: skip
    option("--temperature", metavar="X", type=_checked(checked_temperature), default=1.0,
           text="below 1 the likely becomes likelier, 0 always takes the likeliest")  # fmt: skip
    option("--top-k", metavar="K", type=_given(checked_top_k), default=None,
           text="draw among the K most probable characters only")  # fmt: skip
    option("--top-p", metavar="P", type=_given(checked_top_p), default=None,
           text="draw among the fewest most probable characters that have probability P together")  # fmt: skip
    option("--min-p", metavar="P", type=_given(checked_min_p), default=None,
           text="draw no character whose probability is below P times the largest")  # fmt: skip
    option("--repetition-penalty", metavar="X", type=_checked(checked_repetition_penalty), default=1.0,
           text="above 1 what the prime and the sample hold becomes less likely, below 1 likelier")  # fmt: skip
    option("--stop", metavar="TEXT", action="append", default=None,
           text="end the sample before this text; may be given several times")  # fmt: skip
    option("--forbid", metavar="CHARACTERS", default="", text="characters that are never drawn")
    option("--seed", metavar="SEED", type=_checked(_seed), default=None,
           text="a whole number; the same seed gives the same text")  # fmt: skip
    option("--num-samples", metavar="K", type=_checked(lambda k: whole("num_samples", k, 1)), default=1,
           text="samples to draw; more than one are parted by lines ----, documents by line ends alone")  # fmt: skip
    parser.add_argument("--unique", action="store_true", help="draw until all samples differ")
    parser.add_argument("--exclude", metavar="FILE", help="write none of the lines of this file, such as those of the "
                        "training")  # fmt: skip


def _add_output(parser: argparse.ArgumentParser, **rest: Any) -> None:
    parser.add_argument("-o", "--output", metavar="MODEL", **rest)


def _check_parameter(name: str, value: Any) -> None:
    checked(name, value)
    if name == "random_state":
        generator(value)


def _seed(value: Any) -> Any:
    generator(value)
    return value


def duration(text: str) -> float:
    """Return a duration in seconds.

    Parameters
    ----------
    text : str
        A number with its unit, s, m or h; without a unit it is seconds.

    Raises
    ------
    InvalidInputError
        If it is neither, or not above 0.

    Examples
    --------
    >>> duration("90"), duration("1.5m"), duration("2h")
    (90.0, 90.0, 7200.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        return real("time", float(number) * _UNITS[unit], above=0.0)
    except ValueError:
        raise InvalidInputError(f"time must be above 0 and have a unit, as 10s, 3m or 1h, not {text!r}") from None


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _checked(check: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return the type of an option whose value the library's own check must let through."""
    return _checked_text(lambda text: check(value_of(text)))


def _given(check: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return the type of an option that the library takes as it is given, since its check makes numbers of None."""

    def convert(value: Any) -> Any:
        check(value)
        return value

    return _checked(convert)


def _checked_text(check: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


@contextlib.contextmanager
def _standard_error() -> Iterator[None]:
    """Send messages nowhere where standard error is closed; print and argparse would send them to standard output."""
    if sys.stderr is not None:
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        yield


def _flush_output() -> None:
    if sys.stdout is not None:  # it is None where it is closed, which is no harm to a training
        sys.stdout.flush()


def _discard_output() -> None:
    """Let the interpreter find nothing to flush at its end if standard output cannot be written."""
    try:
        _flush_output()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
