"""What a notebook shows of an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ..model.state import ModelState
from .loss_curve import points_of


def summary_html(
    name: str, parameters: Mapping[str, Any], defaults: Mapping[str, Any], *, words: str, picture: str
) -> str:
    """Return an estimator as HTML: what it has learned, as a line of text and as an SVG, and its parameters, changed
    ones in bold.
    """
    rows = []
    for parameter, default in defaults.items():
        value = repr(parameters[parameter])
        mark = "th" if value != repr(default) else "td"
        cell = f"<{mark} style='text-align:left'>{parameter}</{mark}>"
        rows.append(f"<tr>{cell}<td><code>{escape(value)}</code></td></tr>")
    return (
        f"<div><b>{name}</b>: {escape(words)}<div>{picture}</div><details>"
        f"<summary>Parameters</summary><table>{''.join(rows)}</table></details></div>"
    )


def describe_state(state: ModelState) -> str:
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
