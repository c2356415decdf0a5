"""Scores by models with labels: given a text's label, or over all labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import InvalidInputError
from ..text.labels import label_number, label_numbers
from ..text.sources import TextLike, documents_of
from .reductions import Reduce, Scores, checked_reduce, divide_by_length


def labeled_scores(
    texts: list[Any],
    y: Any,
    sorted_labels: tuple[Any, ...],
    score: Callable[[int, list[Any], Reduce], Array],
    log_prior: Array,
    *,
    reduce: Reduce,
) -> NDArray[np.float64]:
    """Return the score of each text, (n,), from the scores given the label with a number, or summed over all labels."""
    if checked_reduce(reduce) in ("min", "joint") and y is None:
        raise InvalidInputError(
            f'reduce="{reduce}" needs the label of each text, because the model was fitted with labels. Pass y, or use '
            "the model of one label."
        )
    if y is None:
        of_labels = np.array([score(k, texts, "sum") for k in range(len(sorted_labels))])
        with np.errstate(invalid="ignore"):  # for texts that cannot be scored
            log_p: Scores = np.logaddexp.reduce(log_prior[:, None] + of_labels, axis=0)
        lengths = np.array([1 if text is None else len(text) + 1 for text in texts], np.intp)
        return divide_by_length(log_p, lengths, reduce)
    if isinstance(y, str | int | float | np.generic):  # one for all
        return score(label_number(y, np.array(sorted_labels), name="y"), texts, reduce)
    numbers = label_numbers(y, np.array(sorted_labels), len(texts))
    scores = np.empty(len(texts))
    for k in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers == k)
        scores[places] = score(k, [texts[i] for i in places], reduce)
    return scores


def mean_score(X: TextLike, score: Callable[[list[Any]], Array], *, exact: bool) -> float:
    """Return the mean log-likelihood per symbol of documents and their ends, given the `score` of each."""
    if not exact:
        raise InvalidInputError(
            "exact is False, which cuts one text into parts, but documents with labels are scored one by one. "
            "Omit exact."
        )
    texts = documents_of(X)
    return float(score(texts).sum()) / (len(texts) + sum(map(len, texts)))


def refuse_labels(y: Any) -> None:
    """Raise InvalidInputError if labels are given to a model without labels."""
    if y is not None:
        raise InvalidInputError("y is given, but the model was fitted without labels. Omit y.")
