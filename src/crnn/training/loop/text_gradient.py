"""The gradient of a text's loss with respect to the weights and the hidden states."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DivergenceError, InvalidInputError
from ...model.state import ModelState, zero_hidden
from ...parameters.checks import checked_int
from .chunk_gradient import ChunkGradient

Array = NDArray[Any]


class TextGradient(NamedTuple):
    """A loss and its gradients."""

    loss: float  # in nats
    params: dict[str, Array]  # names and shapes as in `CharRNN.params_`
    states: Array | tuple[Array, ...]  # (L, len(text), H), after each symbol; for an LSTM, the pair of h and c


def gradient_of_text(
    state: ModelState, text: str | bytes, at: int | None, *, bfloat16: bool
) -> TextGradient:
    """Check the arguments and return the gradient of a text's loss; see `CharRNN.gradient`."""
    ids = state.vocabulary.encode(text, name="text")
    if not len(ids):
        raise InvalidInputError("text is empty. Pass at least 1 symbol.")
    if at is not None and checked_int("at", at, 0) >= len(ids):
        raise InvalidInputError(f"at is {at}, but the text has positions 0 to {len(ids) - 1}")
    return text_gradient(state, ids, at, bfloat16=bfloat16)


def text_gradient(
    state: ModelState, ids: NDArray[np.unsignedinteger[Any]], at: int | None = None, *, bfloat16: bool = False
) -> TextGradient:
    """Return the loss of a text, or of its symbol at `at` alone, and its gradients, reading the text as one chunk.

    Of the state only the weights are used: the text starts from the zero state, or the state after the boundary.
    """
    layout, boundary = state.layout, state.vocabulary.boundary
    last = len(ids) - 1 if at is None else at
    flat, loss = layout.zeros(), 0.0
    shape = (layout.num_layers, len(ids), layout.hidden_size)
    states = tuple(np.zeros(shape, layout.dtype) for _ in layout.kind.states)
    if boundary is None:
        chunk, skipped = ids[: last + 1], 0
    else:
        chunk, skipped = np.concatenate([np.array([boundary], ids.dtype), ids[: last + 1]]), 1
    if len(chunk) > 1:
        weights = np.full(len(chunk) - 1, at is None, layout.dtype)
        weights[-1] = 1
        loss, flat, of_chunk = _chunk_gradient(state, chunk, weights, bfloat16)
        for array, gradient in zip(states, of_chunk, strict=True):
            # Row t of the chunk's states is the state after ids[t - skipped].
            array[:, : len(chunk) - 1 - skipped] = gradient[:, skipped:, 0]
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


def _chunk_gradient(
    state: ModelState, chunk: Array, weights: Array, bfloat16: bool
) -> tuple[float, Array, tuple[Array, ...]]:
    """Return the loss of chunk[1:] with weights (T,), its flat gradient, and the states' gradients (L, T, 1, H)."""
    layout, T = state.layout, len(chunk) - 1
    gradient = ChunkGradient(layout, T, state.vocabulary.boundary, bfloat16=bfloat16)
    shape = (layout.num_layers, T, 1, layout.hidden_size)
    of_states = tuple(np.zeros(shape, layout.dtype) for _ in layout.kind.states)
    loss = gradient.compute(state.params, chunk, weights, zero_hidden(layout, 1), of_states)
    if math.isnan(loss):
        raise DivergenceError(1, loss)
    return loss, gradient.flat, of_states
