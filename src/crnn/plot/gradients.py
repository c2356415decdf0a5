"""Plots of gradients: their flow to earlier states, and their norms by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..parameters.checks import checked_float, checked_int
from .drawing import axes_for, check_model_and_text, line_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MIN_POSITIONS = 32  # to average over

Array = NDArray[np.float64]


class GradientNorms(NamedTuple):
    """Euclidean norms of gradients of a single character's loss, for K + 1 distances in time from 0 to K.

    Distance 0 is the state that predicts the character, after the previous character.

    Attributes
    ----------
    h : ndarray of float64 and shape (n, L, K + 1)
        The norms of the gradients of the hidden states of each layer, in nats per unit of h.
    c : ndarray of float64 and shape (n, L, K + 1), or None
        The norms of the gradients of an LSTM's cell states; None for other cells.
    positions : ndarray of int and shape (n,)
        The positions of the n characters in the text.
    """

    h: Array
    c: Array | None
    positions: NDArray[np.intp]


def gradient_norms(
    model: CharRNN, text: str | bytes, *, max_distance: int = 100, n_positions: int = MIN_POSITIONS
) -> GradientNorms:
    """Measure how the gradient of a character's loss fades as it flows back in time.

    For each of some characters in the text, the loss of that character alone is differentiated with respect to the
    previous states by `CharRNN.gradient`, exactly and not truncated at `seq_length`. Errors are as for
    `CharRNN.gradient`; also a ValueError if the text is too short.

    Parameters
    ----------
    model : CharRNN
        A fitted model.
    text : str or bytes
        At least `max_distance` + `n_positions` + 1 symbols; some hundreds are enough. The time needed grows with the
        text's length times `n_positions`.
    max_distance : int, default=100
        K, the largest distance, in characters.
    n_positions : int, default=32
        The number of characters whose gradients are measured, evenly spaced from K + 1 to the end of the text.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(hidden_size=16, max_steps=500, random_state=0).fit("to be or not to be, " * 50)
    >>> norms = plot.gradient_norms(model, "to be or not to be, " * 5, max_distance=20)
    >>> norms.h.shape, norms.c
    ((32, 1, 21), None)
    """
    K = checked_int("max_distance", max_distance, 1)
    n = checked_int("n_positions", n_positions, 1)
    check_model_and_text(model, text)
    if len(text) < K + n + 1:
        raise InvalidInputError(
            f"text has {len(text)} symbols, but max_distance={K} and n_positions={n} need {K + n + 1}. Pass a longer "
            "text or a smaller max_distance."
        )
    positions = np.linspace(K + 1, len(text) - 1, n).round().astype(np.intp)
    norms = []
    for position in positions.tolist():
        states = model.gradient(text[: position + 1], at=position).states
        parts = states if isinstance(states, tuple) else (states,)
        norms.append([_norms_before(part, position, K) for part in parts])
    by_state = [np.array(of_state) for of_state in zip(*norms, strict=True)]
    return GradientNorms(by_state[0], by_state[1] if len(by_state) > 1 else None, positions)


def _norms_before(gradients: NDArray[Any], position: int, K: int) -> Array:
    """Return the norms (L, K + 1) of gradients (L, T, H) at the K + 1 states before a position, latest first."""
    before = gradients[:, position - 1 - K : position].astype(np.float64)
    return np.asarray(np.linalg.norm(before[:, ::-1], axis=-1))


def vanishing_distance(norms: Array, threshold: float) -> int | None:
    """Return the first distance beyond which norms (K + 1,) stay below `threshold` times the largest, or None."""
    below = norms < threshold * norms.max()
    return int(np.flatnonzero(~below).max(initial=-1)) + 1 if below[-1] else None


VANISHED_SHARE = 1e-3  # of the largest norm


def gradient_flow(
    model: CharRNN,
    text: str | bytes,
    *,
    max_distance: int = 100,
    n_positions: int = MIN_POSITIONS,
    vanished: float = VANISHED_SHARE,
    ax: Axes | None = None,
) -> Axes:
    """Plot how fast the gradient fades as it flows back in time.

    Each layer has a curve, and an LSTM's cells c have another: the mean of `gradient_norms` over the characters, at k
    characters before the state that predicts a character, on a log scale. A vertical line marks `seq_length`: in
    training no gradient flows further back. A cross marks where a curve has vanished. Errors are as for
    `gradient_norms`; also a ValueError if `vanished` is not between 0 and 1.

    Parameters
    ----------
    model, text, max_distance, n_positions
        As for `gradient_norms`.
    vanished : float, default=0.001
        A curve has vanished once it stays below this part of its largest value.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

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
