"""Command line options made from a constructor: its signature gives names and defaults, its docstring the help."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

__all__ = ["Documented", "add_options", "documented", "value_of"]


class Documented(NamedTuple):
    """What a numpydoc docstring says of a parameter."""

    type: str
    text: str


def add_options(
    parser: argparse._ActionsContainer,
    constructor: Callable[..., Any],
    check: Callable[[str, Any], object],
    *,
    defaults: Mapping[str, Any] | None = None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    without: Collection[str] = (),
) -> None:
    """Add one option for each parameter of a constructor, named like it; for True or False also ``--no-...``.

    An option that is not given leaves nothing in the namespace, so that "not given" and "given the default" differ.

    Parameters
    ----------
    parser : argparse.ArgumentParser or argument group
        Gets the options.
    constructor : class
        With a default for each parameter.
    check : callable
        Takes a parameter's name and its value, and raises a ValueError for a bad one: called when it is parsed.
    defaults : dict, optional
        Defaults to be shown in place of the constructor's.
    aliases : dict, optional
        Further option strings of a parameter.
    without : collection of str, optional
        Parameters that no command line can give.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser, CharRNN, lambda name, value: None)
    >>> parser.parse_args(["--hidden-size", "64", "--learning-rate", "none"])
    Namespace(hidden_size=64, learning_rate=None)
    """
    docs = documented(constructor)
    standard = {name: p.default for name, p in inspect.signature(constructor).parameters.items()}
    for name, default in standard.items():
        if name in without:
            continue
        doc = docs.get(name, Documented("value", ""))
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


def documented(constructor: Callable[..., Any]) -> dict[str, Documented]:
    """Read the parameters' section of a numpydoc docstring.

    Parameters
    ----------
    constructor : class
        Without a docstring (``python -OO``), nothing is documented.

    Returns
    -------
    dict of str to Documented
        The type as it is written, without the default; the text in one line, without the marks of mark-up.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> documented(CharRNN)["dtype"]
    Documented(type='{"float32", "float64"}', text='Of the weights and of all arithmetic.')
    """
    doc = inspect.getdoc(constructor) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    if not section:
        return {}
    entries = re.finditer(r"^(\w+) : (.+)\n?((?:[ \t]+.*\n?|\n)*)", section[1], re.MULTILINE)
    return {
        name: Documented(kind.partition(", default=")[0], " ".join(text.replace("`", "").split()))
        for name, kind, text in (entry.groups() for entry in entries)
    }


def value_of(text: str, default: object = None) -> Any:
    """Read a value as its writer meant it.

    Parameters
    ----------
    text : str
        What stands on the command line.
    default : object, optional
        The parameter's default: where that is a text, every value is one.

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
