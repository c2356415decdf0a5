"""What a report shows of a classifier: its confusion matrix and its mistakes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..char_rnn import CharRNN
from ..errors import InvalidInputError, short_repr
from ..text.documents import python_values
from ..text.labels import checked_labels
from ..text_classifier import TextClassifier
from .shown_text import MAX_LENGTH, Text, display_text

CLASSIFYING_WORK = 2e11  # multiplications by weights for classifying the texts, which take a few seconds in batches
MIN_TEXTS = 1000
MAX_CLASSES = 40  # of the table; the rarest share the last row and column
MAX_MISTAKES = 15  # listed mistakes
EXAMPLES_PER_CELL = 5  # examples per cell
OTHERS = "(others)"


class LabeledTexts(NamedTuple):
    """The texts to classify, the first ones of those given, and the number of each text's class."""

    texts: list[Text]
    numbers: NDArray[np.intp]
    size: str  # the number of texts, in words


def labeled_texts(classifier: TextClassifier, texts: Any, y: ArrayLike) -> LabeledTexts:
    """Return as many texts and labels as can be classified in a few seconds."""
    if texts is None or isinstance(texts, str | bytes | Path):
        raise InvalidInputError("y needs a list of texts, but X is not a list. Pass one text per label.")
    whole = list(python_values(texts))
    labeled = checked_labels(y, len(whole))
    classes = classifier.classes_
    numbers_of = {label: number for number, label in enumerate(classes.tolist())}
    for label in labeled.labels.tolist():
        if label not in numbers_of:
            raise InvalidInputError(f"y contains {short_repr(label)}, which the classifier was not fitted with")
    numbers = np.array([numbers_of[label] for label in labeled.labels.tolist()], np.intp)[labeled.numbers]
    models = [model for directions in classifier.models_ for model in directions.values()]
    networks = [model for model in models if isinstance(model, CharRNN)]
    n_weights = sum(array.size for network in networks for array in network.params_.values())
    limit = CLASSIFYING_WORK / (n_weights * len(classes))
    n = max(MIN_TEXTS, int(np.searchsorted(np.cumsum([len(text) + 1 for text in whole]), limit)))
    size = f"{'the first' if n < len(whole) else 'all'} {min(n, len(whole)):,} texts"
    return LabeledTexts(whole[:n], numbers[:n], size)


def class_tables(classifier: TextClassifier, part: LabeledTexts) -> dict[str, Any]:
    """Return the confusion matrix with examples, the accuracy, and the most confident mistakes."""
    p = np.asarray(classifier.predict_proba(part.texts))
    predicted = p.argmax(axis=1)
    names, group = _groups(classifier.classes_, part.numbers)
    K = len(names)
    true = group[part.numbers]
    guessed = group[predicted]
    counts = np.bincount(K * true + guessed, minlength=K * K).reshape(K, K)
    right = part.numbers == predicted
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    cells: dict[str, list[Any]] = {}
    for i in order.tolist():
        cell = cells.setdefault(f"{true[i]},{guessed[i]}", [])
        if len(cell) < EXAMPLES_PER_CELL:
            cell.append(_row(part.texts[i], confidence[i]))
    mistakes = [i for i in order.tolist() if not right[i]][:MAX_MISTAKES]
    return {
        "note": f"The classifier is right for {right.mean():.1%} of {part.size}.",
        "accuracy": float(right.mean()),
        "names": names,
        "counts": counts.tolist(),
        "cells": cells,
        "mistakes": [
            {**_row(part.texts[i], confidence[i]), "true": names[true[i]], "predicted": names[guessed[i]]}
            for i in mistakes
        ],
    }


def _groups(classes: NDArray[Any], numbers: NDArray[np.intp]) -> tuple[list[str], NDArray[np.intp]]:
    """Return the names of the table's classes, and each class's number in the table; the rarest share the last."""
    if len(classes) <= MAX_CLASSES:
        return list(map(str, classes.tolist())), np.arange(len(classes))
    frequent = sorted(number for number, _ in Counter(numbers.tolist()).most_common(MAX_CLASSES - 1))
    group = np.full(len(classes), len(frequent), np.intp)
    group[frequent] = np.arange(len(frequent))
    return [*map(str, classes[frequent].tolist()), OTHERS], group


def _row(text: Text, probability: float) -> dict[str, Any]:
    return {"text": display_text(text[:MAX_LENGTH]), "p": round(float(probability), 4)}
