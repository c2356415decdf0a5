"""The scores of strings from a labeled model, given a label for each, or whatever the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...text.sources.labels import label_numbers
from ...text.sources.text_input import TextLike, documents_of
from .string_scores import Reduce, checked_reduce, divided

Array = NDArray[Any]


def labeled_scores(
    texts: list[Any],
    labels: Any,
    known: tuple[Any, ...],
    score: Callable[[Any, list[Any], Reduce], Array],
    log_prior: Callable[[], Array],
    *,
    reduce: Reduce,
) -> NDArray[np.float64]:
    """Return the score of each text, (n,); see `LanguageModel.score_samples`.

    `score` scores texts given a label. Without `labels`, a text's probability is summed over all labels, with
    `log_prior`, which returns log P of each label before a text is read.
    """
    if checked_reduce(reduce) == "min" and labels is None:
        raise InvalidInputError(
            'reduce="min" needs the label of each text, because the model was fitted with labels. Pass labels, or use '
            "the model of one label."
        )
    if labels is None:
        log_p = mixed(log_prior(), np.array([score(label, texts, "sum") for label in known]))
        return divided(log_p, np.array([1 if text is None else len(text) + 1 for text in texts], np.intp), reduce)
    if isinstance(labels, str | int | float | np.generic):  # one for all
        return score(labels, texts, reduce)
    numbers, scores = label_numbers(labels, np.array(known), len(texts)), np.empty(len(texts))
    for k in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers == k)
        scores[places] = score(known[k], [texts[i] for i in places], reduce)
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


def refuse_labels(labels: Any) -> None:
    """Raise InvalidInputError if labels are given to a model without labels."""
    if labels is not None:
        raise InvalidInputError("labels is given, but the model was fitted without labels. Omit labels.")


def mixed(log_weights: Array, log_p: Array) -> NDArray[np.float64]:
    """Return ln sum over k of exp(log_weights[k] + log_p[k]), for (K,) and (K, n)."""
    with np.errstate(invalid="ignore"):  # for texts that cannot be scored
        total: NDArray[np.float64] = np.logaddexp.reduce(log_weights[:, None] + log_p, axis=0)
    return total
