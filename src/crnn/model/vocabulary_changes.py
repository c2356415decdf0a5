"""Changes of a model's vocabulary: the part for one label, and rows for more symbols."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..text.vocabulary import Vocabulary
from .layout import Layout
from .state import ModelState, gather_rms, spread_rms


def state_of_label(state: ModelState, number: int) -> ModelState:
    """Return the state of a model of the documents with one label, whose symbol replaces the boundary as an input.

    Without the labels' output weights the softmax gives the probabilities conditional on the label.
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
    return None if rms is None else gather_rms(new, _narrowed(spread_rms(old, rms), old, new, number))


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


def extended(vocabulary: Vocabulary, other: Vocabulary) -> Vocabulary:
    """Return a vocabulary with the characters of both, and the special symbols of the first."""
    if other.kind != vocabulary.kind:
        return vocabulary  # encoding the text will raise the error
    codes = np.union1d(vocabulary.codes, other.codes)
    if len(codes) == len(vocabulary.codes):
        return vocabulary
    unknown, boundary = vocabulary.unknown is not None, vocabulary.boundary is not None
    return Vocabulary(codes, vocabulary.kind, unknown=unknown, boundary=boundary, labels=vocabulary.labels)


def widened(state: ModelState, vocabulary: Vocabulary, layout: Layout) -> ModelState:
    """Return a model's state for a larger vocabulary and its layout.

    New symbols add nothing to the hidden units, and copy the output weights of the old symbol with the lowest bias.
    """
    sizes, rms = (state.layout, layout, places(state.vocabulary, vocabulary)), state.gradient_rms
    # Do not copy the end of a document if there is another symbol: the new symbols would be likely wherever it is.
    rarest = int(state.layout.tensors(state.params).by[: state.vocabulary.boundary or None].argmin())
    return replace(
        state,
        vocabulary=vocabulary,
        layout=layout,
        gradient_rms=None if rms is None else gather_rms(layout, _widened(spread_rms(state.layout, rms), *sizes, None)),
        hidden=state.layout.renumbered_states(state.hidden, sizes[2]),
        params=_widened(state.params, *sizes, rarest),
        optimizer_state={name: _widened(flat, *sizes, None) for name, flat in state.optimizer_state.items()},
    )


def places(old: Vocabulary, new: Vocabulary) -> NDArray[np.intp]:
    """Return the new id of each old symbol."""
    specials = [
        after for before, after in ((old.unknown, new.unknown), (old.boundary, new.boundary)) if before is not None
    ]
    characters, labels = np.searchsorted(new.codes, old.codes), np.arange(len(new) - len(new.labels), len(new))
    return np.concatenate([characters, np.array(specials, np.intp), labels])


def _widened(flat: Array, old: Layout, new: Layout, places: NDArray[np.intp], pattern: int | None) -> Array:
    """Return a flat vector of the larger layout; the new symbols get the output weights of `pattern`, or zeros."""
    out = new.zeros()
    before, after = old.tensors(flat), new.tensors(out)
    if pattern is not None:
        after.by[:] = before.by[pattern]
        after.Wy[...] = before.Wy[:, pattern, None]
    after.by[places] = before.by
    after.Wy[:, places] = before.Wy
    after.lookup[places] = before.lookup
    for a, b in zip(before, after, strict=True):
        if a.shape == b.shape:  # no axis of symbols
            b[...] = a
    return out
