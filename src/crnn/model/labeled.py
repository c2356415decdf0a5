"""Labeled: the part of a labeled model that writes texts of one label, as a separate model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gradient_rms import gathered, spread
from .layout import Layout
from .state import ModelState

Array = NDArray[Any]


def state_of_label(state: ModelState, number: int) -> ModelState:
    """Return the state of a model of the documents with one label.

    A document of a labeled model starts with the symbol of its label, which is read from a zero state, like a
    boundary. So the new model's boundary gets that symbol's input weights. Without the output weights of the labels'
    symbols the softmax covers just the other symbols, which gives the probabilities conditional on the label.
    """
    vocabulary = state.vocabulary.with_labels(())
    places = _places(state.layout.vocab_size, len(vocabulary), number)
    pairs = None if state.layout.pairs is None else state.layout.pairs.renumbered(places)
    layout = replace(state.layout, vocab_size=len(vocabulary), pairs=pairs)
    return replace(
        state.copy(),
        vocabulary=vocabulary,
        layout=layout,
        hidden=state.layout.renumbered_states(tuple(array.copy() for array in state.hidden), places),
        params=_narrowed(state.params, state.layout, layout, number),
        optimizer_state={
            name: _narrowed(flat, state.layout, layout, number) for name, flat in state.optimizer_state.items()
        },
        gradient_rms=_narrowed_rms(state.gradient_rms, state.layout, layout, number),
        scales=None if state.scales is None else {**state.scales, "Why": state.scales["Why"][: len(vocabulary)]},
    )


def _places(V: int, new_V: int, number: int) -> NDArray[np.intp]:
    """Return the new id of each symbol: labels are removed, except one that replaces the boundary."""
    places = np.where(np.arange(V) < new_V - 1, np.arange(V), -1)
    places[new_V + number] = new_V - 1
    return places


def _narrowed_rms(rms: Array | None, old: Layout, new: Layout, number: int) -> Array | None:
    """Return the `gradient_rms` of the narrowed weights."""
    return None if rms is None else gathered(new, _narrowed(spread(old, rms), old, new, number))


def _narrowed(flat: Array, old: Layout, new: Layout, number: int) -> Array:
    """Return a flat vector without the labels' symbols, except one that replaces the boundary as an input."""
    out = new.zeros()
    before, after, V = old.tensors(flat), new.tensors(out), new.vocab_size
    for a, b in zip(before, after, strict=True):
        if a.shape == b.shape:  # no axis of symbols
            b[...] = a
    after.lookup[...] = before.lookup[:V]
    after.lookup[V - 1] = before.lookup[V + number]
    after.Wy[...], after.by[...] = before.Wy[:, :V], before.by[:V]
    return out
