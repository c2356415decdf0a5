"""Uniforms: a stream of random numbers for each sample, which depends only on the seed and the sample's number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry import core
from ...parameters.checks import generator

GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835  # draws between streams: 2**128 over the golden ratio, as `PCG64.jumped`
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # PCG64: the next state is (MULTIPLIER * state + increment) mod MODULUS
MODULUS = 2**128


def root(random_state: Any) -> np.random.PCG64:
    """Return the bit generator behind the streams of all samples."""
    rng = generator(random_state)
    if isinstance(random_state, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
        return np.random.PCG64(rng.integers(2**63, size=2).tolist())  # advances the caller's generator
    return np.random.PCG64(random_state)


def _advance(draws: int) -> tuple[int, int]:
    """Return (a, b) such that a * state + b * increment is the state after this many draws."""
    a, b, factor, plus = 1, 0, MULTIPLIER, 1
    while draws:
        if draws & 1:
            a, b = a * factor % MODULUS, (b * factor + plus) % MODULUS
        factor, plus, draws = factor * factor % MODULUS, (factor + 1) * plus % MODULUS, draws >> 1
    return a, b


_TO_NEXT_STREAM = _advance(GOLDEN)


class Uniforms:
    """One stream of uniform numbers in [0, 1) for each sample: stream i is `root` advanced by i * GOLDEN draws.

    `states` (samples, 2) are the halves of PCG64's states, upper half first; a draw advances its stream's. `increment`
    (2,) is PCG64's, the same for all streams.
    """

    def __init__(self, root: np.random.PCG64, samples: range) -> None:
        now = root.state["state"]
        state, increment = now["state"], now["inc"]
        self.increment = _halves(increment)
        self.states = np.empty((len(samples), 2), np.uint64)
        if samples:
            a, b = _advance(samples.start * GOLDEN % MODULUS)
            self.states[0] = _halves(a * state + b * increment)
            a, b = _TO_NEXT_STREAM
            core.space_streams(self.states, _halves(a), _halves(b * increment))

    def draw(self, n: int) -> NDArray[np.float64]:
        """Return the next n numbers of every stream, (n, samples)."""
        out = np.empty((n, len(self.states)))
        core.uniforms(self.states, self.increment, out)
        return out


def _halves(number: int) -> NDArray[np.uint64]:
    return np.array([number >> 64 & 2**64 - 1, number & 2**64 - 1], np.uint64)
