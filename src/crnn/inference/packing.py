"""Weights made ready to be packed: padded to whole vectors, their embedding folded in, or as 8-bit integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from .._kernels.entry import core
from ..arrays import Array
from ..model.int8_weights import Scales, integers_of
from ..model.layout import Layout, aligned_zeros, copy_in_pieces
from ..runtime.signals import check_canceled

FOLDED_PRODUCTS = 1 << 28  # multiplications for an embedding from one poll for Ctrl-C to the next


def enlarged_params(layout: Layout, params: Array, wide: Layout) -> Array:
    """Return the parameters in a wide layout: added units stay 0, and added symbols have no probability."""
    flat = wide.zeros()
    wide.tensors(flat).by[:] = -np.inf
    for narrow, inner in same_weights(layout, params, wide, flat):
        inner[...] = narrow
    return flat


def same_weights(layout: Layout, params: Array, wide: Layout, flat: Array) -> Iterator[tuple[Array, Array]]:
    """Yield pairs of views: parts of the parameters, and the same parts within the wide layout."""
    H, V = layout.hidden_size, layout.vocab_size
    part = layout.tensors(params)
    out = wide.tensors(flat)
    gates = [*zip((part.pair_table,), (out.pair_table,), strict=True)]
    gates += [pair for pairs in zip(part.layers, out.layers, strict=True) for pair in zip(*pairs, strict=True)]
    for a, b in gates:
        if a is not None and b is not None:
            # Gate by gate: (rows, gates, units), or without rows for a bias.
            a, b = (w.reshape(*w.shape[:-1], -1, units) for w, units in ((a, H), (b, wide.hidden_size)))
            yield a, b[tuple(slice(n) for n in a.shape)]
    yield part.by, out.by[:V]
    yield part.Wy, out.Wy[:H, :V]


def folded_weights(embedding: Array, Wx: Array, *, out: Array | None = None, bfloat16: bool = False) -> Array:
    """Return the input weights (V, G H) that replace the embedding: embedding @ Wx, added to `out` if it is given."""
    V, E = embedding.shape
    N = Wx.shape[1]
    panels = aligned_zeros(core.packed_size(E, N, Wx.itemsize, bfloat16), Wx.dtype)
    core.pack_panels(np.ascontiguousarray(Wx), transposed=False, one_row=False, panels=panels, bfloat16=bfloat16)
    embedding = np.ascontiguousarray(embedding)
    out = aligned_zeros((V, N), Wx.dtype) if out is None else out
    step = max(1, FOLDED_PRODUCTS // (E * N))
    room = aligned_zeros(core.operand_size(min(step, V), E, bfloat16), Wx.dtype) if bfloat16 else None
    for first in range(0, V, step):
        check_canceled()
        rows = embedding[first : first + step]
        operand = None if room is None else room[: core.operand_size(len(rows), E, bfloat16)]
        core.multiply(rows, panels, one_row=False, c=out[first : first + step], room=operand)
    return out


def folded_network(layout: Layout, params: Array, *, bfloat16: bool = False) -> tuple[Layout, Array]:
    """Return the layout and flat weights of the same network without its embedding, if it has one."""
    part = layout.tensors(params)
    if part.embedding is None:
        return layout, params
    plain = replace(layout, embedding_size=None)
    flat = plain.zeros()
    plain_part = plain.tensors(flat)
    folded_weights(part.embedding, part.layers[0].Wx, out=plain_part.layers[0].Wx, bfloat16=bfloat16)
    for tensor, old in zip(plain_part, (array for array in part if array is not part.embedding), strict=True):
        if tensor is not plain_part.layers[0].Wx:
            tensor[...] = old
    return plain, flat


def with_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Return a copy of the flat weights with integers for all weights used in products, not for lookup tables."""
    params = copy_in_pieces(params)
    for name, weights in _product_weights(layout, params):
        weights[...] = integers_of(weights, scales[name])
    return params


def without_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Undo `with_integers`: return flat weights, overwriting `params`."""
    for name, weights in _product_weights(layout, params):
        weights *= scales[name][:, None]
    return params


def column_scales(layout: Layout, wide: Layout, scales: Scales) -> Array:
    """Return the scales in the order of `core.pack_weights`: each layer's Wx and Wh (L, 2, G H), then Wy (V,).

    Those of padding and of the first layer's Wx, whose rows are looked up, are 0.
    """
    G = layout.kind.gates
    H = layout.hidden_size
    wide_H = wide.hidden_size
    L = layout.num_layers
    out = aligned_zeros(2 * L * G * wide_H + wide.vocab_size, layout.dtype)
    layers = out[: 2 * L * G * wide_H].reshape(L, 2, G, wide_H)
    for layer in range(L):
        for i, name in enumerate((f"Wxh_l{layer}", f"Whh_l{layer}")):
            if layer or i:
                layers[layer, i, :, :H] = scales[name].reshape(G, H)
    out[2 * L * G * wide_H :][: layout.vocab_size] = scales["Why"]
    return out


def _product_weights(layout: Layout, params: Array) -> Iterator[tuple[str, Array]]:
    """Yield names and views (outputs, inputs) of the weights used in products."""
    for name, weights in layout.named(params).items():
        if weights.ndim == 2 and name not in ("Wxh_l0", "embedding", "bigrams"):
            yield name, weights
