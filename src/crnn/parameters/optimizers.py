"""The table of optimizers, with every property that other code needs.

The arithmetic is in ``_kernels/training/optimizers.pxd`` and ``reference/optimizers.py``. ``docs/design.md`` lists
the places to touch for a new optimizer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class OptimizerKind(NamedTuple):
    """The properties of an optimizer."""

    number: int  # in the kernels' dispatch, ``_kernels/training/optimizers.pxd``
    learning_rate: float  # the default
    state: tuple[str, ...]  # PyTorch's names of the arrays it keeps, one or two, each of the parameters' shape
    sparse: bool = False  # a zero gradient changes nothing, so rows without a gradient can be skipped
    counts_steps: bool = False  # its rule depends on the steps since its state was zero, as Adam's corrections do
    decays_weights: bool = False  # it supports `weight_decay`
    squares: str | None = None  # the state array that accumulates squared gradients, and so is never negative
    # The factor that turns this array into the mean square of the gradients, from the steps taken and `beta_2`.
    mean_factor: Callable[[int, float], float] | None = None


OPTIMIZERS = {
    "adagrad": OptimizerKind(
        0, 0.1, ("sum",), sparse=True, squares="sum", mean_factor=lambda steps, beta_2: 1.0 / steps
    ),
    "rmsprop": OptimizerKind(
        1, 0.002, ("square_avg",), squares="square_avg", mean_factor=lambda steps, beta_2: 1.0
    ),
    "adam": OptimizerKind(
        2, 0.002, ("exp_avg", "exp_avg_sq"), counts_steps=True, decays_weights=True,
        squares="exp_avg_sq", mean_factor=lambda steps, beta_2: 1.0 / (1.0 - beta_2**steps),
    ),
}  # fmt: skip
