"""Comparison of models: where one predicts a text better than another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..char_rnn import CharRNN
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
