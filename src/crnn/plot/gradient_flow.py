"""Gradient flow: the norm of the gradient against the distance in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..char_rnn import CharRNN
from ..parameters.checks import checked_float
from .axes import axes_for
from .colors import line_color
from .gradient_norms import MIN_POSITIONS, gradient_norms, vanishing_distance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VANISHED = 1e-3  # of the largest norm


def gradient_flow(
    model: CharRNN,
    text: str | bytes,
    *,
    max_distance: int = 100,
    n_positions: int = MIN_POSITIONS,
    vanished: float = VANISHED,
    ax: Axes | None = None,
) -> Axes:
    """Plot how fast the gradient fades as it flows back in time.

    Each layer has a curve, and an LSTM's cells c have another: the Euclidean norm of dL/dh at k characters before the
    state that predicts a character, where L is the loss of that character alone; the mean over `n_positions`
    characters, on a log scale. The gradient is exact, not truncated at `seq_length`, which a vertical line marks: in
    training no gradient flows further back. A cross marks where a curve has vanished.

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        At least `max_distance` + `n_positions` + 1 symbols; some hundreds are enough.
    max_distance : int, default=100
        The largest k, in characters.
    n_positions : int, default=32
        The number of characters to average over.
    vanished : float, default=0.001
        A curve has vanished once it stays below this part of its largest value.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError, ValueError
        As for `gradient_norms`; also if `vanished` is not between 0 and 1.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=500, random_state=0).fit("to be or not to be, " * 50)
    >>> ax = plot.gradient_flow(model, "to be or not to be, " * 5, max_distance=20)
    >>> [line.get_label() for line in ax.lines][:1], ax.get_yscale()
    (['layer 0: h'], 'log')
    """
    vanished = checked_float("vanished", vanished, above=0.0, below=1.0)
    norms = gradient_norms(model, text, max_distance=max_distance, n_positions=n_positions)
    ax = axes_for(ax, 7, 4)
    crosses = []
    for name, array, style in (("h", norms.h, "-"), ("c", norms.c, "--")):
        for layer, mean in enumerate([] if array is None else array.mean(axis=0)):
            shown = np.where(mean > 0, mean, np.nan)  # a log scale has no zero
            color = line_color(ax, layer)
            ax.plot(shown, style, color=color, label=f"layer {layer}: {name}")
            k = vanishing_distance(mean, vanished)
            if k is not None:
                crosses.append((k, mean[k], color))
    for k, norm, color in crosses:
        ax.plot(k, norm, "X", color=color, markersize=8, zorder=3)
        ax.annotate(f"k = {k}", (k, norm), xytext=(6, 6), textcoords="offset points", fontsize="small")
    if crosses:
        ax.plot([], [], "X", color="0.5", label=f"vanished: below {vanished:g} of its largest")
    if model.seq_length <= max_distance:
        ax.axvline(model.seq_length, color="0.5", linestyle=":", label=f"seq_length = {model.seq_length}")
    ax.set_yscale("log")
    ax.set(xlabel="distance k in time (characters)", ylabel="norm of the gradient (nats per unit of state)")
    ax.grid(alpha=0.25)
    ax.legend(fontsize="small")
    return ax
