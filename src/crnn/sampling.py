"""Sampling: prime, temperature, many samples at once, streaming."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inference import PackedNetwork, State
from .settings import generator, real
from .threads import cores, shares

BLOCK = 1024  # symbols drawn in one call of the kernel: enough to hide the call, few enough for Ctrl-C
BATCH = 256  # samples drawn side by side: enough rows for the register tile, states that stay in the cache

GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2**128 over the golden ratio, as NumPy's `PCG64.jumped` uses: far apart

Ids = NDArray[Any]


def checked_temperature(value: Any) -> float:
    """Return the temperature as a float; NaN, infinite and negative ones raise."""
    return real("temperature", value, least=0.0)


def root(random_state: Any) -> np.random.PCG64:
    """Return the bit generator that the streams of all samples are taken from."""
    rng = generator(random_state)
    if isinstance(random_state, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
        return np.random.PCG64(rng.integers(2**63, size=2).tolist())  # the caller's generator moves on
    return np.random.PCG64(random_state)


class Uniforms:
    """One stream of uniform numbers in [0, 1) for each sample.

    Stream i is `root` moved on by i * GOLDEN draws: it depends on the seed and on i alone.

    Examples
    --------
    >>> both, second = Uniforms(root(7), range(2)), Uniforms(root(7), range(1, 2))
    >>> bool((both.draw(3)[:, 1] == second.draw(3)[:, 0]).all())
    True
    """

    def __init__(self, root: np.random.PCG64, samples: range) -> None:
        self._generators = []
        for i in samples:
            bits = np.random.PCG64(0)
            bits.state = root.state
            self._generators.append(np.random.Generator(bits.advance(i * GOLDEN % 2**128)))

    def draw(self, n: int) -> NDArray[np.float64]:
        """Return the next n numbers of every stream, (n, samples)."""
        out = np.empty((len(self._generators), n))
        for row, stream in zip(out, self._generators, strict=True):
            stream.random(out=row)
        return np.ascontiguousarray(out.T)


def primed_state(network: PackedNetwork, prime: Ids) -> State:
    """Return the state of one stream after the symbols `prime` (n,), from zeros."""
    state = network.zero_state(1)
    network.feed(prime.astype(np.int32).reshape(-1, 1), state)
    return state


def sample(
    network: PackedNetwork,
    prime: Ids,
    n: int,
    num_samples: int,
    *,
    temperature: float,
    random_state: Any,
    n_threads: int | None,
) -> NDArray[np.int32]:
    """Draw `num_samples` continuations of `prime`, n symbols each: (num_samples, n)."""
    primed, bits = primed_state(network, prime), root(random_state)
    out = np.empty((num_samples, n), np.int32)
    batches = shares(num_samples, -(-num_samples // BATCH))

    def draw(batch: range) -> None:
        uniforms, states = Uniforms(bits, batch), tuple(np.repeat(part, len(batch), axis=1) for part in primed)
        for i in range(0, n, BLOCK):
            u = uniforms.draw(min(BLOCK, n - i))
            out[batch.start : batch.stop, i : i + BLOCK] = network.sample(u, temperature, states).T

    threads = min(len(batches), n_threads or cores())
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(draw, batches))
    else:
        for batch in batches:
            draw(batch)
    return out


def stream(
    network: PackedNetwork, prime: Ids, n: int | None, *, temperature: float, bits: np.random.PCG64
) -> Iterator[NDArray[np.int32]]:
    """Draw one continuation of `prime` without end, or of n symbols, in blocks that grow from one symbol."""
    state, uniforms = primed_state(network, prime), Uniforms(bits, range(1))
    drawn, block = 0, 1
    while n is None or drawn < n:
        count = block if n is None else min(block, n - drawn)
        yield network.sample(uniforms.draw(count), temperature, state)[:, 0]
        drawn, block = drawn + count, min(2 * block, 64)
