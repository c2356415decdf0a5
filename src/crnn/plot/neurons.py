"""A text colored by the activation of hidden units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import checked_int, has_items, is_int
from .axes import axes_for
from .checks import check_model_and_text
from .colors import diverging
from .text_grid import COLUMNS, TextGrid, draw_values, figure_size, write
from .unit_search import find_units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        The text to plot: 1 to 5,000 of the model's symbols, divided by the number of units.
    units : int or sequence, default=None
        The units: their numbers from 0, or pairs (layer, number); a number alone refers to the last layer. An int, or
        None for 4, chooses as many units with `find_units`, those that best follow a property such as "inside
        quotes" or "line length". The title of each unit then names the property and the correlation r with it.
    search_text : str or bytes, default=None
        The text for choosing units; some thousand characters make the choice reliable. None: `text`.
    width : int, default=64
        Characters per row.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its image has the activations, from -1 to 1 (for an LSTM, the outputs h).

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError, ValueError
        As for `CharRNN.hidden_states`; also if there is no such unit, or the text is empty, too long to plot or too
        short to choose units.

    References
    ----------
    A. Karpathy, J. Johnson, L. Fei-Fei, "Visualizing and Understanding Recurrent Networks", 2015.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> text = "to be or not to be\n" * 30
    >>> model = CharRNN(hidden_size=16, max_steps=500, random_state=0).fit(text)
    >>> ax = plot.neurons(model, text[:38], units=[3, 5])
    >>> [title.get_text() for title in ax.texts if "unit" in title.get_text()]
    ['layer 0, unit 3', 'layer 0, unit 5']
    >>> ax = plot.neurons(model, text[:38], units=1, search_text=text)
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
        titles = [f"layer {u.layer}, unit {u.unit}: {u.property} (r = {_signed(u.correlation)})" for u in strongest]
    else:
        chosen = [_checked(model, unit) for unit in units] if has_items(units) else []
        if not chosen:
            raise InvalidInputError(f"units must be None, a number or a list of units, not {short_repr(units)}")
        titles = [f"layer {layer}, unit {unit}" for layer, unit in chosen]
    grid = TextGrid.of(text, width, copies=len(chosen))
    states = model.hidden_states(text)
    return _draw(ax, grid, [states[:, layer, unit] for layer, unit in chosen], titles)


def _checked(model: CharRNN, unit: int | tuple[int, int]) -> tuple[int, int]:
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


def _signed(r: float) -> str:
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
    image = draw_values(ax, matrix, cmap=diverging(ax), vmin=-1.0, vmax=1.0)
    for i, title in enumerate(titles):
        ax.text(-0.5, height * i, title, ha="left", va="center", fontsize="small", weight="bold", parse_math=False)
        write(ax, image, grid.rows + height * i + 1, grid.columns, grid.symbols)
    ax.figure.colorbar(image, ax=ax, label="activation", ticks=[-1, 0, 1], aspect=30, pad=0.02)
    return ax
