"""Sampling: prime, controls, many samples at once, streaming."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..threads import deal_out, readers, shares
from .packed_network import PackedNetwork, State
from .sampling_controls import SamplingControls
from .string_scores import Strings
from .uniforms import Uniforms, root

BLOCK = 1024  # symbols of one text drawn in one call of the kernel: enough to hide the call, few enough for Ctrl-C
TRIES = 100  # samples that are drawn for one that is wanted, where not every one will do
LEAST_TRIES = 16  # of them at a time
ROWS = 64  # samples drawn side by side: enough for the register tile, and their states stay near
SHARE = 1024  # samples that are dealt to a thread at a time, at most

Ids = NDArray[Any]


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
) -> Strings:
    """Draw `num_samples` continuations of `prime`, each of n symbols or of those before its stop."""
    return _sample(network, prime, n, range(num_samples), controls, root(random_state), n_threads)


def distinct(
    network: PackedNetwork,
    prime: Ids,
    n: int,
    num_samples: int,
    *,
    texts_of: Callable[[Strings], list[Any]],
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
) -> Strings:
    """Draw the samples with these numbers."""
    if n == 0:
        return Strings(np.empty(0, np.int32), np.zeros(len(samples), np.intp))
    primed, threads = primed_state(network, prime), readers(n_threads)
    threads = max(1, min(threads, len(samples) // ROWS))
    parts = shares(len(samples), threads * -(-len(samples) // (threads * SHARE)))
    drawn: dict[int, Strings] = {}

    def draw(i: int) -> None:
        part = samples[parts[i].start : parts[i].stop]
        drawn[i] = Strings(
            *network.sample_texts(
                primed,
                n,
                Uniforms(bits, part),
                controls.temperature,
                controls.stops,
                controls,
                _seen(network, prime, len(part), controls),
                rows=ROWS,
            )
        )

    deal_out(range(len(parts)), draw, threads)
    ids, lengths = zip(*(drawn[i] for i in range(len(parts))), strict=True)
    return Strings(np.concatenate(ids), np.concatenate(lengths))


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
        new = network.sample(uniforms.draw(count), controls.temperature, state, controls, seen)[:, 0]
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


def _seen(network: PackedNetwork, prime: Ids, streams: int, controls: SamplingControls) -> NDArray[np.uint8] | None:
    """Return the symbols that are penalised from the start on, if any are."""
    if controls.repetition_penalty == 1:
        return None
    seen = network.unseen(streams)
    seen[:, prime[prime != network.network.boundary]] = 1  # the start of a document says nothing of its end
    return seen
