"""ClassData: a classifier's texts and labels, checked, in the reading order of a direction; and the class prior."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import checked_float, checked_sample_weights, has_items
from ...parameters.settings import checked_parameter
from ...text.sources.input_checks import python_values, refuse_other_collections
from ...text.sources.labels import Labeled, checked_labels, label_number
from ...text.sources.text_input import text_source

MIN_HELD_OUT, MAX_HELD_OUT = 10, 500  # one text in this many, and about this many in all, choose the weights
LEAST_SECONDS = 1e-3  # for a direction when the others have used up its time


class ClassData(NamedTuple):
    """Texts, their labels and weights."""

    texts: list[Any]
    labeled: Labeled
    sample_weight: ArrayLike | None  # weights, not yet checked
    n_symbols: int  # total number of symbols, with an end and a label for each text

    @classmethod
    def checked(cls, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Return the data of a call of `fit`, or raise InvalidInputError."""
        texts = _listed(X)
        source = text_source(texts)
        labeled = checked_labels(y, source.n_documents, name="y")
        if len(labeled.labels) < 2:
            (label,) = labeled.labels.tolist()
            raise InvalidInputError(f"y has only one class, {short_repr(label)}. Pass texts of at least two classes.")
        return cls(texts, labeled, sample_weight, source.max_length + source.n_documents)

    def held_out(self, *, known: bool = False) -> tuple[ClassData, ClassData] | None:
        """Return the texts to learn and those held out for weights, a tenth of each class or about 500 in all.

        None: no class has ten texts. The choice is always the same. With `known`, all symbols of the held-out texts
        occur in the texts to learn, as a model without a symbol for unknown characters requires.
        """
        n, numbers = len(self.texts), self.labeled.numbers
        every, order = max(MIN_HELD_OUT, n // MAX_HELD_OUT), np.random.default_rng(0).permutation(n)
        by_class = order[np.argsort(numbers[order], kind="stable")]
        counts = np.bincount(numbers, minlength=len(self.labeled.labels))
        rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)  # within the class
        chosen = rank % every == every - 1
        learned, held = by_class[~chosen], by_class[chosen]
        if known:
            symbols = set[Any]().union(*(self.texts[i] for i in learned.tolist()))
            new = np.array([not symbols.issuperset(self.texts[i]) for i in held.tolist()], np.bool_)
            learned, held = np.append(learned, held[new]), held[~new]
        return (self._part(np.sort(learned)), self._part(np.sort(held))) if len(held) else None

    def _part(self, places: NDArray[np.intp]) -> ClassData:
        texts = [self.texts[i] for i in places.tolist()]
        labeled = self.labeled._replace(numbers=self.labeled.numbers[places])
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[places]
        return ClassData(texts, labeled, weights, sum(map(len, texts)) + 2 * len(texts) + 1)

    def in_direction(self, direction: str, *, shuffled: bool) -> tuple[list[Any], Any, Any]:
        """Return the texts as a direction, "forward" or "backward", reads them, with their labels and weights.

        Shuffling is always the same; the last texts are held out for validation.
        """
        order = np.arange(len(self.texts))
        if shuffled:
            order = np.random.default_rng(0).permutation(order)
        turned = [self.texts[i] if direction == "forward" else self.texts[i][::-1] for i in order.tolist()]
        weights = None if self.sample_weight is None else np.asarray(self.sample_weight)[order]
        return turned, self.labeled.labels[self.labeled.numbers[order]], weights

    def limits(
        self, parameters: Mapping[str, Any], min_steps: int, seconds: float, directions: int
    ) -> dict[str, Any]:
        """Return the language model's parameters that limit training in the next direction.

        The texts are read more than `epochs` times until `min_steps` steps are taken. `directions` share the rest of
        `max_seconds`; `seconds` of them are used.
        """
        known = ("epochs", "batch_size", "seq_length", "max_steps", "max_seconds")
        epochs, B, T, max_steps, max_seconds = (checked_parameter(name, parameters[name]) for name in known)
        if max_seconds is not None:
            return {"max_seconds": max((max_seconds - seconds) / directions, LEAST_SECONDS)}
        if max_steps is not None:
            return {}
        per_epoch = -(-self.n_symbols // (B * min(T, max(self.n_symbols // B, 1))))
        return {"epochs": max(epochs, -(-min_steps // per_epoch))}


def _listed(X: Any) -> list[Any]:
    """Return texts as a list, or raise an error with the remedy."""
    if isinstance(X, os.PathLike):
        raise InvalidInputError(f"X is the path {X}. Pass crnn.Lines(X), or a list of texts.")
    if isinstance(X, str | bytes):
        raise InvalidInputError("X is a single text. Pass a list of texts.")
    refuse_other_collections(X, "X")
    if not has_items(X):
        raise InvalidInputError(f"X is of type {type(X).__name__}. Pass a list of texts.")
    return list(python_values(X))


def class_prior(labeled: Labeled, class_weight: Any, sample_weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the classes' relative frequencies times their weights, normalized, (K,).

    Examples
    --------
    >>> from crnn.text.sources.labels import checked_labels
    >>> labeled = checked_labels(["a", "b", "b", "b"])
    >>> class_prior(labeled, None).round(2).tolist(), class_prior(labeled, "balanced").round(2).tolist()
    ([0.25, 0.75], [0.5, 0.5])
    >>> class_prior(labeled, {"a": 3}).round(2).tolist()
    [0.5, 0.5]
    """
    weights = None if sample_weight is None else checked_sample_weights(sample_weight, len(labeled.numbers))
    counts = np.bincount(labeled.numbers, weights, len(labeled.labels)).astype(np.float64)
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.ones(len(counts))
    elif isinstance(class_weight, Mapping):
        for label, value in class_weight.items():
            k = label_number(label, labeled.labels, name="a label of class_weight")
            counts[k] *= checked_float(f"class_weight[{short_repr(label)}]", value, minimum=0.0)
    elif class_weight is not None:
        raise InvalidInputError(
            f"class_weight is {short_repr(class_weight)}. Pass None, 'balanced', or a dict from labels to numbers."
        )
    if not counts.sum() > 0 or not np.isfinite(counts).all():
        raise InvalidInputError("the weights of all classes are 0 or not finite. Give at least one a weight above 0.")
    return np.asarray(counts / counts.sum())
