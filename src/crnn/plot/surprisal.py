"""A text colored by the surprisal of its characters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..char_rnn import CharRNN
from ..parameters.checks import checked_float
from .drawing import axes_for, check_model_and_text, sequential_colors
from .text_grid import COLUMNS, TextGrid, draw_values, figure_size, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MAX_BITS = 8.0  # a character of probability 1/256


def surprisal(
    model: CharRNN, text: str | bytes, *, width: int = COLUMNS, max_bits: float = MAX_BITS, ax: Axes | None = None
) -> Axes:
    """Plot a text with each character colored by its surprisal, -log2 P given the previous characters.

    The image of the Axes has the surprisal of each cell, in bits.

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        1 to 5,000 of the model's symbols.
    width : int, default=64
        Characters per row.
    max_bits : float, default=8.0
        The surprisal, in bits, of the strongest color; higher surprisal has the same color. From 0.001 to 1e9.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Raises
    ------
    NotFittedError, ValueError
        As for `CharRNN.surprisal`; also if the text is empty or too long to plot.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> ax = plot.surprisal(model, "abaab")
    >>> int(ax.images[0].get_array().argmax())  # the second a of aa
    3
    """
    check_model_and_text(model, text)
    grid, max_bits = TextGrid.of(text, width), checked_float("max_bits", max_bits, minimum=0.001, maximum=1e9)
    bits = model.surprisal(text) / math.log(2)
    matrix = np.full((grid.n_rows, grid.used_width), np.nan)
    matrix[grid.rows, grid.columns] = bits
    ax = axes_for(ax, *figure_size(*matrix.shape))
    image = draw_values(ax, matrix, cmap=sequential_colors(ax), vmin=0.0, vmax=max_bits)
    write(ax, image, grid.rows, grid.columns, grid.symbols)
    more = "max" if bits.max() > max_bits else "neither"
    ax.figure.colorbar(image, ax=ax, label="surprisal (bits)", extend=more, aspect=30, pad=0.02)
    ax.set_title(f"{bits.mean():.2f} bits per character", loc="left", fontsize="medium")
    return ax
