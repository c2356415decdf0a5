"""Comparison of models: their training, and where one predicts a text better than another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
from ..display.loss_curve import number_in
from ..errors import InvalidInputError
from ..parameters.checks import checked_choice
from .drawing import STYLES, axes_for, check_model_and_text, line_color, named_models

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = (
    "first letter of a word",
    "second letter",
    "later letters",
    "digit",
    "space",
    "line end",
    "punctuation",
)


def compare(
    models: Iterable[CharRNN] | Mapping[str, CharRNN], text: str | bytes, *, by: str = "kind", ax: Axes | None = None
) -> Axes:
    """Plot how well several models predict a text, in bits per character; lower is better.

    Errors are as for `CharRNN.surprisal`; also a ValueError if the text is empty, or `by` has another value.

    Parameters
    ----------
    models : iterable of CharRNN, or mapping of str to CharRNN
        A mapping gives names; otherwise models are named after their differing parameters.
    text : str or bytes
        A text that all models can read, preferably one that none was trained on.
    by : {"kind", "position"}, default="kind"
        "kind": the mean for each kind of character (the first letter of a word, later letters, spaces, …), as bars.
        "position": the mean over positions 1, 2 and 3, 4 to 7, … in the text, as curves; it shows how much the models
        gain from context.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None: a new figure.

    Examples
    --------
    >>> from crnn import CharRNN, plot
    >>> texts = "to be or not to be, " * 50
    >>> small, large = (CharRNN(h, max_steps=500, random_state=0).fit(texts) for h in (2, 32))
    >>> ax = plot.compare({"small": small, "large": large}, texts[:200])
    >>> bool(ax.containers[0][0].get_width() > ax.containers[1][0].get_width())  # the bars of all characters
    True
    """
    by = checked_choice("by", by, ("kind", "position"))
    named = named_models(models)
    for model in named.values():
        check_model_and_text(model, text)
    if not len(text):
        raise InvalidInputError("text is empty. Pass at least one character.")
    bits = {name: model.surprisal(text) / math.log(2) for name, model in named.items()}
    return _by_kind(ax, bits, text) if by == "kind" else _by_position(ax, bits)


def kinds_of(text: str | bytes) -> NDArray[np.str_]:
    """Return the kind of each character, one of `KINDS`; bytes are read as Latin-1."""
    kinds = []
    in_word = 0
    for character in text if isinstance(text, str) else bytes(text).decode("latin-1"):
        in_word = in_word + 1 if character.isalpha() else 0
        if in_word:
            kinds.append(KINDS[min(in_word, 3) - 1])
        elif character.isdigit():
            kinds.append("digit")
        elif character == "\n":
            kinds.append("line end")
        else:
            kinds.append("space" if character.isspace() else "punctuation")
    return np.array(kinds)


def _by_kind(ax: Axes | None, bits: Mapping[str, NDArray[np.float64]], text: str | bytes) -> Axes:
    """Draw the mean loss of each model by kind of character, as bars."""
    kinds = kinds_of(text)
    there = [kind for kind in KINDS if (kinds == kind).any()]
    rows = [np.ones(len(kinds), bool), *(kinds == kind for kind in there)]
    names = ["all", *there]
    height = 0.8 / len(bits)
    ax = axes_for(ax, 7, 0.9 + 0.16 * len(rows) * (len(bits) + 1.2))
    for i, (label, values) in enumerate(bits.items()):
        means = [values[row].mean() for row in rows]
        at = np.arange(len(rows)) + (i - (len(bits) - 1) / 2) * height
        bars = ax.barh(at, means, height, label=label, color=line_color(ax, i))
        ax.bar_label(bars, fmt=" %.2f", fontsize="x-small")
    ax.set_yticks(range(len(rows)), [f"{name} ({row.mean():.0%})" for name, row in zip(names, rows, strict=True)])
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ax.set(xlabel="bits per character (lower is better)", ylabel="kind (share of the text)")
    ax.legend(fontsize="small")
    return ax


def _by_position(ax: Axes | None, bits: Mapping[str, NDArray[np.float64]]) -> Axes:
    """Draw the mean loss of each model along the text, as curves."""
    n = len(next(iter(bits.values())))
    edges = 2 ** np.arange(n.bit_length())  # the first positions of the parts 1, 2 to 3, 4 to 7, …
    middles = [(first + last) / 2 for first, last in zip(edges, [*(edges[1:] - 1), n], strict=True)]
    ax = axes_for(ax, 7, 4)
    for i, (label, values) in enumerate(bits.items()):
        means = [part.mean() for part in np.split(values, edges[1:] - 1)]
        style = STYLES[i % len(STYLES)]
        color = line_color(ax, i)
        ax.plot(middles, means, style, marker="o", markersize=3, color=color, label=f"{label}: {values.mean():.2f}")
    ax.set_xscale("log")
    ax.set(xlabel="position in the text (characters)", ylabel="bits per character (lower is better)")
    ax.grid(alpha=0.25)
    ax.legend(fontsize="small", title="mean over the text", title_fontsize="small")
    return ax


# ---------------------------------------------------------------- training curves

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
