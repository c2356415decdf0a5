"""Determine what a report describes: a model, or one of a classifier's models and its confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..char_rnn import CharRNN
from ..classifier import CharRNNClassifier
from ..errors import InvalidInputError, short_repr
from .classes import class_tables, labeled_texts

SHOWN = 20  # classes listed by name


class Subject(NamedTuple):
    """A report's model, training records and text, and for a classifier the additional facts and tables."""

    model: CharRNN
    text: Any  # None: use a sample of the model
    history: Sequence[dict[str, Any]]
    facts: Sequence[tuple[str, str]] = ()  # about a classifier
    classes: dict[str, Any] | None = None  # the classifier's tables


def subject_of(model: CharRNN | CharRNNClassifier, text: Any, labels: ArrayLike | None) -> Subject:
    """Return the subject of the report."""
    if isinstance(model, CharRNNClassifier):
        return _of_classifier(model, text, labels)
    if not isinstance(model, CharRNN):
        raise InvalidInputError(f"model is {short_repr(model)}, but must be a CharRNN or a CharRNNClassifier")
    if labels is not None:
        raise InvalidInputError("labels need a classifier, but model is a CharRNN. Omit labels.")
    return Subject(model, text, model.history_)


def _of_classifier(classifier: CharRNNClassifier, texts: Any, labels: ArrayLike | None) -> Subject:
    """Return the model and texts of the most frequent class or, without labels, of the first class."""
    classes, number, tables = classifier.classes_, 0, None
    named = ", ".join([*map(str, classes[:SHOWN].tolist()), *(["…"] if len(classes) > SHOWN else [])])
    facts = [("classifier", f"{len(classes):,} classes: {named}")]
    if labels is not None:
        part = labeled_texts(classifier, texts, labels)
        tables = class_tables(classifier, part)
        facts.append(("accuracy", f"{tables['accuracy']:.1%} of {part.described}"))
        number = int(np.bincount(part.numbers).argmax())
        texts = [text for text, own in zip(part.texts, part.numbers.tolist(), strict=True) if own == number]
    direction, turned = "forward", ""
    if classifier.directions == "backward":
        direction, turned = "backward", ", written and read in reverse"
        texts = None if texts is None else [text[::-1] for text in texts]
    facts.append(("steps", f"{classifier.n_steps_:,} in total"))
    facts.append(("shown here", f"the network for texts of {str(classes[number])!r}{turned}"))
    history = [record for record in classifier.history_ if record["direction"] == direction]
    return Subject(classifier.models_[direction].for_label(classes[number].item()), texts, history, facts, tables)
