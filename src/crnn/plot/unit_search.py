"""Unit search: which hidden unit follows which property of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from .checks import check_model_and_text
from .text_properties import PROPERTIES

MIN_SYMBOLS = 20


class FoundUnit(NamedTuple):
    """A hidden unit and the text property that it follows."""

    layer: int  # from 0
    unit: int  # from 0
    property: str
    correlation: float  # Pearson's r on the second half of the text
    chosen_by: float  # r on the first half


def find_units(
    model: CharRNN, text: str | bytes, properties: Mapping[str, Callable[[str], Any]] | None = None
) -> list[FoundUnit]:
    r"""Find, for each property of a text, the hidden unit that follows it best.

    The measure is Pearson's correlation r between the unit's activation after each character and the property; r
    squared is the share of the property's variance that the unit explains. Among hundreds of units, one follows
    anything by chance; so the unit is chosen by r on the first half of the text, and `correlation` is its r on the
    second half, which did not influence the choice.

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        At least 20 characters; some thousands give reliable numbers. Bytes are read as Latin-1.
    properties : mapping of str to function, default=None
        Names and functions from a str to one number per character. None: inside quotes, inside brackets,
        line length, indentation, word length, between words, capital letter.

    Returns
    -------
    list of FoundUnit
        The units in order of decreasing `chosen_by` squared. Each unit occurs once, and so does each property that
        varies in both halves of the text, while units are left.

    Raises
    ------
    NotFittedError, ValueError
        As for `CharRNN.hidden_states`; also if the text is too short.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> from crnn.plot import find_units
    >>> text = "to be or not to be\n" * 30
    >>> found = find_units(CharRNN(hidden_size=16, max_steps=500, random_state=0).fit(text), text)
    >>> sorted(unit.property for unit in found)
    ['between words', 'line length', 'word length']
    """
    check_model_and_text(model, text)
    if len(text) < MIN_SYMBOLS:
        raise InvalidInputError(f"text has {len(text)} symbols. Pass at least {MIN_SYMBOLS}, preferably thousands.")
    states = model.hidden_states(text)
    n, _, H = states.shape
    activations = states.reshape(n, -1).astype(np.float64)
    shown = text if isinstance(text, str) else bytes(text).decode("latin-1")
    functions = PROPERTIES if properties is None else properties
    if not isinstance(functions, Mapping) or not all(map(callable, functions.values())):
        raise InvalidInputError(f"properties must be None or a dict of functions, not {short_repr(properties)}")
    values = {name: _values(name, function(shown), n) for name, function in functions.items()}
    first, second = slice(0, n // 2), slice(n // 2, n)
    names = [name for name, value in values.items() if np.ptp(value[first]) > 0 and np.ptp(value[second]) > 0]
    r = np.array([correlations(activations[first], values[name][first]) for name in names])
    left, units = r**2, list[FoundUnit]()
    while left.size and left.max() > 0:  # the strongest remaining pair; each property and each unit is used once
        i, j = np.unravel_index(left.argmax(), left.shape)
        (held_out,) = correlations(activations[second, j : j + 1], values[names[i]][second])
        units.append(FoundUnit(int(j) // H, int(j) % H, names[i], float(held_out), float(r[i, j])))
        left[i, :] = left[:, j] = 0
    return units


def _values(name: str, values: Any, n: int) -> NDArray[np.float64]:
    """Return what the function of a property found, checked."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (n,) or not np.isfinite(numbers).all():
        raise InvalidInputError(
            f"properties[{name!r}] must return {n} finite numbers, one for each character, not {short_repr(values)}"
        )
    return numbers


def correlations(activations: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r of each column of activations (n, units) with values (n,); 0 for constant columns."""
    a, v = activations - activations.mean(axis=0), values - values.mean()
    scale = np.sqrt((a**2).sum(axis=0) * (v**2).sum())
    return np.asarray(np.divide(v @ a, scale, out=np.zeros(a.shape[1]), where=scale > 1e-12 * len(v)))
