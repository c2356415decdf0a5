"""Command line options derived from a function: its signature gives names and defaults, its docstring the help."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

__all__ = ["Documented", "add_options", "documented", "value_of"]


class Documented(NamedTuple):
    """The entry of a parameter in a numpydoc docstring."""

    type: str
    text: str


def add_options(
    parser: argparse._ActionsContainer,
    function: Callable[..., Any],
    check: Callable[[str, Any], object],
    *,
    names: Iterable[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Add an option for each parameter of a function, with its name; for True or False also ``--no-...``.

    An option that is not given sets nothing in the namespace, so that "not given" and "given the default" differ.

    Parameters
    ----------
    parser : argparse.ArgumentParser or argument group
        Gets the options.
    function : callable
        A function, or a class for its constructor.
    check : callable
        Takes the name and the value of a parameter and raises a ValueError for a bad one. It is called while the
        command line is parsed.
    names : iterable of str, optional
        The parameters to make options of, each with a default. By default all.
    defaults : dict, optional
        Defaults to show instead of the signature's.
    aliases : dict, optional
        More option strings of a parameter.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, CharRNN, lambda name, value: None)
    >>> parser.parse_args(["--hidden-size", "64", "--learning-rate", "none"])
    Namespace(hidden_size=64, learning_rate=None)
    """
    docs, parameters = documented(function), inspect.signature(function).parameters
    for name in parameters if names is None else names:
        default, doc = parameters[name].default, docs.get(name, Documented("value", ""))
        shown = (defaults or {}).get(name, default)
        shown = "none" if shown is None else shown
        if isinstance(default, bool):
            kind: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
        else:
            kind = {"metavar": _metavar(doc.type), "type": _converter(name, default, check)}
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            *(aliases or {}).get(name, ()),
            dest=name,
            default=argparse.SUPPRESS,
            help=f"{doc.text} (default: {shown})".strip().replace("%", "%%"),
            **kind,
        )


def documented(function: Callable[..., Any]) -> dict[str, Documented]:
    """Read the parameters' section of a numpydoc docstring.

    Parameters
    ----------
    function : callable
        Without a docstring (``python -OO``), nothing is documented.

    Returns
    -------
    dict of str to Documented
        The type as it is written, without the default; the text in one line, without mark-up.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> documented(CharRNN)["hidden_size"].type
    'int'
    """
    doc = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    if not section:
        return {}
    entries = re.finditer(r"^(\w+) : (.+)\n?((?:[ \t]+.*\n?|\n)*)", section[1], re.MULTILINE)
    return {
        name: Documented(kind.partition(", default=")[0], " ".join(text.replace("`", "").split()))
        for name, kind, text in (entry.groups() for entry in entries)
    }


def value_of(text: str, default: object = None) -> Any:
    """Convert a word of the command line to the value that it stands for.

    Parameters
    ----------
    text : str
    default : object, optional
        The parameter's default: if it is a str, every value is one.

    Returns
    -------
    int, float, bool, None or str

    Examples
    --------
    >>> [value_of(text) for text in ("12", "1e-3", "none", "true", "Adam")]
    [12, 0.001, None, True, 'Adam']
    >>> value_of("12", default="adagrad")
    '12'
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
    """Return the choices of a documented type, or its first word."""
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
