"""The probability of each class before a text is read."""

from __future__ import annotations

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.sources.labels import checked_labels
from crnn.training.preparation.class_data import class_prior

LABELS = ["c", "a", "b", "b", "c", "c", "b", "c"]  # 1, 3 and 4 of 8


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "found"),
    [
        (None, None, [1, 3, 4]), ("balanced", None, [1, 1, 1]), ({}, None, [1, 3, 4]),
        ({"a": 5, "c": 0.5}, None, [5, 3, 2]), ({"b": 0}, None, [1, 0, 4]), ({"a": 0, "b": 0}, None, [0, 0, 1]),
        (None, [7, 2, 0, 1, 0, 0, 4, 0], [2, 5, 7]), ({"c": 2}, [7, 2, 0, 1, 0, 0, 4, 0], [2, 5, 14]),
        ("balanced", [7, 2, 0, 1, 0, 0, 4, 0], [1, 1, 1]),
    ],
)  # fmt: skip
def test_prior(class_weight, sample_weight, found):
    prior = class_prior(checked_labels(LABELS), class_weight, sample_weight)
    np.testing.assert_allclose(prior, np.array(found) / sum(found))


@pytest.mark.parametrize(
    ("class_weight", "sample_weight", "message"),
    [
        ("equal", None, r"^class_weight is 'equal'\. Pass None, 'balanced', or a dict"),
        ([1, 2, 3], None, r"^class_weight is \[1, 2, 3\]\. Pass None"), (np.ones(3), None, "^class_weight is array"),
        ({"d": 1}, None, "^a label of class_weight "), ({"a": -1}, None, r"^class_weight\['a'\] must be"),
        ({"a": np.nan}, None, r"^class_weight\['a'\] must be"), ({"a": "2"}, None, r"^class_weight\['a'\] must be"),
        ({"a": 0, "b": 0, "c": 0}, None, "^the weights of all classes are 0 or not finite"),
        (None, [0] * 8, "0"), (None, [1, 2], "^sample_weight "),
    ],
)  # fmt: skip
def test_refuses_invalid_class_weights(class_weight, sample_weight, message):
    with pytest.raises(InvalidInputError, match=message):
        class_prior(checked_labels(LABELS), class_weight, sample_weight)
