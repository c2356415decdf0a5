"""Options that several commands share, and the types of arguments."""

from __future__ import annotations

import argparse
import glob
import inspect
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, get_args

from ..errors import InvalidInputError
from ..parameters.checks import checked_float
from ..parameters.settings import Parameter
from ..sampling.controls import Control
from ..text.documents import Errors
from .files import STANDARD_STREAM
from .output import name_output_errors

# ---------------------------------------------------------------- arguments

MODEL_HELP = "a model file, or - for standard input"
LABEL_HELP = "the text's label, for models trained with labels"

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Parser(argparse.ArgumentParser):
    """A parser whose help is an error if it cannot be written; argparse ignores that.

    A command with many options shows the first ones for ``--help``, and all for ``--help-all``.
    """

    _rare_group: str | None = None  # the title of the first group of options that --help leaves out

    def add_help_all(self, rare_group: str) -> None:
        """Add ``--help-all``, and leave the groups of options from this title on out of ``--help``."""
        self._rare_group = rare_group
        self.add_argument("--help-all", action=_HelpAll, nargs=0, help="show all options and exit")

    def format_help(self) -> str:
        """Return the help, without the groups of rare options."""
        text = self.format_help_all()
        return text if self._rare_group is None else text.partition(f"\n{self._rare_group}:\n")[0]

    def format_help_all(self) -> str:
        """Return the help with all options."""
        return super().format_help()

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is None or file is not sys.stdout:
            super()._print_message(message, file)
        else:
            with name_output_errors():
                file.write(message)


class _HelpAll(argparse.Action):
    """Write the help with all options, and end the command."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        assert isinstance(parser, Parser)
        parser._print_message(parser.format_help_all(), sys.stdout)
        parser.exit()


class _OneOrMore(argparse.Action):
    """Store one path as a str, and several as a list."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        if os.name == "nt":  # whose shells leave wildcards to programs
            values = [path for value in values for path in _matching_files(value)]
        if len(values) > 1 and STANDARD_STREAM in values:
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
        "larger than 64 MB are cached as ids in the folder $CRNN_CACHE, by default in your folder for caches",
    )


def add_model(parser: argparse.ArgumentParser, without_label: str) -> None:
    """Add the model argument, and the option for the label of its texts."""
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
    standard = [shown[name] for name in shown if getattr(arguments, name) == STANDARD_STREAM]
    if len(standard) > 1:
        arguments.parser.error(f"{' and '.join(standard[:2])} cannot both be standard input")


# --------------------------------------------------------------------- types


def value_type(check: Callable[[Any], object], default: object = None) -> Callable[[str], Any]:
    """Return a type of argument that converts a text to a value, and applies a check of the library to it."""

    def checked_value(text: str) -> Any:
        value = value_of(text, default)
        check(value)
        return value

    return text_type(checked_value)


def text_type(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type of argument that applies a check of the library to a text."""

    def convert(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def duration(text: str) -> float:
    """Return a duration in seconds: a number with its unit, s, m or h, or without a unit, in seconds."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    try:
        return checked_float("seconds", float(number) * UNITS[unit], above=0.0)
    except ValueError:
        raise InvalidInputError(
            f"a time must be above 0, in seconds or with a unit, like 10s, 3m or 1h, not {text!r}"
        ) from None


# ---------------------------------------------------------------- options


class Option(NamedTuple):
    """The entry of a parameter described by a function's signature and docstring."""

    kind: str
    default: Any
    text: str


def add_options(
    parser: argparse._ActionsContainer,
    parameters: Mapping[str, Option | Parameter | Control],
    check: Callable[[str, Any], object],
    *,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add an option for each parameter, by name; for booleans also ``--no-...``.

    An omitted option sets nothing in the namespace, so that "not given" and "given the default" differ. `check` takes a
    name and a value while the command line is parsed, and raises a ValueError for an invalid one. `defaults` are shown
    instead of the table's.
    """
    for name, parameter in parameters.items():
        shown = (defaults or {}).get(name, parameter.default)
        shown = "none" if shown is None else shown
        if isinstance(parameter.default, bool):
            kind: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            kind = {"metavar": _metavar(parameter.kind), "type": value_type(partial(check, name), parameter.default)}
        text = parameter.text.replace("`", "")
        parser.add_argument(
            option_of(name),
            dest=name,
            default=argparse.SUPPRESS,
            help=f"{text} (default: {shown})".strip().replace("%", "%%"),
            **kind,
        )


def option_of(name: str) -> str:
    """Return the option of a parameter."""
    return f"--{name.replace('_', '-')}"


def parameter_table(function: Callable[..., Any]) -> dict[str, Option]:
    """Read a function's parameters with defaults from its signature and, unless it is missing (``python -OO``), its
    docstring.
    """
    doc = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    entries = re.finditer(r"^(\w+) : (.+)\n?((?:[ \t]+.*\n?|\n)*)", section[1] if section else "", re.MULTILINE)
    texts = {entry[1]: (entry[2].partition(", default=")[0], entry[3]) for entry in entries}
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty:
            kind, text = texts.get(name, ("value", ""))
            options[name] = Option(kind, parameter.default, " ".join(text.split()))
    return options


def value_of(text: str, default: object = None) -> Any:
    """Convert a word of the command line to its value, which is a str whenever the parameter's default is one."""
    if isinstance(default, str):
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"none": None, "true": True, "false": False}.get(text.lower(), text)


def _metavar(kind: str) -> str:
    """Return the choices of a documented type, or else its first word."""
    if kind.startswith("{"):
        return re.sub("[\"' ]", "", kind.partition("}")[0] + "}")
    return re.split(r"\W", kind)[0].upper()


def byte_count(text: str) -> int:
    """Return a number of bytes, such as 400k or 1.5M: multiples of 1,000."""
    factor = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 1.0)
    try:
        number = float(text if factor == 1 else text[:-1]) * factor
    except ValueError:
        number = 0.0
    if not 1 <= number < 1e15:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes. Pass for example 400k or 1M.")
    return int(number)
