"""Notebook summary: an estimator's HTML representation in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...errors import any_repr
from ...model.state import ModelState
from .loss_curve import loss_curve, points_of


def summary_html(
    name: str, parameters: Mapping[str, Any], defaults: Mapping[str, Any], *, words: str, picture: str
) -> str:
    """Return an estimator as HTML: what it has learned, as a line of text and as an SVG, and its parameters, changed
    ones in bold.

    Examples
    --------
    >>> "<th style='text-align:left'>b</th>" in summary_html("E", {"b": 1}, {"b": 2}, words="", picture="")
    True
    """
    rows = []
    for parameter, default in defaults.items():
        value = any_repr(parameters[parameter])
        mark = "th" if value != any_repr(default) else "td"
        cell = f"<{mark} style='text-align:left'>{parameter}</{mark}>"
        rows.append(f"<tr>{cell}<td><code>{escape(value)}</code></td></tr>")
    return (
        f"<div><b>{name}</b>: {escape(words)}<div>{picture}</div><details>"
        f"<summary>Parameters</summary><table>{''.join(rows)}</table></details></div>"
    )


def network_in_words(state: ModelState) -> str:
    """Return a one-line description of a trained network."""
    layout = state.layout
    weights = sum(array.size for array in layout.named(state.params).values())
    layers = "" if layout.num_layers == 1 else f"{layout.num_layers} layers of "
    network = f"{layout.cell.upper()} of {layers}{layout.hidden_size} units"
    line = f"{network}, {len(state.vocabulary)} symbols, {weights:,} weights, {state.n_steps:,} steps"
    for name, key in (("training", "train_loss"), ("validation", "validation_loss")):
        points = points_of(state.history, key)
        line += f", {name} loss {points[-1][1]:.3f} nats" if points else ""
    return line


def curves_of(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the training curves of these records as SVG; an empty string without records."""
    return loss_curve(*(points_of(history, key) for key in ("train_loss", "validation_loss")))
