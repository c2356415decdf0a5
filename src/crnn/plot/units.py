"""Plots of units: what they follow in a text, and their states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_int, has_items, is_int
from .drawing import axes_for, check_model_and_text, contrasting_color, diverging_colors, glyph
from .text_grid import COLUMNS, TextGrid, draw_values, figure_size, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = NDArray[np.float64]
MIN_SYMBOLS = 20


class FoundUnit(NamedTuple):
    """A hidden unit and the text property that it follows.

    Attributes
    ----------
    layer : int
        The unit's layer, from 0.
    unit : int
        The unit's number within its layer, from 0.
    property : str
        The name of the property.
    correlation : float
        Pearson's correlation of unit and property on the second half of the text.
    chosen_by : float
        Pearson's correlation on the first half of the text, the reason for choosing the unit.
    """

    layer: int
    unit: int
    property: str
    correlation: float
    chosen_by: float


def find_units(
    model: CharRNN, text: str | bytes, properties: Mapping[str, Callable[[str], Any]] | None = None
) -> list[FoundUnit]:
    r"""Find, for each property of a text, the hidden unit that follows it best.

    The measure is Pearson's correlation r between the unit's activation after each character and the property; r
    squared is the share of the property's variance that the unit explains. Among hundreds of units, one follows
    anything by chance; so the unit is chosen by r on the first half of the text, and `correlation` is its r on the
    second half, which did not influence the choice. Errors are as for `CharRNN.hidden_states`; also a ValueError if the
    text is too short.

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

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> text = "to be or not to be\n" * 30
    >>> model = CharRNN(hidden_size=16, max_steps=500, random_state=0).fit(text)
    >>> sorted(unit.property for unit in plot.find_units(model, text))
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
    first = slice(0, n // 2)
    second = slice(n // 2, n)
    names = [name for name, value in values.items() if np.ptp(value[first]) > 0 and np.ptp(value[second]) > 0]
    r = np.array([correlations(activations[first], values[name][first]) for name in names])
    left = r**2
    units = list[FoundUnit]()
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
    a = activations - activations.mean(axis=0)
    v = values - values.mean()
    scale = np.sqrt((a**2).sum(axis=0) * (v**2).sum())
    return np.asarray(np.divide(v @ a, scale, out=np.zeros(a.shape[1]), where=scale > 1e-12 * len(v)))


N_UNITS = 4  # chosen by default


def neurons(
    model: CharRNN,
    text: str | bytes,
    units: int | Sequence[int | tuple[int, int]] | None = None,
    *,
    search_text: str | bytes | None = None,
    width: int = COLUMNS,
    ax: Axes | None = None,
) -> Axes:
    r"""Plot a text once per hidden unit, with each character colored by the unit's activation.

    The image of the Axes has the activations, from -1 to 1 (for an LSTM, the outputs h). The plot is by A. Karpathy, J.
    Johnson and L. Fei-Fei, "Visualizing and Understanding Recurrent Networks", 2015. Errors are as for
    `CharRNN.hidden_states`; also a ValueError if there is no such unit, or the text is empty, too long to plot or too
    short to choose units.

    Parameters
    ----------
    model, width, ax
        As for `surprisal`.
    text : str or bytes
        The text to plot: 1 to 5,000 of the model's symbols, divided by the number of units.
    units : int or sequence, default=None
        The units: their numbers from 0, or pairs (layer, number); a number alone refers to the last layer. An int, or
        None for 4, chooses as many units with `find_units`, those that best follow a property such as "inside
        quotes" or "line length". The title of each unit then names the property and the correlation r with it.
    search_text : str or bytes, default=None
        The text for choosing units; some thousand characters make the choice reliable. None: `text`.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> text = "to be or not to be\n" * 30
    >>> model = CharRNN(hidden_size=16, max_steps=500, random_state=0).fit(text)
    >>> ax = plot.neurons(model, text[:38], units=[3, 5])
    >>> [title.get_text() for title in ax.texts if "unit" in title.get_text()]
    ['layer 0, unit 3', 'layer 0, unit 5']
    """
    check_model_and_text(model, text)
    if units is None or is_int(units):
        wanted = N_UNITS if units is None else checked_int("units", units, 1)
        strongest = find_units(model, text if search_text is None else search_text)[:wanted]
        if not strongest:
            raise InvalidInputError(
                "no unit follows a property that varies in both halves of the text. Pass a longer search_text, or the "
                "numbers of units."
            )
        chosen = [(unit.layer, unit.unit) for unit in strongest]
        titles = [
            f"layer {u.layer}, unit {u.unit}: {u.property} (r = {_signed_number(u.correlation)})" for u in strongest
        ]
    else:
        chosen = [_checked_unit(model, unit) for unit in units] if has_items(units) else []
        if not chosen:
            raise InvalidInputError(f"units must be None, a number or a list of units, not {short_repr(units)}")
        titles = [f"layer {layer}, unit {unit}" for layer, unit in chosen]
    grid = TextGrid.of(text, width, copies=len(chosen))
    states = model.hidden_states(text)
    return _draw(ax, grid, [states[:, layer, unit] for layer, unit in chosen], titles)


def _checked_unit(model: CharRNN, unit: int | tuple[int, int]) -> tuple[int, int]:
    """Return (layer, unit), counted from 0."""
    pair: Any = (model.num_layers - 1, unit) if is_int(unit) else unit
    if isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_int, pair)):
        layer, number = map(int, pair)
        if 0 <= layer < model.num_layers and 0 <= number < model.hidden_size:
            return layer, number
    raise InvalidInputError(
        f"units contains {short_repr(unit)}, but the model has layers 0 to {model.num_layers - 1} with units 0 to "
        f"{model.hidden_size - 1}. Pass numbers or pairs (layer, unit)."
    )


