"""The controls of sampling in NumPy.

They are applied in this order: a bias on the logits, the repetition penalty, the temperature, top-k, top-p, min-p.
Each one sees the result of the previous ones. The symbol is then drawn by inverse CDF in the order of the ids. Among
symbols with equal probabilities, the one with the smaller id counts as more probable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..model.layout import Tensors
from . import network as reference
from .products import product

LARGEST_LOGIT = 1e30  # the bound of a penalized logit


def filtered(
    y: Array,
    seen: Array | None = None,
    *,
    bias: Array | float = 0.0,
    repetition_penalty: float = 1.0,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> Array:
    """Return the probabilities of logits y (V,) after all controls; `seen` (V,) are the symbols to penalize."""
    y = np.asarray(y, np.float64) + bias
    if seen is not None:
        penalized = np.where(y > 0, y / repetition_penalty, y * repetition_penalty).clip(-LARGEST_LOGIT, LARGEST_LOGIT)
        y = np.where(seen & np.isfinite(y), penalized, y)
    if temperature == 0:
        return np.asarray(np.arange(len(y)) == y.argmax(), np.float64)
    p = np.exp((y - y.max()) / temperature)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    if top_k:
        p[order[top_k:]] = 0
    if top_p < 1:
        short = np.cumsum(p[order]) < top_p * p.sum()  # all of them, if by rounding no sum reaches top_p
        p[order[np.count_nonzero(short) + 1 :]] = 0
    p[p < min_p * p.max()] = 0
    return np.asarray(p / p.sum())


def draw(p: Array, u: float) -> int:
    """Return the symbol that the uniform `u` in [0, 1) selects from probabilities p (V,) by inverse CDF."""
    cumulative = np.cumsum(p)
    return int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))


def sample(
    p: Tensors,
    cell: str,
    state: reference.State,
    uniforms: Array,
    seen: Array | None = None,
    *,
    boundary: int | None = None,
    **controls: Any,
) -> tuple[Array, reference.State]:
    """Draw one symbol for each of the uniforms (n, B) and feed it back; return the symbols and the final state.

    `seen` (B, V) are the symbols to penalize; drawn symbols are added to it.
    """
    out = np.empty(uniforms.shape, np.intp)
    seen = np.zeros((uniforms.shape[1], len(p.by)), np.bool_) if seen is None else seen
    for i, row in enumerate(uniforms):
        y = product(state[0][-1], p.Wy) + p.by
        out[i] = [draw(filtered(y[b], seen[b], **controls), u) for b, u in enumerate(row)]
        seen[np.arange(len(row)), out[i]] = True
        state = reference.state_after(reference.forward(p, cell, out[i : i + 1], state, boundary=boundary)[0])
    return out, state
