"""The gradient of a text's loss with respect to the weights and to the states on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.state import ModelState, zero_hidden, zero_optimizer_state
from ..text.text_streams import TextStreams
from .step_settings import StepSettings
from .trainer import Trainer

__all__ = ["TextGradient", "text_gradient"]

Array = NDArray[Any]


class TextGradient(NamedTuple):
    """A loss and its gradients."""

    loss: float  # in nats
    params: dict[str, Array]  # named and shaped as `CharRNN.params_`
    states: Array | tuple[Array, ...]  # (L, len(text), H), after each symbol; of an LSTM the pair of h and c


def text_gradient(state: ModelState, ids: NDArray[np.unsignedinteger[Any]], at: int | None = None) -> TextGradient:
    """Return the loss of a text, or of one of its symbols, and its gradients; the whole text is one chunk.

    Parameters
    ----------
    state : ModelState
        Only its weights matter: the text starts from a hidden state of zeros, or from that after the boundary.
    ids : array of shape (n,)
        The text, one symbol or more.
    at : int, optional
        The one symbol whose loss counts. By default the losses of all are summed.

    Examples
    --------
    >>> from crnn import CharRNN
    >>> model = CharRNN(5, max_steps=0, random_state=0).fit("abc")
    >>> model.gradient("abca", at=2).states.any(axis=(0, 2)).tolist()  # only the symbols before it have a part
    [True, True, False, False]
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
        weights = np.full((len(chunk) - 1, 1), at is None, layout.dtype)
        weights[-1] = 1
        loss, flat, of_chunk = _chunk_gradient(state, chunk, weights)
        for array, gradient in zip(states, of_chunk, strict=True):
            # The state after the chunk's row t is that after ids[t - skipped].
            array[:, : len(chunk) - 1 - skipped] = gradient[:, skipped:, 0]
    if boundary is None and at in (None, 0):
        # The zero state predicts the first symbol: its logits are the bias alone.
        by = layout.tensors(state.params).by.astype(np.float64)
        p = np.exp(by - by.max())
        p /= p.sum()
        loss -= float(np.log(p[ids[0]]))
        p[ids[0]] -= 1
        layout.tensors(flat).by[...] += p.astype(layout.dtype)
    return TextGradient(loss, layout.named(flat), states if len(states) > 1 else states[0])


def _chunk_gradient(state: ModelState, chunk: Array, weights: Array) -> tuple[float, Array, tuple[Array, ...]]:
    """Return the loss of chunk[1:] with weights (T, 1), and its gradients: the flat one, and the states' (L, T, 1, H).

    A training step computes them: on a copy of the weights, at a learning rate of 0. The reducer, which in a training
    on several machines adds up their gradients, keeps the one of this step.
    """
    layout, T = state.layout, len(chunk) - 1
    copy = replace(
        state,
        params=state.params.copy(),
        optimizer="adagrad",
        optimizer_state=zero_optimizer_state("adagrad", layout),
        optimizer_start=0,
        hidden=zero_hidden(layout, 1),
        n_steps=0,
        history=[],
    )
    kept = layout.zeros()

    def keep(gradient: Array) -> None:
        kept[...] = gradient[: layout.size]

    streams = TextStreams(chunk, batch_size=1, seq_length=T)
    trainer = Trainer(copy, streams, StepSettings(seq_length=T), boundary=state.vocabulary.boundary, reduce=keep)
    (shard,) = trainer.team.shards
    shard.loss_weights = weights
    shape = (layout.num_layers, T, 1, layout.hidden_size)
    shard.state_gradients = tuple(np.zeros(shape, layout.dtype) for _ in layout.kind.states)
    with trainer:
        trainer.advance(np.zeros(1))
    return trainer.cursor.last_loss, kept, shard.state_gradients
