"""The path of the hidden state through a text, in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..parameters.checks import is_int
from .axes import axes_for
from .checks import check_model_and_text
from .glyphs import glyph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LABELS = 300  # characters to write; more points are dots


class Projection(NamedTuple):
    """Points in the plane of greatest variance."""

    points: NDArray[np.float64]  # (n, 2)
    explained: NDArray[np.float64]  # (2,): the share of the variance along each axis


def states(model: CharRNN, text: str | bytes, *, layer: int = -1, ax: Axes | None = None) -> Axes:
    """Plot the path of a layer's hidden state through a text, projected onto its first two principal components.

    Each point is the state after the character written there; a line joins the points in the order of the text, and
    their color is the position. States that the network treats alike are close together.

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        At least 2 of the model's symbols; beyond 300, points are dots instead of characters.
    layer : int, default=-1
        The layer, counted from 0; -1 is the last.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Its first line goes through the points.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError, ValueError
        As for `CharRNN.hidden_states`; also if there is no such layer or the text has fewer than 2 characters.

    Examples
    --------
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
    centred = x - x.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    sizes, directions = _two(sizes), _two(directions)
    signs = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1))
    variance = (centred**2).sum()
    return Projection(centred @ (directions * signs).T, sizes**2 / (variance or 1.0))


def _two(rows: NDArray[Any]) -> NDArray[Any]:
    """Return the first two rows, padding with zeros."""
    return np.concatenate([rows[:2], np.zeros((max(0, 2 - len(rows)), *rows.shape[1:]))])


def _write_symbols(ax: Axes, points: NDArray[Any], text: str | bytes, colors: NDArray[Any]) -> None:
    from .colors import contrasting

    for i, ((x, y), color) in enumerate(zip(points, colors, strict=True)):
        ax.text(
            x, y, glyph(text[i : i + 1], space=True), color=contrasting(color), fontsize="x-small", family="monospace",
            ha="center", va="center_baseline", parse_math=False, usetex=False, clip_on=True, zorder=3,
        )  # fmt: skip
