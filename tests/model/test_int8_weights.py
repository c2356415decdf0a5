"""8-bit weights: the nearest integers times a scale for each output."""

import numpy as np
import pytest

from crnn.model.int8_weights import LARGEST_INT8, SMALLEST_SCALE, int8_weights, integers_of, round_matrices
from crnn.model.layout import Layout


def test_each_output_has_a_scale_of_its_own_and_biases_stay():
    layout, rng = Layout(7, 5, np.dtype("float32"), "lstm", 2), np.random.default_rng(0)
    flat = layout.zeros()
    for array in layout.named(flat).values():
        array[...] = rng.normal(size=array.shape)
    before, (params, scales) = flat.copy(), int8_weights(layout, flat)
    np.testing.assert_array_equal(flat, before)
    of_before, of_after = layout.named(flat), layout.named(params)
    assert scales.keys() == {name for name, array in of_before.items() if array.ndim == 2}
    for name, array in of_after.items():
        if name not in scales:
            np.testing.assert_array_equal(array, of_before[name])
            continue
        assert scales[name].dtype == np.float32
        np.testing.assert_allclose(np.abs(array).max(axis=1), LARGEST_INT8 * scales[name], rtol=1e-6)
        assert (np.abs(array - of_before[name]) <= 0.5001 * scales[name][:, None]).all()
        assert np.abs(integers_of(array, scales[name])).max() == LARGEST_INT8


@pytest.mark.parametrize(("scale", "found"), [(0.0, 0.0), (SMALLEST_SCALE / 2, 0.0), (SMALLEST_SCALE, SMALLEST_SCALE)])
def test_tiny_weights_become_zero(scale, found):
    named = {"Why": np.array([[LARGEST_INT8 * scale, 0.0], [1.0, -2.0]], np.float32)}
    scales = round_matrices(named)
    np.testing.assert_allclose(scales["Why"], np.array([found, 2 / LARGEST_INT8], np.float32), rtol=1e-6)
    assert bool(named["Why"][0].any()) == (found > 0)
