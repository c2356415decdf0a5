"""Documentation: the class docstring's parameters, grouped, from the table."""

from __future__ import annotations

import textwrap
from typing import TypeVar

from .table import GROUPS, PARAMETERS

WIDTH = 116  # of the docstring's lines
MARK = "{parameters}"
_Class = TypeVar("_Class", bound=type)


def with_parameters(cls: _Class) -> _Class:
    """Replace the line ``{parameters}`` in a class docstring with the description of all parameters.

    Examples
    --------
    >>> @with_parameters
    ... class Model:
    ...     '''A model.
    ...
    ...     {parameters}
    ...     '''
    >>> print(textwrap.dedent(Model.__doc__.partition("num_layers")[0]))
    A model.
    <BLANKLINE>
        Model: the network, its alphabet and its initial weights
    <BLANKLINE>
        hidden_size : int, default=100
            H, the number of hidden units of each layer.
    <BLANKLINE>
    """
    if cls.__doc__ is not None:  # None with python -OO
        lines = cls.__doc__.split("\n")
        mark = next(line for line in lines if line.strip() == MARK)
        cls.__doc__ = cls.__doc__.replace(mark, "\n".join(parameter_lines(mark[: -len(MARK)])))
    return cls


def parameter_lines(margin: str = "") -> list[str]:
    """Return the description of all parameters in numpydoc's form, each group under its heading.

    Examples
    --------
    >>> parameter_lines()[:4]
    ['Model: the network, its alphabet and its initial weights', '', 'hidden_size : int, default=100', \
'    H, the number of hidden units of each layer.']
    """
    lines, indent = list[str](), margin + "    "
    for group, content in GROUPS.items():
        lines += [""] * bool(lines) + [f"{margin}{group.capitalize()}: {content}", ""]
        for name, parameter in PARAMETERS.items():
            if parameter.group == group:
                default = f'"{parameter.default}"' if isinstance(parameter.default, str) else parameter.default
                lines.append(f"{margin}{name} : {parameter.kind}, default={default}")
                lines += textwrap.wrap(parameter.text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines
