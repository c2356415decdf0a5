"""Extension: a model whose vocabulary grows, and which keeps what it has learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..text.vocabulary import Vocabulary
from .layout import Layout

Array = NDArray[Any]


def extended(vocabulary: Vocabulary, other: Vocabulary) -> Vocabulary:
    """Return a vocabulary with the characters of both and the special symbols of the first.

    Examples
    --------
    >>> list(extended(Vocabulary.from_text("bd"), Vocabulary.from_text("abc")))
    ['a', 'b', 'c', 'd']
    """
    if other.kind != vocabulary.kind:
        return vocabulary  # encoding the text will say so
    codes = np.union1d(vocabulary.codes, other.codes)
    if len(codes) == len(vocabulary.codes):
        return vocabulary
    unknown, boundary = vocabulary.unknown is not None, vocabulary.boundary is not None
    return Vocabulary(codes, vocabulary.kind, unknown=unknown, boundary=boundary)


def widened(attributes: dict[str, Any], vocabulary: Vocabulary, layout: Layout) -> dict[str, Any]:
    """Return the attributes of a model for a larger vocabulary and its layout.

    New symbols add nothing to the hidden units. Their bias and what they get from the units are those of the old symbol
    whose bias is lowest, as a rule the rarest: each is as probable as that one, whatever has been read. Among the old
    symbols all probabilities stay in proportion. The optimiser has no memory of the new ones.
    """
    old_vocabulary, old_layout = attributes["vocabulary_"], attributes["_layout"]
    places = _places(old_vocabulary, vocabulary)
    # If there is another symbol, not the end of a document: where that is likely they would be as well.
    rarest = int(old_layout.tensors(attributes["_params"]).by[: old_vocabulary.boundary or None].argmin())
    return attributes | {
        "vocabulary_": vocabulary,
        "_layout": layout,
        "_params": _widened(attributes["_params"], old_layout, layout, places, rarest),
        "_memory": {
            name: _widened(flat, old_layout, layout, places, None) for name, flat in attributes["_memory"].items()
        },
    }


def _places(old: Vocabulary, new: Vocabulary) -> NDArray[np.intp]:
    """Return the new id of each old symbol."""
    specials = [
        after for before, after in ((old.unknown, new.unknown), (old.boundary, new.boundary)) if before is not None
    ]
    return np.concatenate([np.searchsorted(new.codes, old.codes), np.array(specials, np.intp)])


def _widened(flat: Array, old: Layout, new: Layout, places: NDArray[np.intp], pattern: int | None) -> Array:
    """Return a flat vector of the larger layout; the new symbols get what `pattern` has, or zeros."""
    out = new.zeros()
    before, after = old.tensors(flat), new.tensors(out)
    if pattern is not None:
        after.by[:] = before.by[pattern]
        after.Wy[...] = before.Wy[:, pattern, None]
    after.by[places] = before.by
    after.Wy[:, places] = before.Wy
    after.layers[0].Wx[places] = before.layers[0].Wx
    for k, (narrow, broad) in enumerate(zip(before.layers, after.layers, strict=True)):
        for a, b in list(zip(narrow, broad, strict=True))[0 if k else 1 :]:
            if a is not None and b is not None:
                b[...] = a
    return out
