"""A text in a grid of cells, one symbol per cell, each colored by a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InvalidInputError
from ..parameters.checks import checked_int
from .drawing import contrasting_color, glyph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage


COLUMNS = 64  # default characters per row
MAX_SYMBOLS = 5000  # each is a matplotlib artist; some thousands are drawn per second
CELL_WIDTH, CELL_HEIGHT = 0.125, 0.21  # inches, for a letter of 9 points
MIN_ROWS, MIN_COLUMNS = 7, 28  # minimum size of the grid, so that the cells of a short text are not larger
MIN_POINTS, MAX_POINTS = 3.0, 10.0  # of a letter


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
        width, most = checked_int("width", width, 1), MAX_SYMBOLS // copies
        if not 1 <= len(text) <= most:
            what = f"has {len(text):,} symbols" if len(text) else "is empty"
            raise InvalidInputError(f"text {what}, but this plot shows 1 to {most:,}. Plot another part of it.")
        symbols = tuple(text[i : i + 1] for i in range(len(text)))
        rows, columns = [0], [0]
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
            column, row, shown, color=color, fontsize=points, family="monospace", ha="center", va="center_baseline",
            parse_math=False, usetex=False, clip_on=True, **style,
        )  # fmt: skip


def figure_size(rows: int, columns: int) -> tuple[float, float]:
    """Return the width and height, in inches, of a figure with this many cells and a color bar."""
    rows, columns = max(rows, MIN_ROWS), max(columns, MIN_COLUMNS)
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
