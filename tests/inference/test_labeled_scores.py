"""Scores of texts with a label each, one label for all, and whatever the label."""

import numpy as np
import pytest

from crnn.inference.string_scores import labeled_scores

KNOWN = ("x", "y")
TEXTS = ["ab", "", "c", None]
LABEL_FACTORS = [1.0, 10.0]


def score(k, texts, reduce):
    """Return scores that tell label, length and how they were reduced."""
    factor = {"sum": 1.0, "mean": 0.1, "min": 0.01}[reduce]
    return np.array([np.nan if text is None else -LABEL_FACTORS[k] * factor * (1 + len(text)) for text in texts])


def scores(labels, reduce="sum"):
    return labeled_scores(TEXTS, labels, KNOWN, score, np.log([0.25, 0.75]), reduce=reduce)


@pytest.mark.parametrize(("reduce", "factor"), [("sum", 1.0), ("mean", 0.1), ("min", 0.01)])
def test_a_label_for_each_text_or_for_all(reduce, factor):
    each = [-30 * factor, -1 * factor, -20 * factor, np.nan]
    np.testing.assert_allclose(scores(["y", "x", "y", "x"], reduce), each)
    np.testing.assert_allclose(scores("x", reduce), [-3 * factor, -1 * factor, -2 * factor, np.nan])


def test_without_labels_all_of_them_count():
    total = np.log(0.25 * np.exp(-np.array([3, 1, 2.0])) + 0.75 * np.exp(-np.array([30, 10, 20.0])))
    np.testing.assert_allclose(scores(None), [*total, np.nan])
    np.testing.assert_allclose(scores(None, "mean"), [*(total / [3, 1, 2]), np.nan])
    np.testing.assert_allclose(scores(None, "scaled"), [*(total / np.array([3, 1, 2]) ** 0.75), np.nan])
