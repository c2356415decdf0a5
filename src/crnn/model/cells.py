"""The recurrent cells that there are, and what distinguishes them."""

from __future__ import annotations

from typing import NamedTuple

MOST_LAYERS = 64  # as the kernels; far more than can be trained


class Cell(NamedTuple):
    """What the shapes of a network depend on; the arithmetic is in ``_kernels`` and ``reference``."""

    gates: int  # blocks of H columns in the weights, in PyTorch's order
    states: tuple[str, ...]  # what is carried from one time step to the next, (L, B, H) each
    separate_bias: bool  # the recurrent part of the last gate has a bias of its own


CELLS = {
    "rnn": Cell(gates=1, states=("h",), separate_bias=False),
    "gru": Cell(gates=3, states=("h",), separate_bias=True),  # r, z, n; r multiplies h Wh + bn of n
    "lstm": Cell(gates=4, states=("h", "c"), separate_bias=False),  # i, f, g, o
}
