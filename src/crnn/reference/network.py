"""The recurrent networks in NumPy: passes, training step, a text's gradient, scoring and dynamic evaluation.

A state is a tuple of arrays (L, B, H): ``(h,)``, or ``(h, c)`` for an LSTM, coupled or not. With a table of pairs an
array (1, B, 1) of int32 follows: the last symbol plus 1, or 0. A state is carried from one time step to the next.
Before a stream reads the boundary symbol, its state is set to zero: no value crosses the boundary in the forward pass,
and no gradient in the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..model.layout import LayerTensors, Tensors
from ..parameters.kinds import CELLS
from .optimizers import update
from .products import over_rows, product

State = tuple[Array, ...]


def symbol_table(p: Tensors) -> Array:
    """Return each symbol's contribution to the gates of the first layer, (V, G H)."""
    return p.layers[0].Wx if p.embedding is None else product(p.embedding, p.layers[0].Wx, of_states=False)


def rows_of_pairs(p: Tensors, x: Array, state: tuple[Array, ...], boundary: int | None) -> Array | None:
    """Return the row for each of the symbols x (T, B), -1 for none; None without a table of pairs.

    The last part of the state is the symbol before the chunk, plus 1, or 0.
    """
    if p.pairs is None:
        return None
    before = state[-1][0, :, 0].astype(np.intp) - 1
    return p.pairs.rows(np.concatenate([before[None], x[:-1]]), x, boundary)


def pair_input(p: Tensors, rows: Array | None) -> Array | float:
    """Return the contribution of the rows (T, B) to the first layer's input, (T, B, G H), or 0 without a table."""
    if rows is None or p.pair_table is None:
        return 0.0
    return np.where(rows[..., None] < 0, 0, p.pair_table[rows])


def pair_gradient(p: Tensors, rows: Array | None, da: Array) -> Array | None:
    """Return the gradient (R, G H) of the table of pairs, given the input's gradient da (T, B, G H)."""
    if rows is None or p.pair_table is None:
        return None
    gradient = np.zeros_like(p.pair_table)
    np.add.at(gradient, rows[rows >= 0], da[rows >= 0])
    return gradient


def zero_state(p: Tensors, cell: str, B: int) -> tuple[Array, ...]:
    """Return zeros: h (L, B, H), c for an LSTM, and with pairs the previous symbol, (1, B, 1)."""
    L = len(p.layers)
    H = len(p.Wy)
    dtype = p.Wy.dtype
    h_and_c = [np.zeros((L, B, H), dtype) for _ in CELLS[cell].states]
    return (*h_and_c, *([] if p.pairs is None else [np.zeros((1, B, 1), np.int32)]))


class Activations(NamedTuple):
    """The values of one layer over a chunk that the backward pass needs."""

    x: Array  # the layer's input: symbols (T, B), or the output of the layer below after dropout, (T, B, H)
    h: Array  # (T + 1, B, H): h[0] is the state before the chunk
    gates: Array  # (T, B, G H): after tanh or the sigmoid, in the order of `Cell.gates`
    c: Array | None = None  # (T + 1, B, H): the cell state of an LSTM
    hn: Array | None = None  # (T, B, H): h' Wh_n + bn of a GRU, which r multiplies
    kept: Array | None = None  # (T, B, 1): 0 where a stream reads the boundary, else 1; None without a boundary
    rows: Array | None = None  # (T, B): rows of pairs that the first layer reads, -1 for none

    def before(self, state: Array, t: int | slice) -> Array:
        """Return h or c (T + 1, B, H) as the steps t read it: zero at a boundary."""
        return state[t] if self.kept is None else state[t] * self.kept[t]

    def passed(self, gradient: Array, t: int) -> Array:
        """Return the gradient (B, H) that step t passes to the previous step: zero at a boundary."""
        return gradient if self.kept is None else gradient * self.kept[t]


