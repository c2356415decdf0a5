"""The most likely next characters under each character of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..parameters.checks import checked_int
from .drawing import axes_for, check_model_and_text, line_color, sequential_colors
from .text_grid import COLUMNS, TextGrid, draw_values, figure_size, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes


N_GUESSES = 5


def probabilities(
    model: CharRNN, text: str | bytes, n: int = N_GUESSES, *, width: int = COLUMNS, ax: Axes | None = None
) -> Axes:
    """Plot a text and, under each character, the model's most likely next characters.

    The most likely one is on top, its color shows its probability, and a frame marks the correct guess, the
    character in the next column. Spaces are shown as open boxes, the end of a document as a square. The image of the
    Axes has the probabilities. The plot is by A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural
    Networks", 2015.

    Parameters
    ----------
    model, text, width, ax
        As for `surprisal`, as are the errors.
    n : int, default=5
        The number of next characters to show.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> ax = plot.probabilities(model, "abab", n=2)
    >>> ax.images[0].get_array().round().tolist()  # the text, the likelier symbol, the other one
    [[None, None, None, None], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    check_model_and_text(model, text)
    grid = TextGrid.of(text, width)
    p = next_probabilities(model, text)
    n = min(checked_int("n", n, 1), p.shape[1])
    best = np.argsort(-p, axis=1, kind="stable")[:, :n]
    height = n + 2  # the text, the guesses, a gap
    text_rows = height * grid.rows
    guess_rows = text_rows[:, None] + 1 + np.arange(n)
    guess_columns = np.repeat(grid.columns[:, None], n, axis=1)
    matrix = np.full((height * grid.n_rows - 1, grid.used_width), np.nan)
    matrix[guess_rows, guess_columns] = np.take_along_axis(p, best, axis=1)

    ax = axes_for(ax, *figure_size(*matrix.shape))
    image = draw_values(ax, matrix, cmap=sequential_colors(ax), vmin=0.0, vmax=1.0)
    write(ax, image, text_rows, grid.columns, grid.symbols, space=True, weight="bold")
    vocabulary = list(model.vocabulary_)
    guesses = [vocabulary[i] for i in best.ravel()]
    write(ax, image, guess_rows.ravel(), guess_columns.ravel(), guesses, space=True)
    _frame_right_guesses(ax, guess_rows, grid, best, model.vocabulary_.encode(text))
    lines = height * np.arange(grid.n_rows)[:, None] + np.arange(n + 1)
    ax.set_yticks(lines.ravel(), ["text", *map(str, range(1, n + 1))] * grid.n_rows, fontsize="x-small")
    ax.tick_params(length=0)
    ax.set_title("framed: the character that came next", loc="left", fontsize="small")
    ax.figure.colorbar(image, ax=ax, label="probability", aspect=30, pad=0.02)
    return ax


def next_probabilities(model: CharRNN, text: str | bytes) -> NDArray[np.float64]:
    """Return the probability of each symbol after each character of a text, (len(text), V)."""
    state = model.start()
    return np.array([state.feed(text[i : i + 1]).predict_proba() for i in range(len(text))])


def _frame_right_guesses(ax: Axes, rows: NDArray[Any], grid: TextGrid, best: NDArray[Any], ids: NDArray[Any]) -> None:
    """Frame, under each character but the last, the guess that equals the next character."""
    from matplotlib.patches import Rectangle

    position, place = np.nonzero(best[:-1] == ids[1:, None])
    color = line_color(ax, 0)
    for row, column in zip(rows[position, place], grid.columns[position], strict=True):
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=1.2))
