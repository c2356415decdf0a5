"""The embedding folded into the first layer: inference looks up each symbol's contribution to the gates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...model.layout import Layout, aligned_zeros
from ...runtime.cancellation import check_canceled

Array = NDArray[Any]

CALL_PRODUCTS = 1 << 28  # multiplications from one poll for Ctrl-C to the next


def folded_weights(embedding: Array, Wx: Array, *, out: Array | None = None, bfloat16: bool = False) -> Array:
    """Return the input weights (V, G H) that replace the embedding: embedding @ Wx, added to `out` if it is given."""
    (V, E), N = embedding.shape, Wx.shape[1]
    panels = aligned_zeros(core.packed_size(E, N, Wx.itemsize, bfloat16), Wx.dtype)
    core.pack_panels(np.ascontiguousarray(Wx), False, False, panels, bfloat16)
    embedding = np.ascontiguousarray(embedding)
    out = aligned_zeros((V, N), Wx.dtype) if out is None else out
    step = max(1, CALL_PRODUCTS // (E * N))
    room = aligned_zeros(core.operand_size(min(step, V), E, bfloat16), Wx.dtype) if bfloat16 else None
    for first in range(0, V, step):
        check_canceled()
        rows = embedding[first : first + step]
        own = None if room is None else room[: core.operand_size(len(rows), E, bfloat16)]
        core.multiply(rows, panels, False, out[first : first + step], 1, own)
    return out


def folded_network(layout: Layout, params: Array, *, bfloat16: bool = False) -> tuple[Layout, Array]:
    """Return the layout and flat weights of the same network without its embedding, if it has one."""
    part = layout.tensors(params)
    if part.embedding is None:
        return layout, params
    plain = replace(layout, embedding_size=None)
    flat = plain.zeros()
    own = plain.tensors(flat)
    folded_weights(part.embedding, part.layers[0].Wx, out=own.layers[0].Wx, bfloat16=bfloat16)
    for tensor, of_layout in zip(own, (array for array in part if array is not part.embedding), strict=True):
        if tensor is not own.layers[0].Wx:
            tensor[...] = of_layout
    return plain, flat
