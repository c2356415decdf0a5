"""Class weights: the probability of each class before a text is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InvalidInputError, short_repr
from ...parameters.checks import checked_float, checked_sample_weights
from ...text.sources.labels import Labeled, label_number


def class_prior(labeled: Labeled, class_weight: Any, sample_weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the classes' relative frequencies times their weights, normalized, (K,)."""
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
