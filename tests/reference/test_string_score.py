"""The score of a string by the reference, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crnn.model.layout import Layout
from crnn.reference.string_score import string_score


@pytest.mark.parametrize(
    ("ids", "reduce", "p"),
    [([0, 0, 1], "sum", 3 * 3 * 1), ([0, 0, 1], "mean", (3 * 3 * 1) ** (1 / 3)), ([0, 0, 1], "min", 1), ([], "min", 4),
     ([], "mean", 4)],
)  # fmt: skip
def test_probabilities_of_three_quarters_and_one(ids, reduce, p):
    layout = Layout(2, 3, np.dtype("float64"), "rnn", 1)
    params = layout.zeros()
    layout.tensors(params).by[:] = math.log(3), 0.0
    n = {"sum": len(ids), "mean": 1, "min": 1}[reduce]
    score = string_score(layout.tensors(params), "rnn", np.array(ids, np.intp), layout.zero_states(1), reduce)
    assert score == pytest.approx(math.log(p / 4**n), abs=1e-12)
