"""Arguments shared by several commands, and types of arguments."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable
from typing import Any, get_args

from ..errors import InvalidInputError
from ..parameters.checks import checked_float, generator
from ..text.sources.input_checks import Errors
from .files import STANDARD
from .options import value_of

MODEL_HELP = "a model file, or - for standard input"
LABEL_HELP = "the text's label, for models trained with labels"

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class _OneOrMore(argparse.Action):
    """Store one path as a str, and several as a list."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        if os.name == "nt":  # whose shells leave wildcards to programs
            values = [path for value in values for path in _matching_files(value)]
        if len(values) > 1 and STANDARD in values:
            parser.error(f"argument {self.metavar}: standard input cannot be one of several files")
        setattr(namespace, self.dest, values[0] if len(values) == 1 else values)


def _matching_files(pattern: str) -> list[str]:
    """Return the files that match a pattern with * and ?, or the pattern itself if no file does."""
    if not {"*", "?"} & {*pattern}:
        return [pattern]
    return sorted(glob.glob(pattern.replace("[", "[[]"))) or [pattern]


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the files to train on: `file` is a path, or a list of them."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="+",
        action=_OneOrMore,
        help="a UTF-8 text, or - for standard input. Line ends are kept, and several files are concatenated. Files "
        "larger than 64 MB are cached as ids next to the first file, or in the folder $CRNN_CACHE",
    )


def add_output(parser: argparse.ArgumentParser, **rest: Any) -> None:
    """Add the option ``--output``."""
    parser.add_argument("-o", "--output", metavar="MODEL", **rest)


def add_model(parser: argparse.ArgumentParser, without_label: str) -> None:
    """Add the model argument, and the option for the label of its texts.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> add_model(parser, "default: any")
    >>> parser.parse_args(["names.crnn", "--label", "French"])
    Namespace(model='names.crnn', label='French')
    """
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--label", metavar="LABEL", help=f"{LABEL_HELP} ({without_label})")


SCORING_ERRORS = (
    "what to do with a line that has invalid UTF-8 or a symbol unknown to the model. strict: stop with an error after "
    "the preceding lines; replace: replace bad bytes with U+FFFD, and score lines with unknown symbols as -inf; "
    "skip: score the line as nan (default: strict)"
)
TRAINING_ERRORS = (
    "what to do with a line that has invalid UTF-8. strict: stop with an error; replace: replace bad bytes with "
    "U+FFFD; skip: leave the line out (default: strict)"
)


def add_errors(parser: argparse._ActionsContainer, description: str) -> None:
    """Add the option ``--errors``, which is None unless given."""
    parser.add_argument("--errors", choices=get_args(Errors), help=description)


def refuse_two_standard_inputs(arguments: argparse.Namespace, **shown: str) -> None:
    """Stop if two inputs are standard input, since the second could not read anything.

    `shown` maps each input argument to its name in the usage message.
    """
    standard = [shown[name] for name in shown if getattr(arguments, name) == STANDARD]
    if len(standard) > 1:
        arguments.parser.error(f"{' and '.join(standard[:2])} cannot both be standard input")


# --------------------------------------------------------------------- types


def checked(check: Callable[[Any], Any]) -> Callable[[str], Any]:
    """Return a type of argument that applies a check of the library to a converted value."""
    return checked_text(lambda text: check(value_of(text)))


def checked_text(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type of argument that applies a check of the library to a text."""

    def convert(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def seed(value: Any) -> Any:
    """Return a seed if the library accepts it."""
    generator(value)
    return value


def duration(text: str) -> float:
    """Return a duration in seconds: a number with its unit, s, m or h, or without a unit, in seconds.

    Examples
    --------
    >>> duration("90"), duration("1.5m"), duration("2h")
    (90.0, 90.0, 7200.0)
    """
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        return checked_float("time", float(number) * UNITS[unit], above=0.0)
    except ValueError:
        raise InvalidInputError(f"time must be above 0 and have a unit, like 10s, 3m or 1h, not {text!r}") from None
