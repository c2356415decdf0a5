"""Plots of a trained model: each function draws on one matplotlib Axes and returns it.

Plots need matplotlib, provided by the extra ``crnn[plot]``; it is imported when a plot is drawn, and without it a plot
raises ImportError. Every function takes `ax`, the Axes to draw on; without it, a figure of a suitable size is created.
Colors follow matplotlib's style, light or dark. The guide is ``docs/look_inside.md``.
"""

from .compare import compare
from .gradients import GradientNorms, gradient_flow, gradient_norms
from .text_grid import probabilities, surprisal
from .training_curves import history
from .units import FoundUnit, find_units, neurons, states

__all__ = [
    "FoundUnit",
    "GradientNorms",
    "compare",
    "find_units",
    "gradient_flow",
    "gradient_norms",
    "history",
    "neurons",
    "probabilities",
    "states",
    "surprisal",
]