# ------------------------------------------------------------------------ forward


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without computing large exponentials."""
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z < 0, e, 1) / (1 + e), z.dtype)


def rnn_forward(layer: LayerTensors, x: Array, a: Array, kept: Array | None, h0: Array) -> Activations:
    """Run one tanh layer over a chunk; `a` (T, B, H) is x Wx + bh, which does not depend on the state."""
    h = _chunk_of(h0, len(a))
    act = Activations(x, h, gates=h[1:], kept=kept)
    for t in range(len(a)):
        h[t + 1] = np.tanh(a[t] + product(act.before(h, t), layer.Wh))
    return act


def gru_forward(layer: LayerTensors, x: Array, a: Array, kept: Array | None, h0: Array) -> Activations:
    """Run one GRU layer over a chunk; `a` (T, B, 3 H) is x Wx + bh."""
    H = h0.shape[-1]
    h = _chunk_of(h0, len(a))
    gates = np.empty_like(a)
    hn = np.empty_like(a[..., :H])
    act = Activations(x, h, gates, hn=hn, kept=kept)
    for t in range(len(a)):
        h_prev = act.before(h, t)
        q = product(h_prev, layer.Wh)
        r, z = np.split(sigmoid(a[t, ..., : 2 * H] + q[..., : 2 * H]), 2, axis=-1)
        hn[t] = q[..., 2 * H :] + layer.bn
        n = np.tanh(a[t, ..., 2 * H :] + r * hn[t])
        h[t + 1] = (1 - z) * n + z * h_prev
        gates[t] = np.concatenate([r, z, n], axis=-1)
    return act


def lstm_forward(layer: LayerTensors, x: Array, a: Array, kept: Array | None, h0: Array, c0: Array) -> Activations:
    """Run one LSTM layer over a chunk; `a` (T, B, G H) is x Wx + bh. With G = 3 the input gate i is 1 - f."""
    h = _chunk_of(h0, len(a))
    c = _chunk_of(c0, len(a))
    gates = np.empty_like(a)
    act = Activations(x, h, gates, c=c, kept=kept)
    G = a.shape[-1] // h0.shape[-1]
    for t in range(len(a)):
        *input_gate, f, g, o = np.split(a[t] + product(act.before(h, t), layer.Wh), G, axis=-1)
        *input_gate, f, g, o = (*map(sigmoid, input_gate), sigmoid(f), np.tanh(g), sigmoid(o))
        (i,) = input_gate or [1 - f]
        c[t + 1] = f * act.before(c, t) + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
        gates[t] = np.concatenate([*input_gate, f, g, o], axis=-1)
    return act


FORWARD: dict[str, Callable[..., Activations]] = {
    "rnn": rnn_forward,
    "gru": gru_forward,
    "lstm": lstm_forward,
    "cifg": lstm_forward,  # with three gates
}


def forward(
    p: Tensors, cell: str, x: Array, state: State, masks: Array | None = None, boundary: int | None = None
) -> tuple[list[Activations], Array]:
    """Run the network over a chunk x (T, B); return the activations of each layer, and the logits (T, B, V).

    The `masks` (L, T, B, H) are dropout factors of each layer's outputs, but not of the states. The symbols from
    `boundary` on (the labels' symbols follow it) reset the state to zero before they are read.
    """
    layers: list[Activations] = []
    below = x
    kept = None if boundary is None else (x < boundary)[..., None].astype(p.Wy.dtype)
    for k, layer in enumerate(p.layers):
        a = (symbol_table(p)[below] if k == 0 else product(below, layer.Wx)) + layer.bh
        rows = None if k else rows_of_pairs(p, x, state, boundary)
        of_layer = (s[k] for s in state[: len(CELLS[cell].states)])
        act = FORWARD[cell](layer, below, a + pair_input(p, rows), kept, *of_layer)
        layers.append(act._replace(rows=rows))
        below = _dropped(layers[k].h[1:], masks, k)
    return layers, product(below, p.Wy) + p.by


def state_after(layers: Sequence[Activations]) -> State:
    """Return a copy of the state after the chunk."""
    h = np.stack([layer.h[-1] for layer in layers])
    c = [layer.c[-1] for layer in layers if layer.c is not None]
    symbol = [] if layers[0].rows is None else [(layers[0].x[-1] + 1)[None, :, None].astype(np.int32)]
    return (h, *([np.stack(c)] if c else []), *symbol)


def softmax_loss(y: Array, targets: Array) -> tuple[float, Array]:
    """Return the loss (sum over t, mean over b, in nats) and its gradient dy, (T, B, V)."""
    T, B, _ = y.shape
    log_p = log_softmax(y)
    t, b = np.ogrid[:T, :B]
    dy = np.exp(log_p)
    dy[t, b, targets] -= 1
    return float(-log_p[t, b, targets].sum() / B), dy / B


def log_softmax(y: Array) -> Array:
    """Return log(softmax(y)) of logits y (..., V)."""
    y = y - y.max(axis=-1, keepdims=True)
    return np.asarray(y - np.log(np.exp(y).sum(axis=-1, keepdims=True)))


def _chunk_of(before: Array, T: int) -> Array:
    """Return an array for the states of T steps, (T + 1, B, H), starting with the state before them."""
    chunk = np.empty((T + 1, *before.shape), before.dtype)
    chunk[0] = before
    return chunk


def _dropped(a: Array, masks: Array | None, k: int) -> Array:
    """Return `a` times the mask of layer k, in the dtype of `a`."""
    return a if masks is None else a * masks[k].astype(a.dtype)


# ----------------------------------------------------------------------- backward
#
# Each function takes dh (T, B, H), the gradient of a layer's outputs from the logits or the layer above. It returns
# two gradients, (T, B, G H) each: da of a = x Wx + bh, and dq of the recurrent part q = h' Wh + bn. Only a GRU's dq
# differs from da. If `dstates` is given, the gradients of h (and of an LSTM's c) after each step are written to it,
# (T, B, H) each.


def rnn_backward(layer: LayerTensors, act: Activations, dh: Array, dstates: State | None = None) -> tuple[Array, Array]:
    """Back-propagate through one tanh layer."""
    da = np.empty_like(act.gates)
    dh_later = np.zeros_like(dh[0])  # the gradient of h[t + 1] from the later steps
    for t in reversed(range(len(da))):
        dh_t = dh[t] + dh_later
        da[t] = (1 - act.h[t + 1] ** 2) * dh_t
        _keep(dstates, t, dh_t)
        dh_later = act.passed(product(da[t], layer.Wh.T), t)
    return da, da


def gru_backward(layer: LayerTensors, act: Activations, dh: Array, dstates: State | None = None) -> tuple[Array, Array]:
    """Back-propagate through one GRU layer."""
    assert act.hn is not None
    da = np.empty_like(act.gates)
    dq = np.empty_like(act.gates)
    dh_later = np.zeros_like(dh[0])
    for t in reversed(range(len(da))):
        r, z, n = np.split(act.gates[t], 3, axis=-1)
        dh_t = dh[t] + dh_later
        da_n = (1 - n**2) * (1 - z) * dh_t
        da_z = z * (1 - z) * (act.before(act.h, t) - n) * dh_t
        da_r = r * (1 - r) * act.hn[t] * da_n
        da[t] = np.concatenate([da_r, da_z, da_n], axis=-1)
        dq[t] = np.concatenate([da_r, da_z, r * da_n], axis=-1)
        dh_later = act.passed(z * dh_t + product(dq[t], layer.Wh.T), t)
        _keep(dstates, t, dh_t)
    return da, dq


def lstm_backward(
    layer: LayerTensors, act: Activations, dh: Array, dstates: State | None = None
) -> tuple[Array, Array]:
    """Back-propagate through one LSTM layer."""
    assert act.c is not None
    da = np.empty_like(act.gates)
    dh_later = np.zeros_like(dh[0])
    dc_later = np.zeros_like(dh[0])
    G = da.shape[-1] // dh.shape[-1]
    for t in reversed(range(len(da))):
        *input_gate, f, g, o = np.split(act.gates[t], G, axis=-1)
        (i,) = input_gate or [1 - f]
        tanh_c = np.tanh(act.c[t + 1])
        dh_t = dh[t] + dh_later
        dc = (1 - tanh_c**2) * o * dh_t + dc_later
        da_i = [i * (1 - i) * g * dc for i in input_gate]
        da_f = f * (1 - f) * (act.before(act.c, t) - (0 if input_gate else g)) * dc  # without i, f also weighs -g
        da_g = (1 - g**2) * i * dc
        da_o = o * (1 - o) * tanh_c * dh_t
        da[t] = np.concatenate([*da_i, da_f, da_g, da_o], axis=-1)
        dh_later = act.passed(product(da[t], layer.Wh.T), t)
        dc_later = act.passed(f * dc, t)
        _keep(dstates, t, dh_t, dc)
    return da, da


def _keep(dstates: State | None, t: int, *gradients: Array) -> None:
    """Write the gradients (B, H) of the states after step t, if `dstates` is given."""
    for array, gradient in zip(dstates or (), gradients, strict=dstates is not None):
        array[t] = gradient


BACKWARD = {"rnn": rnn_backward, "gru": gru_backward, "lstm": lstm_backward, "cifg": lstm_backward}


def backward(
    p: Tensors,
    cell: str,
    layers: Sequence[Activations],
    dy: Array,
    masks: Array | None = None,
    dstates: Sequence[State] | None = None,
) -> Tensors:
    """Back-propagate dy (T, B, V) through the chunk; return the gradients in the shapes of the parameters.

    If `dstates` is given, the gradients of each layer's states after each step are written to it, (T, B, H) each.
    """
    outputs = _dropped(layers[-1].h[1:], masks, -1)
    dWy = over_rows(outputs, dy)
    dby = dy.sum(axis=(0, 1))
    gradients: list[LayerTensors] = []
    dh = product(dy, p.Wy.T)
    dembedding = None
    dpairs = None
    for k in reversed(range(len(layers))):
        layer = p.layers[k]
        act = layers[k]
        da, dq = BACKWARD[cell](layer, act, _dropped(dh, masks, k), dstates[k] if dstates else None)
        if k == 0:
            dWx = np.zeros((len(p.by), da.shape[-1]), da.dtype)
            np.add.at(dWx, act.x, da)
            dpairs = pair_gradient(p, act.rows, da)
            if p.embedding is not None:  # so far it is the gradient of embedding Wx
                dembedding = product(dWx, layer.Wx.T)
                dWx = product(p.embedding.T, dWx)
        else:
            dWx = over_rows(act.x, da)
            dh = product(da, layer.Wx.T)
        H = act.h.shape[-1]
        dbn = dq[..., -H:].sum(axis=(0, 1)) if CELLS[cell].separate_bias else None
        dWh = over_rows(act.before(act.h[:-1], slice(None)), dq)
        gradients.insert(0, LayerTensors(dWx, dWh, da.sum(axis=(0, 1)), dbn))
    return Tensors(tuple(gradients), dWy, dby, dembedding, dpairs, p.pairs)


def loss_and_gradients(
    p: Tensors,
    cell: str,
    x: Array,
    targets: Array,
    state: State,
    masks: Array | None = None,
    boundary: int | None = None,
    loss_of: Callable[[Array, Array], tuple[float, Array]] = softmax_loss,
) -> tuple[float, Tensors, State]:
    """Return the chunk's loss, its unclipped gradients, and the state after it; see `forward`.

    `targets` (T, B) follow the symbols x. `loss_of` maps logits and targets to the loss and the gradient of the logits.
    """
    layers, y = forward(p, cell, x, state, masks, boundary)
    loss, dy = loss_of(y, targets)
    return loss, backward(p, cell, layers, dy, masks), state_after(layers)


# ----------------------------------------------------------------------- training


def train_step(
    p: Tensors,
    cell: str,
    optimizer_state: Sequence[Tensors],
    x: Array,
    targets: Array,
    state: State,
    learning_rate: float,
    clip: float = math.inf,
    *,
    masks: Array | None = None,
    weight_masks: Sequence[Array] | None = None,
    boundary: int | None = None,
    **options: Any,
) -> tuple[float, State]:
    """Take one training step, in place on `p` and `optimizer_state`; return the loss before it and the state after it.

    `weight_masks`, (H, G H) for each layer, multiply the recurrent weights. The options are `loss_of` and those of
    `optimizers.update`.
    """
    seen = p if weight_masks is None else _with_dropped_weights(p, weight_masks)
    loss_of = options.pop("loss_of", softmax_loss)
    loss, d, state = loss_and_gradients(seen, cell, x, targets, state, masks, boundary, loss_of)
    if weight_masks is not None:  # the derivative of Wh * mask by Wh is the mask
        d = _with_dropped_weights(d, weight_masks)
    optimizer = options.pop("optimizer", "adagrad")
    rows = None if d.pair_table is None else np.flatnonzero(d.pair_table.any(axis=1))
    update(optimizer, p, d, optimizer_state, learning_rate, clip, rows=rows, **options)
    return loss, state


def _with_dropped_weights(p: Tensors, masks: Sequence[Array]) -> Tensors:
    """Return the tensors with each layer's Wh, or its gradient, multiplied by a mask."""
    layers = (
        layer._replace(Wh=layer.Wh * mask.astype(layer.Wh.dtype)) for layer, mask in zip(p.layers, masks, strict=True)
    )
    return replace(p, layers=tuple(layers))


# --------------------------------------------------------------------- inference


def log_probabilities(
    p: Tensors, cell: str, ids: Array, state: State, boundary: int | None = None
) -> tuple[Array, State]:
    """Return log P of each symbol of ids (n, B), given the state and the previous symbols, and the final state.

    The first symbol of each stream is predicted from `state` alone.
    """
    layers, _ = forward(p, cell, ids, state, boundary=boundary)
    log_p = log_softmax(product(layers[-1].h[:-1], p.Wy) + p.by)
    return np.take_along_axis(log_p, ids[..., None].astype(np.intp), axis=-1)[..., 0], state_after(layers)


def string_score(p: Tensors, cell: str, ids: NDArray[Any], state: State, reduce: str = "sum") -> float:
    """Return the score of the string ids (n,), starting from the state of one stream; an empty string has score 0."""
    log_p, _ = log_probabilities(p, cell, ids[:, None], state)
    if reduce == "min":
        return float(log_p.min(initial=0.0))
    if reduce == "joint":
        return float(log_p.min(initial=0.0) + 3 * log_p.sum() / max(len(ids), 1))
    return float(log_p.sum() / max(len(ids), 1) ** {"sum": 0, "scaled": 0.75, "mean": 1}[reduce])


# ---------------------------------------------------------------- gradients of a text


def text_gradient(
    p: Tensors, cell: str, ids: Array, at: int | None = None, boundary: int | None = None
) -> tuple[float, Tensors, State]:
    """Return the loss in nats of a text, or of the symbol at `at` alone, and its gradients.

    They are of the parameters, and of the states (L, n, H) after each symbol.
    """
    n = len(ids)
    H = len(p.Wy)
    n_states = len(CELLS[cell].states)
    first = [] if boundary is None else [boundary]
    x = np.array([*first, *ids], np.intp)[:, None]
    layers, y = forward(p, cell, x, zero_state(p, cell, 1), boundary=boundary)
    # Row i predicts ids[i]. Without a boundary, the logits of the zero state come first.
    y = np.concatenate([y if first else p.by + np.zeros_like(y[:1]), *([] if first else [y])])[:n]
    log_p = log_softmax(y)[np.arange(n), 0]
    counted = np.ones(n) if at is None else (np.arange(n) == at).astype(float)
    loss = -float(log_p[np.arange(n), ids] @ counted)
    dy = np.exp(log_p)
    dy[np.arange(n), ids] -= 1
    dy *= counted[:, None].astype(dy.dtype)

    # The gradients of the logits after each x; the last ones predict nothing.
    rows = np.zeros((len(x), 1, dy.shape[1]), dy.dtype)
    rows[: n - 1 + len(first), 0] = dy[1 - len(first) :]
    dstates = [tuple(np.empty((len(x), 1, H), dy.dtype) for _ in range(n_states)) for _ in p.layers]
    gradients = backward(p, cell, layers, rows, dstates=dstates)
    if not first:  # the logits of the zero state are just the bias
        gradients.by[...] += dy[0]
    states = tuple(np.stack([of_layer[i][len(first) :, 0] for of_layer in dstates]) for i in range(n_states))
    return loss, gradients, states


# ---------------------------------------------------------------- dynamic evaluation

EPSILON = 0.01  # of the mean of all root mean squares
LIMIT = 5.0  # of a step, in standard deviations of the training gradient


def adaptation_step(
    p: Tensors, d: Tensors, trained: Tensors, rms: Tensors, learning_rate: float, decay: float, count: int
) -> None:
    """Take one step on a block, in place on `p`.

    `d` is the gradient of the sum of `count` losses of the block; `rms` are the root mean squares of the training
    gradients, in any unit: they are rescaled so that the norm for `by` is 1. The rates are per symbol.
    """
    mean = float(np.concatenate([part.ravel() for part in rms]).mean())
    unit = np.linalg.norm(rms.by)
    for w, dw, before, scale in zip(p, d, trained, rms, strict=True):
        back = np.minimum(count * decay * scale / mean, 1) * (before - w)
        limit = LIMIT * np.sqrt(count)
        w += back - learning_rate * np.clip(unit * dw / (scale + EPSILON * mean), -limit, limit)


def adaptive_surprisal(
    p: Tensors,
    cell: str,
    ids: Array,
    trained: Tensors,
    rms: Tensors,
    learning_rate: float,
    decay: float,
    block_length: int,
    boundary: int | None = None,
) -> Array:
    """Return -log P of each symbol of a text, while `p` adapts to the text in place.

    `p` initially equals `trained`. The zero state predicts the first symbol. A block predicts `block_length` symbols;
    the last may be shorter.
    """
    state = zero_state(p, cell, 1)
    nats = [-log_softmax(p.by)[ids[:1]]]
    for first in range(0, len(ids) - 1, block_length):
        block = ids[first : first + block_length + 1, None]
        layers, y = forward(p, cell, block[:-1], state, boundary=boundary)
        nats.append(-np.take_along_axis(log_softmax(y), block[1:, :, None], axis=-1).ravel())
        d = backward(p, cell, layers, softmax_loss(y, block[1:])[1])
        state = state_after(layers)
        adaptation_step(p, d, trained, rms, learning_rate, decay, len(block) - 1)
    return np.concatenate(nats)
