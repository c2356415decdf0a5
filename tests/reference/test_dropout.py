"""The reference dropout: a mask is a function of its place alone, and as random as it says."""

import math

import numpy as np
import pytest

from crnn.reference import dropout as reference_dropout


def mixed(x):
    """lowbias32 in Python's own numbers."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ x >> 16


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 7, 2**64 - 1])
@pytest.mark.parametrize("step", [1, 2**32 + 1])
@pytest.mark.parametrize(("layer", "t", "stream"), [(0, 0, 0), (1, 2, 3), (3, 2**31 - 1, 2**31 - 1)])
def test_a_mask_is_a_function_of_its_place(seed, step, layer, t, stream):
    key = mixed(seed % 2**32)
    key = mixed(key ^ seed // 2**32)
    key = mixed(key ^ step % 2**32)
    key = mixed(key ^ (layer * 0x9E3779B9 + t) % 2**32)
    key = mixed(key ^ stream)
    u = [mixed((key + j * 0x9E3779B9) % 2**32) // 256 for j in range(37)]
    expected = [4 / 3 if number >= 2**22 else 0 for number in u]
    np.testing.assert_array_equal(reference_dropout.dropout_mask(seed, step, layer, t, stream, 37, 0.25), expected)


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 7, 2**64 - 1])
@pytest.mark.parametrize(("step", "layer"), [(1, 0), (2**32 + 1, 3)])
def test_a_mask_of_weights_is_a_function_of_its_place(seed, step, layer):
    key = mixed(seed % 2**32)
    key = mixed(key ^ seed // 2**32)
    key = mixed(key ^ step % 2**32)
    key = mixed((2**32 - 1 - key) ^ layer * 0x9E3779B9 % 2**32)
    u = [mixed((key + i * 0x9E3779B9) % 2**32) // 256 for i in range(5 * 15)]
    expected = np.reshape([4 / 3 if number >= 2**22 else 0 for number in u], (5, 15))
    np.testing.assert_array_equal(reference_dropout.weight_mask(seed, step, layer, (5, 15), 0.25), expected)


@pytest.mark.parametrize("seed", [0, 7, 2**32 + 7, 2**64 - 1])
@pytest.mark.parametrize("step", [1, 2**32 + 1])
def test_a_reset_is_a_function_of_its_place(seed, step):
    key = mixed(seed % 2**32)
    key = mixed(key ^ seed // 2**32)
    key = mixed(key ^ step % 2**32)
    key = mixed(key ^ 0x85EBCA6B)
    expected = [mixed(key ^ stream) // 256 < 2**22 for stream in range(101)]
    np.testing.assert_array_equal(reference_dropout.state_resets(seed, step, 101, 0.25), expected)


@pytest.mark.parametrize(("above", "kept"), [(0, True), (1, False)])
def test_a_rate_is_the_share_of_numbers_below_it(above, kept):
    key = 0
    for number in (7, 0, 3, 1 * 0x9E3779B9 + 2, 5):
        key = mixed(key ^ number)
    rate = (mixed(key) // 256 + above) / 2**24
    (factor,) = reference_dropout.dropout_mask(7, 3, 1, 2, 5, 1, rate)
    assert factor == (1 / (1 - rate) if kept else 0)
    key = 0
    for number in (7, 0, 3):
        key = mixed(key ^ number)
    rate = (mixed(mixed(key ^ 0x85EBCA6B)) // 256 + above) / 2**24
    assert reference_dropout.state_resets(7, 3, 1, rate).tolist() == [not kept]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_masks_drop_as_many_as_they_should_and_keep_the_mean(rate):
    shape = (2, 3, 5, 2003)
    masks = reference_dropout.dropout_masks(3, 17, shape, rate)
    n = masks.size
    assert masks.shape == shape
    for k, t, b in np.ndindex(shape[:3]):
        np.testing.assert_array_equal(masks[k, t, b], reference_dropout.dropout_mask(3, 17, k, t, b, 2003, rate))
    assert set(np.unique(masks)) <= {0.0, 1 / (1 - rate)}
    assert abs((masks == 0).mean() - rate) <= 5 * math.sqrt(rate * (1 - rate) / n)
    assert abs(masks.mean() - 1) <= 5 * math.sqrt(rate / (1 - rate) / n)


def test_masks_of_different_places_are_unrelated():
    base = {"seed": 1, "step": 1, "layer": 0, "t": 0, "stream": 0}
    masks = [reference_dropout.dropout_mask(**base, H=4001, rate=0.5)]
    for name in base:
        masks += [reference_dropout.dropout_mask(**base | {name: value}, H=4001, rate=0.5) for value in (2, 3)]
    masks.append(reference_dropout.dropout_mask(**base | {"seed": 1 + 2**32}, H=4001, rate=0.5))
    agreement = (np.array(masks)[:, None] == np.array(masks)[None]).mean(axis=2)
    assert abs(agreement - np.eye(len(masks)) * 0.5 - 0.5).max() < 5 * 0.5 / math.sqrt(4001)
