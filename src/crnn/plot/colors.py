"""Colors that readers with any color vision can distinguish, on light and dark backgrounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# Okabe and Ito's colors, starting with those that stand out on the background; dashes distinguish curves without color.
LINES_ON_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINES_ON_DARK = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00")
STYLES = ("-", "--", "-.", ":")

DARK = 0.5  # a background of lower luminance is dark


def luminance(color: Any) -> float:
    """Return the relative luminance of a color, from 0 (black) to 1 (white), as defined by WCAG 2."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrasting(color: Any) -> str:
    """Return black or white, whichever is easier to read on a background of this color."""
    # The ratios (L + 0.05) / 0.05 against black and 1.05 / (L + 0.05) against white are equal at L = 0.179.
    return "black" if luminance(color) > 0.179 else "white"


def line_color(ax: Axes, i: int) -> str:
    """Return the color of the i-th curve, counted from 0, on the background of `ax`."""
    lines = LINES_ON_DARK if luminance(_base(ax)) < DARK else LINES_ON_LIGHT
    return lines[i % len(lines)]


def sequential(ax: Axes) -> Colormap:
    """Return a colormap from the background of `ax` (nothing) to a strong orange or red (much).

    Its luminance changes monotonically, so it also works in gray.
    """
    base = _base(ax)
    ends = ["#7f2704", "#e6550d", "#fdd0a2"] if luminance(base) < DARK else ["#fee0b6", "#f1801c", "#7f2704"]
    return _colormap("crnn_sequential", [base, *ends])


def diverging(ax: Axes) -> Colormap:
    """Return a colormap from blue (negative) through the background of `ax` (zero) to orange (positive)."""
    base = _base(ax)
    if luminance(base) < DARK:
        return _colormap("crnn_diverging", ["#9ecae1", "#2171b5", base, "#c04f04", "#fdbe85"])
    return _colormap("crnn_diverging", ["#08519c", "#6baed6", base, "#fd8d3c", "#a63603"])


def _base(ax: Axes) -> Any:
    """Return the visible background of `ax`, which is the figure's if the Axes have none."""
    from matplotlib.colors import to_rgba

    for color in (ax.get_facecolor(), ax.figure.get_facecolor()):
        if to_rgba(color)[3] > DARK:
            return color
    return "white"


def _colormap(name: str, colors: list[Any]) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(name, colors)