def _signed_number(r: float) -> str:
    """Return a correlation with matplotlib's minus sign."""
    return f"{r:.2f}".replace("-", "\N{MINUS SIGN}")


def _draw(ax: Axes | None, grid: TextGrid, activations: Sequence[NDArray[Any]], titles: Sequence[str]) -> Axes:
    """Draw the text below each title."""
    height = grid.n_rows + 2  # a title, the text, a gap
    matrix = np.full((height * len(titles) - 1, grid.used_width), np.nan)
    for i, activation in enumerate(activations):
        matrix[grid.rows + height * i + 1, grid.columns] = activation
    longest = max(grid.used_width, max(map(len, titles)))
    ax = axes_for(ax, *figure_size(len(matrix), longest))
    image = draw_values(ax, matrix, cmap=diverging_colors(ax), vmin=-1.0, vmax=1.0)
    for i, title in enumerate(titles):
        ax.text(-0.5, height * i, title, ha="left", va="center", fontsize="small", weight="bold", parse_math=False)
        write(ax, image, grid.rows + height * i + 1, grid.columns, grid.symbols)
    ax.figure.colorbar(image, ax=ax, label="activation", ticks=[-1, 0, 1], aspect=30, pad=0.02)
    return ax


MAX_LABELS = 300  # characters to write; more points are dots


class Projection(NamedTuple):
    """Points in the plane of greatest variance."""

    points: NDArray[np.float64]  # (n, 2)
    explained: NDArray[np.float64]  # (2,): the share of the variance along each axis


def states(model: CharRNN, text: str | bytes, *, layer: int = -1, ax: Axes | None = None) -> Axes:
    """Plot the path of a layer's hidden state through a text, projected onto its first two principal components.

    Each point is the state after the character written there; a line joins the points in the order of the text, and
    their color is the position. States that the network treats alike are close together. The first line of the Axes
    goes through the points. Errors are as for `CharRNN.hidden_states`; also a ValueError if there is no such layer or
    the text has fewer than 2 characters.

    Parameters
    ----------
    model, ax
        As for `surprisal`.
    text : str or bytes
        At least 2 of the model's symbols; beyond 300, points are dots instead of characters.
    layer : int, default=-1
        The layer, counted from 0; -1 is the last.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> x, y = plot.states(model, "abababab").lines[0].get_data()
    >>> bool(np.ptp(x[2::2]) < 0.1 * np.ptp(x))  # after each a, the state is nearly the same
    True
    """
    check_model_and_text(model, text)
    if len(text) < 2:
        raise InvalidInputError(f"text has {len(text)} symbols, but a path needs at least 2. Pass a longer text.")
    if not is_int(layer) or not -model.num_layers <= layer < model.num_layers:
        raise InvalidInputError(
            f"layer is {short_repr(layer)}, but the model has layers 0 to {model.num_layers - 1} (or -1 for the last)"
        )
    projection = project(model.hidden_states(text)[:, layer].astype(np.float64))
    x, y = projection.points.T
    position = np.arange(1, len(text) + 1)
    ax = axes_for(ax, 7, 5.5)
    ax.plot(x, y, color="0.5", linewidth=0.5, alpha=0.35, zorder=1)
    dots = ax.scatter(x, y, c=position, cmap="viridis", s=18 if len(text) > MAX_LABELS else 80, zorder=2)
    if len(text) <= MAX_LABELS:
        _write_symbols(ax, projection.points, text, dots.to_rgba(position))
    ax.set_xlabel(f"first principal component ({projection.explained[0]:.0%} of the variance)")
    ax.set_ylabel(f"second principal component ({projection.explained[1]:.0%})")
    ax.figure.colorbar(dots, ax=ax, label="position in the text (symbols)", aspect=30, pad=0.02)
    return ax


