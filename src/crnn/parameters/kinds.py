"""The tables of cells and optimizers, with every property that other code needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

# The arithmetic of the cells is in ``_kernels/cells/`` and ``reference/network.py``. ``docs/design.md`` lists the
# places to touch for a new cell, and for a new optimizer.

MAX_LAYERS = 64  # as in the kernels; far more than can be trained


class Cell(NamedTuple):
    """The properties of a cell."""

    number: int  # in the kernels' dispatch, ``_kernels/cells/cells.pxd``
    gates: int  # blocks of H columns in the weights, in PyTorch's order
    states: tuple[str, ...] = ("h",)  # carried from one time step to the next, (L, B, H) each
    saved_blocks: int = 0  # blocks of H that a step saves for the backward pass, gates first; 0: z lives in h
    separate_bias: bool = False  # the recurrent part of the last gate is separate, with its own bias
    forget_gate: int | None = None  # the gate whose bias starts at 1
    single_layer_scale: float | None = None  # of a single layer's initial weights; None: PyTorch's distribution
    coupled: str | None = None  # the cell with a separate input gate instead of 1 - f: see `coupled_gates`
    torch_class: str | None = None  # in torch.nn, and the operator of ONNX; None: neither has the cell, unless coupled
    onnx_order: tuple[int, ...] = ()  # the gates in the order of that operator
    c_order: tuple[int, ...] = ()  # the gates in a C file; empty: ``c_source`` and ``web`` lack its arithmetic

    @property
    def torch_gates(self) -> int:
        """Blocks of H rows in the weights of PyTorch's equivalent cell."""
        return self.gates + (self.coupled is not None)


CELLS = {
    "rnn": Cell(0, gates=1, single_layer_scale=0.01, torch_class="RNN", onnx_order=(0,), c_order=(0,)),
    # The gates are r, z, n; r multiplies n's recurrent part, h Wh + bn. In a C file this part is a separate block: in
    # the order n's input part, r, z, n's recurrent part, each of the two matrices adds to three neighboring blocks.
    "gru": Cell(
        1, gates=3, saved_blocks=4, separate_bias=True, torch_class="GRU", onnx_order=(1, 0, 2), c_order=(2, 0, 1),
    ),
    # The gates are i, f, g, o. ONNX has i, o, f, c; its c is g.
    "lstm": Cell(
        2, gates=4, states=("h", "c"), saved_blocks=5, forget_gate=1,
        torch_class="LSTM", onnx_order=(0, 3, 1, 2), c_order=(0, 1, 2, 3),
    ),
    # The gates are f, g, o; the input gate is 1 - f.
    "cifg": Cell(
        3, gates=3, states=("h", "c"), saved_blocks=4, forget_gate=0, coupled="lstm", c_order=(0, 1, 2),
    ),
}  # fmt: skip


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
