"""The scores of strings by a model with labels: given a label for each, or whatever the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.sources.labels import label_numbers
from ...text.symbols.vocabulary import Text
from ..sampling.label_mixture import mixed

__all__ = ["labelled_scores", "refuse_labels"]

Array = NDArray[Any]


def labelled_scores(
    texts: list[Text],
    labels: Any,
    known: tuple[Any, ...],
    score: Callable[[Any, list[Text]], Array],
    log_prior: Callable[[], Array],
    *,
    normalize: str | None = None,
) -> NDArray[np.float64]:
    """Return log P of each text, (n,), or with ``normalize="char"`` its mean per symbol, the end among them.

    Parameters
    ----------
    texts : list of str or bytes
    labels : array-like of shape (n,), one label, or None
        The label that the probability of each text is given. None: the probability whatever the label.
    known : tuple
        The model's labels.
    score : callable
        Given a label and texts, returns log P of each text given the label.
    log_prior : callable
        Returns log P of each label before a text is read; called only without labels.
    normalize : {None, "char"}, default=None
    """
    if normalize not in (None, "char"):
        raise InvalidInputError(f"normalize must be None or 'char', not {normalize!r}")
    if labels is None:
        log_p = mixed(log_prior(), np.array([score(label, texts) for label in known]))
    elif isinstance(labels, str | int | float | np.generic):  # one for all
        log_p = score(labels, texts)
    else:
        numbers, log_p = label_numbers(labels, np.array(known), len(texts)), np.empty(len(texts))
        for k in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == k)
            log_p[places] = score(known[k], [texts[i] for i in places])
    return log_p / np.array([len(text) + 1 for text in texts]) if normalize == "char" else log_p


def refuse_labels(labels: Any) -> None:
    """Raise InvalidInputError if labels are given to a model without labels."""
    if labels is not None:
        raise InvalidInputError("labels is given, but the model was fitted without labels: leave it out")
