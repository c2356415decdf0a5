"""8-bit weights of a file: scales and integers that a quantized model may have."""

import numpy as np
import pytest

from crnn.files.int8_tensors import float_tensors, int8_fault, int8_tensors
from crnn.model.int8_weights import SMALLEST_SCALE

LARGEST_SCALE = np.finfo(np.float32).max / 127


@pytest.mark.parametrize(
    ("scale", "valid"),
    [
        (0, True),
        (SMALLEST_SCALE, True),
        (np.nextafter(np.float32(SMALLEST_SCALE), 0), False),
        (1, True),
        (LARGEST_SCALE, True),
        (np.nextafter(LARGEST_SCALE, np.float32(np.inf)), False),
        (-1, False),
        (np.nan, False),
    ],
)
def test_invalid_scales_are_named(scale, valid):
    tensors = {"a": np.ones((3, 2), np.int8), "a.scale": np.array([1, scale, 2], np.float32)}
    fault = int8_fault(tensors)
    assert fault is None if valid else fault.startswith("its tensor 'a.scale' contains an invalid scale: each is 0, ")


@pytest.mark.parametrize(("value", "valid"), [(-128, False), (-127, True), (0, True), (127, True)])
def test_minus_128_is_an_invalid_weight(value, valid):
    fault = int8_fault({"a": np.array([[1, value]], np.int8), "a.scale": np.ones(1, np.float32)})
    assert fault == (None if valid else "its tensor 'a' contains -128, which is not a valid 8-bit weight")
    assert int8_fault({"a": np.array([[1, value]], np.int8)}) is None  # without scales they are no weights


def test_matrices_are_scaled_by_output():
    weights = np.array([[127, -3, 5], [-127, 0, 9]], np.float32)
    tensors = {
        "decoder.weight": weights * np.array([[0.5], [2]], np.float32),
        "embedding.weight": weights * np.array([1, 0.25, 4], np.float32),
        "decoder.bias": np.array([0.3, 0.7], np.float32),
    }
    scales = {"decoder.weight": np.array([0.5, 2], np.float32), "embedding.weight": np.array([1, 0.25, 4], np.float32)}
    small = int8_tensors(tensors, scales)
    assert small["decoder.weight"].dtype == small["embedding.weight"].dtype == np.int8
    np.testing.assert_array_equal(small["decoder.weight"], weights)
    np.testing.assert_array_equal(small["embedding.weight"], weights)
    floats, found = float_tensors(small)
    assert floats.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(floats[name], array)
    assert found.keys() == scales.keys()
    for name, array in scales.items():
        np.testing.assert_array_equal(found[name], array)
