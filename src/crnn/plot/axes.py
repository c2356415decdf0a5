"""The Axes for a plot, and the error if matplotlib is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InvalidInputError, short_repr

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the Axes to draw on: `ax`, or new Axes in a new figure, whose size is in inches.

    The figure is made with pyplot, so that notebooks and ``plt.show()`` display it.
    """
    try:
        from matplotlib import axes, pyplot
    except ImportError as error:
        raise ImportError("crnn.plot needs matplotlib. Install it with pip install 'crnn[plot]'.") from error
    if ax is not None:
        if not isinstance(ax, axes.Axes):
            raise InvalidInputError(f"ax must be a matplotlib Axes or None, not {short_repr(ax)}")
        return ax
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
