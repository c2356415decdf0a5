"""The training speed of this machine: half a second of training in each usable precision.

Two measurements on one machine must agree, since `recommended` makes choices by them. Therefore short runs are timed,
with the precisions in turns; the lower quartile of their times counts, which other programs disturb little; and the
speed is rounded to a coarse grid.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from .. import _kernels
from ..model.layout import Layout
from ..model.state import ModelState
from ..text.streams import TextStreams, symbols_for_epoch
from ..text.vocabulary import Vocabulary
from .team import threads_for
from .trainer import StepSettings, Trainer

PROBE_SECONDS = 0.5
HIDDEN_SIZE = 128
BATCH_SIZE = 16
SEQ_LENGTH = 24
VOCAB_SIZE = 64
STEPS_PER_RUN = 4  # per run: some milliseconds, about the time slice of a scheduler
OPERATIONS_PER_WEIGHT = 6  # per symbol and weight: a multiplication and an addition forward, and twice as many backward
QUARTILE = 0.25
SPEEDS_PER_DOUBLING = 4  # after rounding
MIN_GAIN = 1.1  # of bfloat16 over float32, for it to be chosen


class Speed(NamedTuple):
    """The training speed of this machine, and its best precision."""

    operations: float  # multiplications and additions per second, in products of training steps
    matmul_precision: str = "float32"


def measured_speed(
    n_threads: int | None = None,
    *,
    precisions: Sequence[str] = ("float32",),
    seconds: float = PROBE_SECONDS,
    vocab_size: int = VOCAB_SIZE,
    n_sampled_symbols: int | None = None,
    softmax_size: int | None = None,
) -> Speed:
    """Return the current training speed of this machine, in its best precision, rounded by `round_speed`.

    It is measured for some seconds with an LSTM of 128 units and 16 streams of 24 characters. `softmax_size` is how
    many symbols a step's softmax covers; None: `vocab_size`.
    """
    T, B, H = SEQ_LENGTH, BATCH_SIZE, HIDDEN_SIZE
    seconds_of: dict[str, list[float]] = {precision: [] for precision in precisions}
    rates = np.full(STEPS_PER_RUN, 1e-3)
    with ExitStack() as stack:
        trainers = {
            precision: stack.enter_context(_trainer(precision, n_threads, vocab_size, n_sampled_symbols))
            for precision in precisions
        }
        for trainer in trainers.values():
            trainer.advance(rates)  # warm up the caches
        end = time.perf_counter() + seconds
        while not all(seconds_of.values()) or time.perf_counter() < end:
            for precision, trainer in trainers.items():
                start = time.perf_counter()
                trainer.advance(rates)
                seconds_of[precision].append(time.perf_counter() - start)
    return best_speed(
        seconds_of, STEPS_PER_RUN * T * B * OPERATIONS_PER_WEIGHT * recurrent_weights(4, H, softmax_size or vocab_size)
    )


def best_speed(seconds_of: Mapping[str, Iterable[float]], operations: float) -> Speed:
    """Return the speed of the best precision: the first, unless another is `MIN_GAIN` times as fast.

    `seconds_of` are seconds of runs in each precision.
    """
    speeds = {precision: operations / float(np.quantile([*times], QUARTILE)) for precision, times in seconds_of.items()}
    first = next(iter(speeds))
    best = max(speeds, key=speeds.__getitem__)
    chosen = best if speeds[best] >= MIN_GAIN * speeds[first] else first
    return Speed(round_speed(speeds[chosen]), chosen)


def round_speed(speed: float) -> float:
    """Return the nearest power of 2**(1/4), so that measurements a few percent apart mostly agree."""
    return float(2.0 ** (round(SPEEDS_PER_DOUBLING * math.log2(speed)) / SPEEDS_PER_DOUBLING))


def usable_precisions(matmul_precision: str | None, dtype: Any = None) -> tuple[str, ...]:
    """Return the usable precisions for training a model.

    Weights in float64 are never rounded to bfloat16. Unless requested, bfloat16 is included only if the processor has
    instructions for it.
    """
    if matmul_precision is not None:
        return (matmul_precision,)
    if np.dtype(dtype or np.float32) != np.float32 or _kernels.bfloat16_set in (None, *_kernels.INSTRUCTION_SETS):
        return ("float32",)
    return ("float32", "bfloat16")


def recurrent_weights(gates: int, hidden_size: int, vocab_size: int, num_layers: int = 1) -> int:
    """Return the approximate number of weights in the products for one symbol."""
    return gates * hidden_size**2 * (2 * num_layers - 1) + hidden_size * vocab_size


def _trainer(precision: str, n_threads: int | None, vocab_size: int, n_sampled_symbols: int | None) -> Trainer:
    """Return a trainer of an LSTM on random symbols."""
    T, B, V = SEQ_LENGTH, BATCH_SIZE, vocab_size
    layout = Layout(V, HIDDEN_SIZE, np.dtype(np.float32), "lstm")
    rng = np.random.default_rng(0)
    ids = rng.integers(V, size=symbols_for_epoch(8, B, T)).astype(np.min_scalar_type(V - 1))
    streams = TextStreams(ids, B, T)
    vocabulary = Vocabulary(np.arange(V), "bytes" if V <= 256 else "characters")
    state = ModelState.initial(
        layout,
        vocabulary,
        rng,
        optimizer="adam",
        batch_size=B,
        seq_length=T,
    )
    bfloat16 = precision == "bfloat16"
    n_threads = threads_for(layout, streams, n_threads, bfloat16=bfloat16)
    return Trainer(
        state,
        streams,
        StepSettings(seq_length=T, bfloat16=bfloat16, n_sampled_symbols=n_sampled_symbols or 0),
        n_threads=n_threads,
    )