def project(x: NDArray[np.float64]) -> Projection:
    """Project points (n, d) onto the two directions of greatest variance.

    The sign of a direction makes its largest coefficient positive.
    """
    centered = x - x.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    sizes = _first_two(sizes)
    directions = _first_two(directions)
    signs = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1))
    variance = (centered**2).sum()
    return Projection(centered @ (directions * signs).T, sizes**2 / (variance or 1.0))


def _first_two(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the first two rows, padding with zeros."""
    return np.concatenate([rows[:2], np.zeros((max(0, 2 - len(rows)), *rows.shape[1:]))])


def _write_symbols(ax: Axes, points: NDArray[Any], text: str | bytes, colors: NDArray[Any]) -> None:
    """Write each character of a text at its point, in black or white, whichever is easier to read."""
    for i, ((x, y), color) in enumerate(zip(points, colors, strict=True)):
        ax.text(
            x,
            y,
            glyph(text[i : i + 1], space=True),
            color=contrasting_color(color),
            fontsize="x-small",
            family="monospace",
            ha="center",
            va="center_baseline",
            parse_math=False,
            usetex=False,
            clip_on=True,
            zorder=3,
        )


# ---------------------------------------------------------------- text properties

_OPENING = "([{"
_CLOSING = ")]}"
_QUOTES = {'"': '"', "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}"}


def inside_quotes(text: str) -> Array:
    """Return 1 for characters of a double-quoted passage, including its opening quote, otherwise 0.

    An empty line ends a passage, since authors do not close a quote that continues in the next paragraph.
    """
    inside = np.zeros(len(text))
    closing = ""
    before = ""
    for i, character in enumerate(text):
        if closing:
            if character == closing or (character == before == "\n"):
                closing = ""
        else:
            closing = _QUOTES.get(character, "")
        inside[i] = bool(closing)
        before = character
    return inside


def inside_brackets(text: str) -> Array:
    """Return the number of open brackets (round, square or curly) after each character."""
    steps = [(character in _OPENING) - (character in _CLOSING) for character in text]
    return np.array([*accumulate(steps, lambda depth, step: max(0, depth + step), initial=0)][1:], float)


def line_length(text: str) -> Array:
    """Return the length of the line so far; 0 after a line end."""
    return _since(text, lambda character: character == "\n")


def word_length(text: str) -> Array:
    """Return the number of letters and digits in the word so far; 0 after any other character."""
    return _since(text, lambda character: not character.isalnum())


def indentation(text: str) -> Array:
    """Return the number of leading spaces in the line so far; a tab counts as 4."""
    spaces = np.zeros(len(text))
    count = 0
    at_head = True
    for i, character in enumerate(text):
        if character == "\n":
            count = 0
            at_head = True
        elif at_head and character in " \t":
            count += 4 if character == "\t" else 1
        else:
            at_head = False
        spaces[i] = count
    return spaces


def between_words(text: str) -> Array:
    """Return 1 for a character that is neither a letter nor a digit, otherwise 0."""
    return np.array([not character.isalnum() for character in text], float)


def capital_letter(text: str) -> Array:
    """Return 1 for a capital letter, otherwise 0."""
    return np.array([character.isupper() for character in text], float)


def _since(text: str, ends: Callable[[str], bool]) -> Array:
    """Return the number of characters since the last one that ends something."""
    counts = accumulate(text, lambda count, character: 0 if ends(character) else count + 1, initial=0)
    return np.array([*counts][1:], float)


PROPERTIES: dict[str, Callable[[str], Any]] = {
    "inside quotes": inside_quotes,
    "inside brackets": inside_brackets,
    "line length": line_length,
    "indentation": indentation,
    "word length": word_length,
    "between words": between_words,
    "capital letter": capital_letter,
}
