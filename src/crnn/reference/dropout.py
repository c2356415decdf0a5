"""Dropout masks of units and weights, and state resets, in NumPy, bit for bit like the kernels.

A factor of a mask is a hash of its place: seed, step, layer, time step, stream, unit. It does not depend on the number
of threads or the order of the work. A reset is a hash of seed, step and stream.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Array


def mix(x: Array) -> Array:
    """Return a hash of each of the numbers x (uint32); each of its bits depends on every bit of x.

    This is lowbias32: Chris Wellons 2018, "Prospecting for Hash Functions".
    """
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return np.asarray(x ^ (x >> np.uint32(16)))


def dropout_mask(seed: int, step: int, layer: int, t: int, stream: int, H: int, rate: float) -> Array:
    """Return the factors of one layer's H outputs for one stream at one time step: 0 or 1 / (1 - rate).

    The seed has 64 bits; of `step`, the number of earlier steps, only the low 32 bits are used. The stream is numbered
    within the whole batch, not within a thread's share.
    """
    return _factors(step_hash(seed, step, layer * 0x9E3779B9 + t, stream), H, rate)


def dropout_masks(seed: int, step: int, shape: tuple[int, int, int, int], rate: float) -> Array:
    """Return the factors of a whole chunk, in the shape (L, T, B, H)."""
    layer, t, stream = np.indices(shape[:3])
    return _factors(step_hash(seed, step, layer * 0x9E3779B9 + t, stream)[..., None], shape[3], rate)


def weight_mask(seed: int, step: int, layer: int, shape: tuple[int, int], rate: float) -> Array:
    """Return the factors of a layer's recurrent weights (H, G H) in one training step: 0 or 1 / (1 - rate)."""
    key = mix(~step_hash(seed, step) ^ _uint32(layer * 0x9E3779B9))
    return _factors(key, shape[0] * shape[1], rate).reshape(shape)


def state_resets(seed: int, step: int, streams: int, rate: float) -> Array:
    """Return which streams of the whole batch start a step's chunk from the zero state."""
    key = mix(step_hash(seed, step) ^ _uint32(0x85EBCA6B))
    return np.asarray(mix(key ^ np.arange(streams, dtype=np.uint32)) >> np.uint32(8) < round(rate * 2**24))


def step_hash(seed: int, *numbers: int | Array) -> Array:
    """Return a hash of the seed, low half first, and of the numbers in their order."""
    key = mix(_uint32(seed))
    for number in (seed >> 32, *numbers):
        key = mix(key ^ _uint32(number))
    return key


def _factors(key: Array, n: int, rate: float) -> Array:
    """Return the first n factors of a mask."""
    kept = mix(key + np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9)) >> np.uint32(8) >= round(rate * 2**24)
    return np.where(kept, 1 / (1 - rate), 0.0)


def _uint32(number: int | Array) -> Array:
    """Return the low 32 bits as an array, of one element at least: NumPy warns about overflow of scalars."""
    return np.atleast_1d(np.asarray(number & 0xFFFFFFFF, np.uint32))
