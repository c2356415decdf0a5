import numpy as np

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
