"""The network as sampling and scoring use it: weights packed once, every product a panel product.

A panel product adds up a row in the same order whatever stands beside it, so what is computed here is the same to the
bit at every batch size, at every position in the batch and for every number of threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._kernels import core
from .parameters import Layout, aligned_zeros

Array = NDArray[Any]

SCORE_ROWS = 512  # symbols that are scored at a time: their logits are one product, their states stay in the cache


class PackedNetwork(NamedTuple):
    """A network's weights, the two that are multiplied by packed in panels."""

    Wx: Array  # (V, H)
    bh: Array  # (H,)
    Wh_panels: Array
    one_row: bool  # Wh is packed for products with one row, not with many
    Wy_panels: Array
    Wy_one_row: bool
    by: Array  # (V,)

    @classmethod
    def pack(cls, layout: Layout, params: Array, *, one_row: bool, scoring: bool = False) -> PackedNetwork:
        """Pack the parameters in the flat vector `params`, for one stream or for many: the same bits, not the speed.

        What is packed is a copy, which later changes of `params` do not reach. Scoring multiplies by Wy for many
        symbols at once even of one stream.
        """
        part = layout.tensors(params)

        def packed(W: Array, one_row: bool) -> Array:
            panels = aligned_zeros(core.packed_size(W.shape[0], W.shape[1], W.itemsize), W.dtype)
            core.pack_panels(W, False, one_row, panels)
            return panels

        Wy_one_row = one_row and not scoring
        Wh_panels, Wy_panels = packed(part.Wh, one_row), packed(part.Wy, Wy_one_row)
        return cls(part.Wx.copy(), part.bh.copy(), Wh_panels, one_row, Wy_panels, Wy_one_row, part.by.copy())

    def zero_state(self, streams: int) -> Array:
        """Return the state that a text starts from: zeros, (streams, H)."""
        return aligned_zeros((streams, len(self.bh)), self.bh.dtype)

    def feed(self, x: NDArray[np.int32], h: Array) -> None:
        """Move the states h (B, H) on over symbols x (n, B), in place."""
        core.feed(self.Wx, self.bh, self.Wh_panels, self.one_row, x, h, np.empty_like(h))

    def sample(self, uniforms: NDArray[np.float64], temperature: float, h: Array) -> NDArray[np.int32]:
        """Draw one symbol for each of the uniforms (n, B), fed back in; the states h (B, H) move on in place."""
        n, B = uniforms.shape
        out = np.empty((n, B), np.int32)
        y = np.empty((B, len(self.by)), self.by.dtype)
        core.sample(*self, uniforms, temperature, h, np.empty_like(h), y, out)
        return out

    def log_probabilities(self, x: NDArray[np.int32], h: Array) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given those before it; the states h (B, H) move on in place."""
        n, B = x.shape
        T, H, V = min(n, max(1, SCORE_ROWS // B)), len(self.bh), len(self.by)
        states, y = np.empty((T + 1, B, H), h.dtype), np.empty((T, B, V), h.dtype)
        out = np.empty((n, B))
        states[0] = h
        core.log_probabilities(*self, x, states, y, out)
        h[...] = states[0]
        return out
