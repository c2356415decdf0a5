"""Sampling: many texts at once, distinct texts, a stream of symbols."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ...runtime.threads import inference_threads, run_tasks, split_range
from ..network.context import Context
from ..network.protocol import InferenceNetwork
from ..scoring.string_scores import Strings
from .sampling_controls import SamplingControls
from .symbol_sampler import text_sampler
from .text_sampler import ROOM, ROWS
from .uniforms import Uniforms

TRIES = 100  # samples drawn for each wanted one, if some are refused
MIN_TRIES = 16  # samples drawn at a time in that case
SHARE = 1024  # maximum samples that a thread draws as one task
SHARE_BYTES = 1 << 26  # of the symbols seen by each of them, for a repetition penalty
STREAM_BLOCK = 64  # maximum symbols of a stream drawn in one call: enough to hide the cost of the call


def sample(
    network: InferenceNetwork,
    context: Context,
    n: int,
    samples: range,
    *,
    controls: SamplingControls,
    bits: np.random.PCG64,
    n_threads: int | None,
) -> Strings:
    """Draw the samples with these numbers, of n symbols each or up to a stop, on several threads.

    Sample i depends only on `bits` and i.
    """
    threads = max(1, min(inference_threads(n_threads), len(samples) // ROWS))
    share = max(1, min(SHARE, SHARE_BYTES // network.symbols))
    parts = split_range(len(samples), threads * -(-len(samples) // (threads * share)))
    drawn: dict[int, Strings] = {}

    def draw(i: int) -> None:
        part = samples[parts[i].start : parts[i].stop]
        drawn[i] = text_sampler(network, context, n, Uniforms(bits, part), controls).run()

    run_tasks(range(len(parts)), draw, threads)
    ids, lengths = zip(*(drawn[i] for i in range(len(parts))), strict=True)
    return Strings(np.concatenate(ids), np.concatenate(lengths))


def distinct(
    draw: Callable[[range], list[Any]], num_samples: int, *, unique: bool, exclude: Container[Any]
) -> list[Any]:
    """Draw until there are `num_samples` texts outside `exclude` and, if `unique`, all distinct.

    The first samples that qualify are returned; at most `TRIES` are drawn for each.
    """
    texts: list[Any] = []
    found, drawn, limit = set[Any](), 0, TRIES * num_samples
    while len(texts) < num_samples:
        if drawn >= limit:
            raise InvalidInputError(
                f"only {len(texts)} of {num_samples} samples were found among {drawn:,} drawn; the others were "
                f"excluded{' or duplicates' if unique else ''}. Request fewer, or raise the temperature."
            )
        count = min(max(num_samples - len(texts), MIN_TRIES), limit - drawn)
        for text in draw(range(drawn, drawn + count)):
            if text not in exclude and text not in found and len(texts) < num_samples:
                texts.append(text)
                if unique:
                    found.add(text)
        drawn += count
    return texts


def stream(
    network: InferenceNetwork, context: Context, n: int | None, *, controls: SamplingControls, bits: np.random.PCG64
) -> Iterator[NDArray[np.int32]]:
    """Yield the symbols of one sample, n symbols or without end, in blocks that grow from one symbol.

    Symbols that may begin a stop are withheld until later symbols decide.
    """
    sampler, steps = text_sampler(network, context, n, Uniforms(bits, range(1)), controls, room=ROOM), 1
    while not sampler.finished:
        sampler.advance(steps)
        yield sampler.take()
        steps = min(2 * steps, STREAM_BLOCK)
