"""The packed weights of an int8 model: integers, and the scales of their columns in one vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from ...model.int8_weights import Scales, integers_of
from ...model.layout import Layout, aligned_zeros, copied

Array = NDArray[Any]


def with_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Return a copy of the flat weights with integers for all weights used in products.

    Lookup tables of symbols are unchanged.
    """
    params = copied(params)
    for name, weights in _multiplied(layout, params):
        weights[...] = integers_of(weights, scales[name])
    return params


def without_integers(layout: Layout, params: Array, scales: Scales) -> Array:
    """Undo `with_integers`: return flat weights, overwriting `params`."""
    for name, weights in _multiplied(layout, params):
        weights *= scales[name][:, None]
    return params


def column_scales(layout: Layout, wide: Layout, scales: Scales) -> Array:
    """Return the scales in the order of `core.pack_weights`: each layer's Wx and Wh (L, 2, G H), then Wy (V,).

    Padding has scales of zero, and so has the first layer's Wx, whose rows are looked up.
    """
    G, H, wide_H, L = layout.kind.gates, layout.hidden_size, wide.hidden_size, layout.num_layers
    out = aligned_zeros(2 * L * G * wide_H + wide.vocab_size, layout.dtype)
    of_layers = out[: 2 * L * G * wide_H].reshape(L, 2, G, wide_H)
    for layer in range(L):
        for i, name in enumerate((f"Wxh_l{layer}", f"Whh_l{layer}")):
            if layer or i:
                of_layers[layer, i, :, :H] = scales[name].reshape(G, H)
    out[2 * L * G * wide_H :][: layout.vocab_size] = scales["Why"]
    return out


def _multiplied(layout: Layout, params: Array) -> Iterator[tuple[str, Array]]:
    """Yield names and views (outputs, inputs) of the weights used in products."""
    for name, weights in layout.named(params).items():
        if weights.ndim == 2 and name not in ("Wxh_l0", "embedding", "bigrams"):
            yield name, weights
