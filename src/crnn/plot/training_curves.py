"""Training curves: losses, rates and speed along the records of `history_`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..display.loss_curve import number_in
from ..errors import InvalidInputError
from ..parameters.checks import checked_choice
from .drawing import STYLES, axes_for, line_color, named_models

if TYPE_CHECKING:
    from matplotlib.axes import Axes

X_AXES = {"step": "step", "seconds": "seconds", "epoch": "epoch"}
Y_AXES = {
    "loss": "loss (nats per character)",
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm before clipping",
    "chars_per_second": "characters per second",
}


def history(
    models: CharRNN | Iterable[CharRNN] | Mapping[str, CharRNN],
    y: str = "loss",
    *,
    x: str = "step",
    ax: Axes | None = None,
) -> Axes:
    """Plot the course of training, from the records of `history_`.

    A ValueError is raised if a model has no records, or `x` or `y` has another value.

    Parameters
    ----------
    models : CharRNN, iterable of CharRNN, or mapping of str to CharRNN
        One or more models for the same plot; a mapping gives names, otherwise models are named after the parameters in
        which they differ. Each model has its own color.
    y : {"loss", "learning_rate", "gradient_norm", "chars_per_second"}, default="loss"
        "loss" plots the training loss and, if measured, the validation loss, both in nats per character; the
        lowest validation loss is marked.
    x : {"step", "seconds", "epoch"}, default="step"
        Seconds and epochs count from the start of the first call; later calls continue the count.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> model = CharRNN(8, epochs=4, validation_fraction=0.1, random_state=0).fit("to be or not to be, " * 50)
    >>> ax = plot.history(model, x="epoch")
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.lines)
    ('epoch', 'loss (nats per character)', 3)
    """
    x = checked_choice("x", x, X_AXES)
    y = checked_choice("y", y, Y_AXES)
    named = named_models(models)
    for label, model in named.items():
        if not model.history_:
            raise InvalidInputError(f"{label} has no training records. Train it, or load a file saved with its state.")
    ax = axes_for(ax, 7, 4)
    for i, (label, model) in enumerate(named.items()):
        prefix = f"{label}, " if len(named) > 1 else ""
        look: dict[str, Any] = {"color": line_color(ax, i)}
        places = _places(model.history_, x)
        if y == "loss":
            _draw_losses(ax, model.history_, places, prefix, look)
        else:
            style = STYLES[i % len(STYLES)]
            ax.plot(*_broken(places, _column(model.history_, y)), style, label=label, **look)
    ax.set(xlabel=X_AXES[x], ylabel=Y_AXES[y])
    if y == "gradient_norm":
        ax.set_yscale("log")
    ax.grid(alpha=0.25)
    if y == "loss" or len(named) > 1:
        ax.legend(fontsize="small")
    return ax


def _draw_losses(
    ax: Axes, records: list[dict[str, Any]], places: NDArray[np.float64], prefix: str, look: dict[str, Any]
) -> None:
    """Plot the training loss and, if measured, the validation loss."""
    training = _column(records, "train_loss")
    validation = _column(records, "validation_loss")
    measured = ~np.isnan(validation)
    alpha = 0.55 if measured.any() else 1.0
    ax.plot(*_broken(places, training), "-", label=f"{prefix}training", linewidth=1.2, alpha=alpha, **look)
    if not measured.any():
        return
    at = places[measured]
    losses = validation[measured]
    best = int(losses.argmin())
    label = f"{prefix}validation (lowest: {losses[best]:.3f})"
    ax.plot(*_broken(at, losses), "--", marker="o", markersize=3, label=label, **look)
    ax.plot(at[best], losses[best], "*", markersize=11, label="_lowest", **look)


def _column(records: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    """Return one number from each record, NaN if missing."""
    return np.array([number_in(record, name) for record in records], np.float64)


def _places(records: list[dict[str, Any]], x: str) -> NDArray[np.float64]:
    """Return the position of each record; seconds and epochs accumulate over calls."""
    places = _column(records, x)
    if x != "step":
        seconds = _column(records, "seconds")
        new_call = np.flatnonzero(np.diff(seconds) < 0) + 1
        for i in new_call:
            places[i:] += places[i - 1]
    return places


def _broken(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a curve with a gap wherever x goes back because training returned to the best weights."""
    back = np.flatnonzero(np.diff(x) <= 0) + 1
    return np.insert(x, back, np.nan), np.insert(y, back, np.nan)
