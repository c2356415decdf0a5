"""The recurrent cells that there are, and what distinguishes them."""

from __future__ import annotations

from typing import NamedTuple

MAX_LAYERS = 64  # as the kernels; far more than can be trained


class Cell(NamedTuple):
    """What the shapes of a network depend on; the arithmetic is in ``_kernels`` and ``reference``."""

    number: int  # in the kernels' dispatch, ``_kernels/cells/cells.pxd``
    gates: int  # blocks of H columns in the weights, in PyTorch's order
    states: tuple[str, ...]  # what is carried from one time step to the next, (L, B, H) each
    separate_bias: bool  # the recurrent part of the last gate is kept apart, with a bias of its own
    forget_gate: int | None  # the gate whose bias starts at 1
    saved_blocks: int  # blocks of H that a step saves for the way back, the gates first; 0: z lives in h
    coupled: bool = False  # there is no input gate, but 1 - f: see `coupled_gates`

    @property
    def torch_gates(self) -> int:
        """Blocks of H rows in the weights of PyTorch's cell that computes the same."""
        return self.gates + self.coupled


CELLS = {
    "rnn": Cell(0, gates=1, states=("h",), separate_bias=False, forget_gate=None, saved_blocks=0),
    # r, z, n; r multiplies h Wh + bn of n
    "gru": Cell(1, gates=3, states=("h",), separate_bias=True, forget_gate=None, saved_blocks=4),
    # i, f, g, o
    "lstm": Cell(2, gates=4, states=("h", "c"), separate_bias=False, forget_gate=1, saved_blocks=5),
    # f, g, o; the input gate is 1 - f
    "cifg": Cell(3, gates=3, states=("h", "c"), separate_bias=False, forget_gate=0, saved_blocks=4, coupled=True),
}
