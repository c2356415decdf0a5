"""A model's state for a larger vocabulary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..text.symbols.vocabulary import Vocabulary
from .gradient_rms import gathered, spread
from .layout import Layout
from .state import ModelState

Array = NDArray[Any]


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

    New symbols add nothing to the hidden units. They copy the output weights and bias of the old symbol with the
    lowest bias, usually the rarest, and so are as probable as it in every context. The old symbols' probabilities
    keep their proportions. The optimizer state of the new symbols is zero.
    """
    sizes, rms = (state.layout, layout, places(state.vocabulary, vocabulary)), state.gradient_rms
    # Do not copy the end of a document if there is another symbol: the new symbols would be likely wherever it is.
    rarest = int(state.layout.tensors(state.params).by[: state.vocabulary.boundary or None].argmin())
    return replace(
        state,
        vocabulary=vocabulary,
        layout=layout,
        gradient_rms=None if rms is None else gathered(layout, _widened(spread(state.layout, rms), *sizes, None)),
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
