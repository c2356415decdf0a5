"""Gradients without an update: of one chunk's loss, and of a text's loss by symbol."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.entry import core
from .._kernels.entry.structures import Packing
from ..arrays import Array
from ..errors import DivergenceError, InvalidInputError
from ..model.layout import Layout, aligned_zeros, n_labels
from ..model.state import ModelState, zero_hidden
from ..parameters.checks import checked_int
from ..runtime.threads import scipy_blas
from .team import Team

# ---------------------------------------------------------------- chunk gradient


class ChunkGradient:
    """The training kernels for chunks of T symbols of one stream; `flat` is the gradient of the latest chunk."""

    def __init__(self, layout: Layout, seq_length: int, boundary: int | None, *, bfloat16: bool = False) -> None:
        self._layout = layout
        self._many = bfloat16 or seq_length >= core.MANY_ROWS
        self._network = core.Network(
            layout,
            Packing(one_row=True, many=self._many, training=True, bfloat16=bfloat16, in_place=True),
            boundary=boundary,
            labels=n_labels(layout, boundary),
        )
        self._team = Team(self._network, layout, seq_length, [range(1)], dropout=False)
        self._panels = aligned_zeros(self._network.panels_size, layout.dtype)
        self.flat = self._team.shards[0].gradient

    def compute(
        self,
        params: Array,
        symbols: NDArray[np.integer[Any]],
        loss_weights: Array,
        state: tuple[Array, ...],
        state_gradients: tuple[Array, ...] | None = None,
    ) -> float:
        """Return the loss of a chunk in nats, and leave its gradient, without meaning if the loss is NaN, in `flat`.

        `state` (L, 1, H) precedes the first of T + 1 symbols; the targets' losses are multiplied by `loss_weights`.
        `state_gradients` (L, T, 1, H) are filled with the gradients of the states.
        """
        core.pack_weights(self._network, params, self._panels)
        (shard,) = self._team.shards
        for carried, array in zip(shard.carried, state, strict=True):
            carried[...] = array
        shard.loss_weights = np.ascontiguousarray(loss_weights[:, None], self._layout.dtype)
        shard.state_gradients = state_gradients
        self.flat[:] = 0
        arguments = self._network, params, self._panels, self._team, symbols.astype(np.uint32)[None]
        with nullcontext() if self._many else scipy_blas.one_thread():  # products of many rows use no BLAS
            loss = core.loss_and_gradients(*arguments)
        return loss if math.isfinite(loss) else math.nan


# ---------------------------------------------------------------- text gradient


class TextGradient(NamedTuple):
    """The loss of a text and its gradients; see `CharRNN.gradient`.

    Attributes
    ----------
    loss : float
        The loss, in nats.
    params : dict of str to ndarray
        The gradients of the weights, with the names and shapes of `CharRNN.params_`.
    states : ndarray of shape (L, len(text), H), or a tuple of arrays
        The gradients of the hidden states after each symbol; for an LSTM, the pair of h and c.
    """

    loss: float
    params: dict[str, Array]
    states: Array | tuple[Array, ...]


def gradient_of_text(state: ModelState, text: str | bytes, at: int | None, *, bfloat16: bool) -> TextGradient:
    """Return the loss of a text, or of its symbol at `at` alone, and its gradients, reading the text as one chunk."""
    ids = state.vocabulary.encode(text, name="text")
    if not len(ids):
        raise InvalidInputError("text is empty. Pass at least 1 symbol.")
    if at is not None and checked_int("at", at, 0) >= len(ids):
        raise InvalidInputError(f"at is {at}, but the text has positions 0 to {len(ids) - 1}")
    layout = state.layout
    boundary = state.vocabulary.boundary
    last = len(ids) - 1 if at is None else at
    flat = layout.zeros()
    loss = 0.0
    shape = (layout.num_layers, len(ids), layout.hidden_size)
    states = tuple(np.zeros(shape, layout.dtype) for _ in layout.kind.states)
    if boundary is None:
        chunk = ids[: last + 1]
        skipped = 0
    else:
        chunk = np.concatenate([np.array([boundary], ids.dtype), ids[: last + 1]])
        skipped = 1
    if len(chunk) > 1:
        T = len(chunk) - 1
        weights = np.full(T, at is None, layout.dtype)
        weights[-1] = 1
        gradient = ChunkGradient(layout, T, boundary, bfloat16=bfloat16)
        chunk_states = tuple(np.zeros((layout.num_layers, T, 1, layout.hidden_size), layout.dtype) for _ in states)
        loss = gradient.compute(state.params, chunk, weights, zero_hidden(layout, 1), chunk_states)
        flat = gradient.flat
        if math.isnan(loss):
            raise DivergenceError(1, loss)
        for array, found in zip(states, chunk_states, strict=True):
            # Row t of the chunk's states is the state after ids[t - skipped].
            array[:, : T - skipped] = found[:, skipped:, 0]
    if boundary is None and at in (None, 0):
        # The zero state predicts the first symbol: its logits are just the bias.
        by = layout.tensors(state.params).by.astype(np.float64)
        logits = by - by.max()
        p = np.exp(logits)
        loss += float(np.log(p.sum()) - logits[ids[0]])  # finite even where p underflows
        p /= p.sum()
        p[ids[0]] -= 1
        layout.tensors(flat).by[...] += p.astype(layout.dtype)
    return TextGradient(loss, layout.named(flat), states if len(states) > 1 else states[0])
