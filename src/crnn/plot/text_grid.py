"""A text in a grid of cells, one symbol per cell, each colored by a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidInputError
from ..language_model import LanguageModel
from ..parameters.checks import checked_float, checked_int
from .drawing import axes_for, check_model_and_text, contrasting_color, glyph, line_color, sequential_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

COLUMNS = 64  # default characters per row
MAX_SYMBOLS = 5000  # each is a matplotlib artist; some thousands are drawn per second
# Inches, for a letter of 9 points.
CELL_WIDTH = 0.125
CELL_HEIGHT = 0.21
# The minimum size of the grid, so that the cells of a short text are not larger.
MIN_ROWS = 7
MIN_COLUMNS = 28
# The size of a letter.
MIN_POINTS = 3.0
MAX_POINTS = 10.0


class TextGrid(NamedTuple):
    """The position of each symbol of a text: a new row starts after each line end and each full row."""

    symbols: tuple[Any, ...]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    n_rows: int
    width: int

    @classmethod
    def of(cls, text: str | bytes, width: int = COLUMNS, *, copies: int = 1) -> TextGrid:
        """Lay out a text in rows of `width` cells; all copies together have at most `MAX_SYMBOLS` symbols."""
        width = checked_int("width", width, 1)
        most = MAX_SYMBOLS // copies
        if not 1 <= len(text) <= most:
            what = f"has {len(text):,} symbols" if len(text) else "is empty"
            raise InvalidInputError(f"text {what}, but this plot shows 1 to {most:,}. Plot another part of it.")
        symbols = tuple(text[i : i + 1] for i in range(len(text)))
        rows = [0]
        columns = [0]
        for symbol in symbols[:-1]:
            full = symbol in ("\n", b"\n") or columns[-1] + 1 == width
            rows.append(rows[-1] + full)
            columns.append(0 if full else columns[-1] + 1)
        return cls(symbols, np.array(rows), np.array(columns), rows[-1] + 1, width)

    @property
    def used_width(self) -> int:
        """The number of cells in the longest row."""
        return int(self.columns.max()) + 1


def draw_values(ax: Axes, matrix: ArrayLike, **options: Any) -> AxesImage:
    """Color the cells of `ax` by a matrix; NaN leaves a cell empty. Row 0 is on top, cell (i, j) at y=i, x=j."""
    image = ax.imshow(np.ma.masked_invalid(matrix), aspect="auto", interpolation="nearest", **options)
    rows, columns = _room(image)
    ax.set(xticks=[], yticks=[], xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    ax.spines[:].set_visible(False)
    return image


def write(
    ax: Axes,
    image: AxesImage,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    symbols: Sequence[Any],
    *,
    space: bool = False,
    **style: Any,
) -> None:
    """Write a symbol into each of the cells colored by `image`, in black or white for contrast.

    With `space`, a space is shown as an open box.
    """
    import matplotlib as mpl

    points = font_size(ax, *_room(image))
    values = image.get_array()[rows, columns]  # type: ignore[index]
    backgrounds = image.to_rgba(values)
    empty = np.ma.getmaskarray(values)
    for row, column, symbol, background, is_empty in zip(
        rows.tolist(), columns.tolist(), symbols, backgrounds, empty, strict=True
    ):
        shown = glyph(symbol, space=space)
        if shown == " ":
            continue
        color = mpl.rcParams["text.color"] if is_empty else contrasting_color(background)
        # An unknown text must not be interpreted as mathematics or TeX.
        ax.text(
            column,
            row,
            shown,
            color=color,
            fontsize=points,
            family="monospace",
            ha="center",
            va="center_baseline",
            parse_math=False,
            usetex=False,
            clip_on=True,
            **style,
        )


def figure_size(rows: int, columns: int) -> tuple[float, float]:
    """Return the width and height, in inches, of a figure with this many cells and a color bar."""
    rows = max(rows, MIN_ROWS)
    columns = max(columns, MIN_COLUMNS)
    return 1.4 + CELL_WIDTH * columns, 0.6 + CELL_HEIGHT * rows


def _room(image: AxesImage) -> tuple[int, int]:
    """Return the numbers of rows and columns that fit."""
    rows, columns = image.get_size()
    return max(rows, MIN_ROWS), max(columns, MIN_COLUMNS)


def font_size(ax: Axes, rows: int, columns: int) -> float:
    """Return the points of a letter that fits a cell, where so many rows and columns share the Axes."""
    box = ax.get_window_extent()
    points = 72 / ax.figure.dpi  # of a pixel
    fits = min(box.width / columns / 0.75, box.height / rows / 1.35) * points
    return float(np.clip(fits, MIN_POINTS, MAX_POINTS))


# ---------------------------------------------------------------- surprisal

MAX_BITS = 8.0  # a character of probability 1/256


def surprisal(
    model: LanguageModel, text: str | bytes, *, width: int = COLUMNS, max_bits: float = MAX_BITS, ax: Axes | None = None
) -> Axes:
    """Plot a text with each character colored by its surprisal, -log2 P given the previous characters.

    The image of the Axes has the surprisal of each cell, in bits. Errors are as for `CharRNN.surprisal`; also a
    ValueError if the text is empty or too long to plot.

    Parameters
    ----------
    model : CharRNN, CharNGram or Mixture
        A fitted model.
    text : str or bytes
        1 to 5,000 of the model's symbols.
    width : int, default=64
        Characters per row.
    max_bits : float, default=8.0
        The surprisal, in bits, of the strongest color; higher surprisal has the same color. From 0.001 to 1e9.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> ax = plot.surprisal(model, "abaab")
    >>> int(ax.images[0].get_array().argmax())  # the second a of aa
    3
    """
    check_model_and_text(model, text, cls=LanguageModel)
    grid = TextGrid.of(text, width)
    max_bits = checked_float("max_bits", max_bits, minimum=0.001, maximum=1e9)
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


# ---------------------------------------------------------------- probabilities


def probabilities(
    model: LanguageModel, text: str | bytes, n_alternatives: int = 5, *, width: int = COLUMNS, ax: Axes | None = None
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
    n_alternatives : int, default=5
        The number of most probable next characters to show.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=1000, random_state=0).fit("ab" * 100)
    >>> ax = plot.probabilities(model, "abab", n_alternatives=2)
    >>> ax.images[0].get_array().round().tolist()  # the text, the likelier symbol, the other one
    [[None, None, None, None], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    check_model_and_text(model, text, cls=LanguageModel)
    grid = TextGrid.of(text, width)
    p = next_probabilities(model, text)
    n = min(checked_int("n_alternatives", n_alternatives, 1), p.shape[1])
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


def next_probabilities(model: LanguageModel, text: str | bytes) -> NDArray[np.float64]:
    """Return the probability of each symbol after each character of a text, (len(text), V)."""
    state = model.start()
    return np.array([state.feed(text[i : i + 1]).next_proba() for i in range(len(text))])


def _frame_right_guesses(ax: Axes, rows: NDArray[Any], grid: TextGrid, best: NDArray[Any], ids: NDArray[Any]) -> None:
    """Frame, under each character but the last, the guess that equals the next character."""
    from matplotlib.patches import Rectangle

    position, place = np.nonzero(best[:-1] == ids[1:, None])
    color = line_color(ax, 0)
    for row, column in zip(rows[position, place], grid.columns[position], strict=True):
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=color, linewidth=1.2))
