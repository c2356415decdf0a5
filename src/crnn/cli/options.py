"""Command line options from a table of parameters, or from a function's signature and docstring."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol


class Described(Protocol):
    """A parameter's entry in a table."""

    @property
    def kind(self) -> str:
        """The type in words, as in a docstring."""

    @property
    def default(self) -> Any:
        """The default value."""

    @property
    def text(self) -> str:
        """The description in reStructuredText."""


class Option(NamedTuple):
    """The entry of a parameter described by a function's signature and docstring."""

    kind: str
    default: Any
    text: str


def add_options(
    parser: argparse._ActionsContainer,
    parameters: Mapping[str, Described],
    check: Callable[[str, Any], object],
    *,
    defaults: Mapping[str, Any] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
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
            kind = {"metavar": _metavar(parameter.kind), "type": _converter(name, parameter.default, check)}
        text = parameter.text.replace("`", "")
        parser.add_argument(
            option_of(name),
            *(aliases or {}).get(name, ()),
            dest=name,
            default=argparse.SUPPRESS,
            help=f"{text} (default: {shown})".strip().replace("%", "%%"),
            **kind,
        )


def option_of(name: str) -> str:
    """Return the option of a parameter.

    Examples
    --------
    >>> option_of("hidden_size")
    '--hidden-size'
    """
    return f"--{name.replace('_', '-')}"


def documented(function: Callable[..., Any]) -> dict[str, Option]:
    """Read the table of a function's parameters with defaults: defaults from its signature, the rest from its
    docstring.

    Without a docstring (``python -OO``), only names and defaults are known.
    """
    doc = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    entries = re.finditer(r"^(\w+) : (.+)\n?((?:[ \t]+.*\n?|\n)*)", section[1] if section else "", re.MULTILINE)
    described = {entry[1]: (entry[2].partition(", default=")[0], entry[3]) for entry in entries}
    options = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty:
            kind, text = described.get(name, ("value", ""))
            options[name] = Option(kind, parameter.default, " ".join(text.split()))
    return options


def value_of(text: str, default: object = None) -> Any:
    """Convert a word of the command line to the value it represents; if the parameter's default is a str, every value
    is.
    """
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


def _converter(name: str, default: Any, check: Callable[[str, Any], object]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        value = value_of(text, default)
        try:
            check(name, value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return convert
