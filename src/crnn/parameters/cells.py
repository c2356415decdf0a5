"""The table of recurrent cells, with every property that other code needs.

The arithmetic is in ``_kernels/cells/`` and ``reference/network.py``. ``docs/design.md`` lists the places to touch for
a new cell.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_LAYERS = 64  # as in the kernels; far more than can be trained


class Recipe(NamedTuple):
    """A model and its training, for the number of operations that a time allows."""

    operations: float  # minimum multiplications and additions in training steps for this size
    hidden_size: int
    learning_rate: float
    num_layers: int = 1
    init_scale: float = 0.1
    weight_decay: float = 0.01


class Advice(NamedTuple):
    """The choices of `CharRNN.recommended` for a cell, found by measurement."""

    # From the shortest time to the longest; a step reads 16 streams of 24 characters. The first recipe is also used for
    # fewer operations. Between two recipes with equal layers every size of `SIZES` has one, by the logarithm of the
    # sizes.
    recipes: tuple[Recipe, ...]
    dropout_share: float = 1.0  # relative to the best dropout for an LSTM
    weight_dropout_share: float = 1.0
    n_bigrams: int | None = None
    state_reset: float = 0.0  # teaches a model to start from the zero state; documents do so anyway
    max_epochs: float = 50.0


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
    advice: Advice | None = None  # None: not measured

    @property
    def torch_gates(self) -> int:
        """Blocks of H rows in the weights of PyTorch's equivalent cell."""
        return self.gates + (self.coupled is not None)


CELLS = {
    "rnn": Cell(
        0, gates=1, single_layer_scale=0.01, torch_class="RNN", onnx_order=(0,), c_order=(0,),
        advice=Advice(
            (
                Recipe(0.8e12, 128, 0.004, init_scale=0.09),  # about 1 / sqrt(hidden_size): more hardly learns
                Recipe(1.5e12, 256, 0.003, 2, 0.06),
                Recipe(6e12, 256, 0.002, 3, 0.06),
                Recipe(20e12, 384, 0.0015, 3, 0.05),
            ),
            # Three layers tolerate little dropout, and more epochs make them worse.
            dropout_share=0.4, weight_dropout_share=0.0, max_epochs=12.0,
        ),
    ),
    # The gates are r, z, n; r multiplies n's recurrent part, h Wh + bn. In a C file this part is a separate block: in
    # the order n's input part, r, z, n's recurrent part, each of the two matrices adds to three neighboring blocks.
    "gru": Cell(
        1, gates=3, saved_blocks=4, separate_bias=True, torch_class="GRU", onnx_order=(1, 0, 2), c_order=(2, 0, 1),
        advice=Advice((
            Recipe(0.8e12, 128, 0.01),
            Recipe(2e12, 256, 0.01),
            Recipe(8e12, 384, 0.006),
            Recipe(30e12, 512, 0.004),
        )),
    ),
    # The gates are i, f, g, o. ONNX has i, o, f, c; its c is g.
    "lstm": Cell(
        2, gates=4, states=("h", "c"), saved_blocks=5, forget_gate=1,
        torch_class="LSTM", onnx_order=(0, 3, 1, 2), c_order=(0, 1, 2, 3),
        advice=Advice(
            (
                Recipe(0.8e12, 128, 0.04, init_scale=0.2, weight_decay=0.02),
                Recipe(1.8e12, 192, 0.04, init_scale=0.15, weight_decay=0.02),
                Recipe(4e12, 256, 0.033, weight_decay=0.02),
                Recipe(20e12, 384, 0.016),
                Recipe(36e12, 512, 0.011),
                Recipe(250e12, 768, 0.007),
            ),
            n_bigrams=1024, state_reset=0.01,
        ),
    ),
    # The gates are f, g, o; the input gate is 1 - f.
    "cifg": Cell(
        3, gates=3, states=("h", "c"), saved_blocks=4, forget_gate=0, coupled="lstm", c_order=(0, 1, 2),
        advice=Advice(
            (  # as many weights as the LSTM for short times, as many units for long ones
                Recipe(0.8e12, 128, 0.04, init_scale=0.2, weight_decay=0.02),
                Recipe(1.8e12, 224, 0.04, init_scale=0.15, weight_decay=0.02),
                Recipe(4e12, 256, 0.028, weight_decay=0.02),
                Recipe(10e12, 320, 0.022),
                Recipe(20e12, 384, 0.016),
                Recipe(36e12, 512, 0.011),
                Recipe(250e12, 768, 0.007),
            ),
            n_bigrams=1024, state_reset=0.01,
        ),
    ),
}  # fmt: skip
