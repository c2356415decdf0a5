"""Discounts: Chen and Goodman's estimates, and what stands in for them in short texts."""

import numpy as np
import pytest

from crnn.ngram.kneser_ney import discounts
from crnn.reference import kneser_ney


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        ([0, 0, 0, 0], [0, 0.5, 1, 1.5]),
        ([7, 3, 2, 0], [0, 0.5, 1, 1.5]),
        ([10, 100, 5, 1], [0, 10 / 210, 2 - 3 * 10 / 210 * 5 / 100, 3 - 4 * 10 / 210 * 1 / 5]),
        ([100, 10, 90, 1], [0, 100 / 120, 1, 3 - 4 * 100 / 120 * 1 / 90]),  # the second estimate is below 0
        ([4, 1, 1, 1], [0, 2 / 3, 1, 1 / 3]),  # the second estimate is 0
    ],
)
def test_discounts_match_reference_and_expected_values(n, expected):
    assert discounts(np.array([n]))[0] == pytest.approx(expected)
    counts = [k for k, times in enumerate(n, start=1) for _ in range(times)]
    assert kneser_ney.discounts([*counts, 5, 9]) == pytest.approx(expected)
