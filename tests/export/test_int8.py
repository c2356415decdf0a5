import numpy as np
import pytest
from examples import random_language_model

from crnn.export.c_file import int8_cost, with_int8_weights
from crnn.export.int8 import quantize


def test_rows_have_scales_of_their_own():
    matrix = np.array([[127.0, -3.4, 0.5], [-0.0254, 0.00009, 0.0127], [0, 0, 0]])
    small = quantize(matrix)
    assert small.integers.tolist() == [[127, -3, 0], [-127, 0, 64], [0, 0, 0]]
    np.testing.assert_allclose(small.scale, [1, 0.0002, 0], rtol=1e-6)


def test_error_is_half_a_step():
    matrix = np.random.default_rng(0).normal(size=(11, 301)).astype(np.float32)
    small = quantize(matrix)
    assert (np.abs(small.values - matrix) <= 0.5001 * small.scale[:, None]).all()
    again = quantize(small.values)
    np.testing.assert_array_equal(again.integers, small.integers)


@pytest.mark.parametrize("source", ["abcde", b"abcde", ["abcd", "dcab"]], ids=["text", "bytes", "documents"])
def test_cost_is_about_the_difference_of_scores(source, monkeypatch):
    """Which it is on average: with so coarse weights that it is seen through the chance of a sample."""
    coarse = "crnn.export.int8.LARGEST"
    model = random_language_model(source)
    fine = int8_cost(model)
    monkeypatch.setattr(coarse, 2)
    cost, rounded = int8_cost(model), with_int8_weights(model)
    texts = model.sample(50, num_samples=100, random_state=1)
    difference = np.mean([model.score(text) - rounded.score(text) for text in texts])
    assert 0 < fine < cost / 100
    assert cost == pytest.approx(difference, rel=0.25)
