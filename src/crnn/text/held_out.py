"""Parts of a training text that are held out: for the weights of a mixture, and for the order of its counts."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InvalidInputError
from .labels import checked_labels
from .sources import IN_MEMORY, TextLike, TextSource, documents_of, text_source

# A text of at least MIN_LENGTH symbols has a part held out: every HELD_OUT_EVERY-th document, or that fraction of the
# symbols in HELD_OUT_PASSAGES passages, but at most MAX_HELD_OUT symbols. On names, 2,500 symbols gain 0.003 nats; on
# War and Peace after one minute of training, 16,384 gain 0.005.
MIN_LENGTH = 200_000
HELD_OUT_EVERY = 100
HELD_OUT_PASSAGES = 8
MAX_HELD_OUT = 16_384


class HeldOut(NamedTuple):
    """A text or documents that the models do not learn, with a label for each document if there are labels."""

    source: TextSource
    labels: list[Any] | None = None


class Split(NamedTuple):
    """What models learn, and what is held out from them, if anything."""

    X: TextLike
    y: ArrayLike | None = None
    sample_weight: ArrayLike | None = None
    held_out: HeldOut | None = None


def split_held_out(
    X: TextLike, validation: Any = None, *, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> Split:
    """Return what to learn and the text for the weights, which is a part of `X` if there is no `validation`.

    The part has no symbols and no labels of its own, since the models must know all symbols and labels.
    """
    if validation is not None:
        return Split(X, y, sample_weight, held_out=_validation(validation, y))
    source = text_source(X)
    if not MIN_LENGTH <= source.max_length <= IN_MEMORY:
        return Split(X, y, sample_weight)
    if not source.holds_documents:
        return _split_text(X)
    return _split_documents(X, y, sample_weight)


def _validation(validation: Any, y: ArrayLike | None) -> HeldOut:
    """Return a validation text, or the documents and labels of a pair."""
    is_pair = isinstance(validation, tuple)
    if is_pair and len(validation) != 2:
        raise InvalidInputError(f"validation is a tuple of {len(validation)} values. Pass a text or a pair (X, y).")
    if y is None:
        if is_pair:
            raise InvalidInputError("validation has labels, but y is missing. Pass a label for each document of X.")
        return HeldOut(text_source(validation, "validation"))
    if not is_pair:
        raise InvalidInputError("validation has no labels, but y is given. Pass a pair of documents and labels (X, y).")
    documents, labels = validation
    source = text_source(documents, "validation")
    checked = checked_labels(labels, source.n_documents, name="validation[1]")
    return HeldOut(source, checked.labels[checked.numbers].tolist())


def _split_text(X: TextLike) -> Split:
    """Hold out passages of a text, each as far from the others as possible."""
    (text,) = documents_of(X)
    length = min(len(text) // HELD_OUT_EVERY, MAX_HELD_OUT) // HELD_OUT_PASSAGES
    starts = [(2 * i + 1) * len(text) // (2 * HELD_OUT_PASSAGES) for i in range(HELD_OUT_PASSAGES)]
    cuts = [0, *(cut for start in starts for cut in (start, start + length)), len(text)]
    pieces = [text[i:j] for i, j in itertools.pairwise(cuts)]
    empty = text[:0]
    known = set(empty.join(pieces[::2]))
    passages = [i for i in range(1, len(pieces), 2) if known.issuperset(pieces[i])]
    held_out = empty.join(pieces[i] for i in passages)
    if not held_out:
        return Split(X)
    rest = empty.join(piece for i, piece in enumerate(pieces) if i not in passages)
    return Split(rest, held_out=HeldOut(text_source(held_out)))


def _split_documents(X: TextLike, y: ArrayLike | None, sample_weight: ArrayLike | None) -> Split:
    """Hold out every hundredth document, with its label and weight."""
    texts = documents_of(X)
    n = len(texts)
    labels = None
    if y is not None:
        checked = checked_labels(y, n)
        labels = checked.labels[checked.numbers]
    weights = None if sample_weight is None else np.asarray(sample_weight)
    if weights is not None and weights.shape != (n,):
        return Split(X, y, sample_weight)  # the models refuse such weights
    candidates = range(HELD_OUT_EVERY // 2, n, HELD_OUT_EVERY)
    stays = np.ones(n, bool)
    stays[candidates] = False
    known = set(texts[0][:0].join(text for text, is_learned in zip(texts, stays, strict=True) if is_learned))
    known_labels = None if labels is None else {*labels[stays].tolist()}
    for i in candidates:
        is_known = known.issuperset(texts[i])
        if labels is not None and known_labels is not None:
            is_known = is_known and labels[i].item() in known_labels
        stays[i] = not is_known
    held_out = [texts[i] for i in np.flatnonzero(~stays)]
    if not any(held_out):
        return Split(X, y, sample_weight)
    rest = [texts[i] for i in np.flatnonzero(stays)]
    held_out_labels = None if labels is None else labels[~stays].tolist()
    return Split(
        rest,
        y=None if labels is None else labels[stays],
        sample_weight=None if weights is None else weights[stays],
        held_out=HeldOut(text_source(held_out), held_out_labels),
    )
