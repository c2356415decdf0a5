"""The optimizers and their traits."""

from __future__ import annotations

from typing import NamedTuple


class OptimizerKind(NamedTuple):
    """Properties of an optimizer; its arithmetic is in ``_kernels`` and ``reference``."""

    learning_rate: float  # the default
    state: tuple[str, ...]  # PyTorch's names of the arrays it keeps, each of the parameters' shape
    number: int  # in the kernels' dispatch, ``_kernels/training/optimizers.pxd``
    sparse: bool = False  # where the gradient is zero, nothing changes: such rows can be left out


OPTIMIZERS = {
    "adagrad": OptimizerKind(0.1, ("sum",), 0, sparse=True),
    "rmsprop": OptimizerKind(0.002, ("square_avg",), 1),
    "adam": OptimizerKind(0.002, ("exp_avg", "exp_avg_sq"), 2),
}
