"""Sampling: prime, controls, many samples at once, streaming."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInputError
from .inference import PackedNetwork, State, repeated
from .sampling_controls import SamplingControls
from .settings import generator
from .threads import cores, deal_out, shares

BLOCK = 1024  # symbols drawn in one call of the kernel: enough to hide the call, few enough for Ctrl-C
STOP_BLOCK = 64  # the same of samples that may stop: what is drawn after a stop is lost
FIRST_BLOCK = 8  # the first of these; from one to the next it grows twofold
TRIES = 100  # samples that are drawn for one that is wanted, where not every one will do
LEAST_TRIES = 16  # of them at a time
BATCH = 256  # samples drawn side by side: enough rows for the register tile, states that stay in the cache

GOLDEN = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2**128 over the golden ratio, as NumPy's `PCG64.jumped` uses: far apart

Ids = NDArray[Any]


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
        # One generator that is moved from stream to stream: making one for each takes longer than drawing a name.
        self._bits = np.random.PCG64(0)
        self._bits.state = root.state
        self._generator, self._place = np.random.Generator(self._bits), 0  # in draws from `root` on
        self._samples, self._drawn = list(samples), 0

    def draw(self, n: int) -> NDArray[np.float64]:
        """Return the next n numbers of every stream, (n, samples)."""
        out = np.empty((len(self._samples), n))
        for row, i in zip(out, self._samples, strict=True):
            begin = i * GOLDEN + self._drawn
            self._bits.advance((begin - self._place) % 2**128)
            self._generator.random(out=row)
            self._place = begin + n
        self._drawn += n
        return np.ascontiguousarray(out.T)

    def keep(self, kept: list[int]) -> None:
        """Leave out all streams but these, which are counted among those that are left."""
        self._samples = [self._samples[i] for i in kept]


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
    controls: SamplingControls,
    random_state: Any,
    n_threads: int | None,
) -> list[NDArray[np.int32]]:
    """Draw `num_samples` continuations of `prime`, each of n symbols or of those before its stop."""
    return _sample(network, prime, n, range(num_samples), controls, root(random_state), n_threads)


def distinct(
    network: PackedNetwork,
    prime: Ids,
    n: int,
    num_samples: int,
    *,
    texts_of: Callable[[list[Ids]], list[Any]],
    unique: bool,
    exclude: Collection[Any],
    controls: SamplingControls,
    random_state: Any,
    n_threads: int | None,
) -> list[Any]:
    """Draw as `sample` does, until there are `num_samples` texts that are not excluded and, if `unique`, all differ.

    These are the first of the samples with this seed that are such; at most `TRIES` are drawn for each.
    """
    texts: list[Any] = []
    seen, bits, drawn, most = set(exclude), root(random_state), 0, TRIES * num_samples
    while len(texts) < num_samples:
        if drawn >= most:
            raise InvalidInputError(
                f"only {len(texts)} of {num_samples} samples were found in {drawn:,} that were drawn: the others are "
                f"excluded{' or not unique' if unique else ''}; ask for fewer, or raise the temperature"
            )
        count = min(max(num_samples - len(texts), LEAST_TRIES), most - drawn)
        for text in texts_of(_sample(network, prime, n, range(drawn, drawn + count), controls, bits, n_threads)):
            if text not in seen and len(texts) < num_samples:
                texts.append(text)
                if unique:
                    seen.add(text)
        drawn += count
    return texts


def _sample(
    network: PackedNetwork,
    prime: Ids,
    n: int,
    samples: range,
    controls: SamplingControls,
    bits: np.random.PCG64,
    n_threads: int | None,
) -> list[NDArray[np.int32]]:
    """Draw the samples with these numbers."""
    primed = primed_state(network, prime)
    batches = [samples[part.start : part.stop] for part in shares(len(samples), -(-len(samples) // BATCH))]

    drawn: list[list[NDArray[np.int32]]] = [[] for _ in batches]

    def draw(i: int) -> None:
        batch = batches[i]
        states, seen = repeated(primed, len(batch)), _seen(network, prime, len(batch), controls)
        drawn[i] = _draw(network, states, Uniforms(bits, batch), seen, n, controls)

    deal_out(range(len(batches)), draw, n_threads or cores())
    return [ids for of_batch in drawn for ids in of_batch]


def stream(
    network: PackedNetwork, prime: Ids, n: int | None, *, controls: SamplingControls, bits: np.random.PCG64
) -> Iterator[NDArray[np.int32]]:
    """Draw one continuation of `prime` without end, or of n symbols, in blocks that grow from one symbol.

    Symbols that may be the beginning of a stop are held back until what follows decides.
    """
    state, uniforms, seen = primed_state(network, prime), Uniforms(bits, range(1)), _seen(network, prime, 1, controls)
    drawn, block = 0, 1
    held = np.empty(0, np.int32)
    while n is None or drawn < n:
        count = block if n is None else min(block, n - drawn)
        new = _drawn(network, uniforms.draw(count), state, seen, controls)[:, 0]
        drawn, block = drawn + count, min(2 * block, 64)
        if controls.stops:
            held = np.concatenate([held, new])
            stop = controls.stops.first(held, new=count)
            if stop is not None:
                yield held[:stop]
                return
            certain = len(held) - controls.stops.begun(held)
            new, held = held[:certain], held[certain:]
        yield new
    yield held


def _draw(
    network: PackedNetwork,
    states: State,
    uniforms: Uniforms,
    seen: NDArray[np.uint8] | None,
    n: int,
    controls: SamplingControls,
) -> list[NDArray[np.int32]]:
    """Draw one batch of samples; one that has met its stop leaves the batch."""
    out = np.empty((states[0].shape[1], n), np.int32)
    lengths, going = [n] * len(out), list(range(len(out)))
    i, block = 0, FIRST_BLOCK if controls.stops else BLOCK
    while i < n:
        count = min(block, n - i)
        out[going, i : i + count] = _drawn(network, uniforms.draw(count), states, seen, controls).T
        i += count
        if not controls.stops:
            continue
        block = min(2 * block, STOP_BLOCK)
        stopped = dict(zip(going, controls.stops.first_of_each(out[going, :i], new=count), strict=True))
        kept = [row for row, b in enumerate(going) if stopped[b] is None]
        if len(kept) < len(going):
            lengths = [n if stop is None else stop for stop in (stopped.get(b, lengths[b]) for b in range(len(out)))]
            going = [going[row] for row in kept]
            states = tuple(np.take(part, kept, axis=1) for part in states)
            seen = None if seen is None else seen[kept]
            uniforms.keep(kept)
        if not going:
            break
    return [row[:length] for row, length in zip(out, lengths, strict=True)]


def _seen(network: PackedNetwork, prime: Ids, streams: int, controls: SamplingControls) -> NDArray[np.uint8] | None:
    """Return the symbols that are penalised from the start on, if any are."""
    if controls.repetition_penalty == 1:
        return None
    seen = network.unseen(streams)
    seen[:, prime[prime != network.network.boundary]] = 1  # the start of a document says nothing of its end
    return seen


def _drawn(
    network: PackedNetwork,
    uniforms: NDArray[np.float64],
    states: State,
    seen: NDArray[np.uint8] | None,
    controls: SamplingControls,
) -> NDArray[np.int32]:
    """Draw one symbol for each of the uniforms (n, B), by the shorter way if there is nothing to control."""
    return network.sample(uniforms, controls.temperature, states, None if controls.only_temperature else controls, seen)
