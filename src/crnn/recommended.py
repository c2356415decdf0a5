"""Recommended: which model, and how trained, makes the most of a text in a given time.

The choices are measurements, recorded in ``docs/recipes.md``: what decides is how many operations the time buys, and
how often they go over the text.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .corpus import Streams
from .parameters import Layout, aligned_zeros, initialise
from .trainer import Trainer, threads_for

PROBE_SECONDS = 0.5
PROBE_HIDDEN_SIZE, PROBE_STEPS = 128, 8
CHUNKS_PER_SWEEP = 8  # at least, of each stream


class Recipe(NamedTuple):
    """A model and its training, good for so many operations."""

    operations: float  # from so many on, of training steps: multiplications and additions
    hidden_size: int
    batch_size: int
    seq_length: int
    learning_rate: float
    dropout: float


# By cell, from the shortest time to the longest.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "lstm": (
        Recipe(0, 128, 16, 32, 0.02, 0.0),
        Recipe(0.8e12, 192, 16, 32, 0.02, 0.0),
        Recipe(2e12, 256, 16, 32, 0.02, 0.0),
        Recipe(8e12, 384, 16, 32, 0.01, 0.1),
        Recipe(30e12, 512, 16, 32, 0.006, 0.4),
    ),
    "gru": (
        Recipe(0, 128, 16, 32, 0.01, 0.0),
        Recipe(2e12, 256, 16, 32, 0.01, 0.0),
        Recipe(8e12, 384, 16, 32, 0.006, 0.1),
        Recipe(30e12, 512, 16, 32, 0.004, 0.3),
    ),
    "rnn": (
        Recipe(0, 128, 16, 32, 0.004, 0.0),
        Recipe(2e12, 256, 16, 32, 0.003, 0.0),
        Recipe(8e12, 512, 16, 32, 0.002, 0.1),
    ),
}


def measured_speed(n_threads: int | None = None, *, seconds: float = PROBE_SECONDS) -> float:
    """Return how many operations of a training step this machine does in a second now.

    Parameters
    ----------
    n_threads : int or None, default=None
        As for `CharRNN`.
    seconds : float, default=0.5
        How long it is measured.

    Returns
    -------
    float
        Multiplications and additions of the products of an LSTM of 128 units, 16 streams of 32 characters.
    """
    T, B, H, V = 32, 16, PROBE_HIDDEN_SIZE, 64
    layout = Layout(V, H, np.dtype(np.float32), "lstm")
    rng = np.random.default_rng(0)
    streams = Streams(rng.integers(V, size=8 * T * B + B + 1).astype(np.uint8), B, T)
    params, memory = initialise(layout, rng, None), [layout.zeros(), layout.zeros()]
    states = [aligned_zeros((1, B, H), np.float32) for _ in layout.kind.states]
    trainer = Trainer(
        layout,
        params,
        memory,
        states,
        streams,
        seq_length=T,
        n_steps=0,
        smooth_loss=0.0,
        optimizer="adam",
        optimizer_start=0,
        n_threads=threads_for(layout, streams, n_threads),
    )
    rates = np.full(PROBE_STEPS, 1e-3)
    spent: list[float] = []
    with trainer:
        trainer.advance(rates)  # the first steps find nothing in the caches
        end = time.perf_counter() + seconds
        while not spent or time.perf_counter() < end:
            start = time.perf_counter()
            trainer.advance(rates)
            spent.append(time.perf_counter() - start)
    return PROBE_STEPS * 6 * T * B * (layout.kind.gates * H * H + H * V) / float(np.median(spent))


def recommend(n_symbols: int, seconds: float, *, speed: float, cell: str = "lstm") -> dict[str, Any]:
    """Return constructor parameters for a text and a time.

    Parameters
    ----------
    n_symbols : int
        Length of the text.
    seconds : float
        That training may take.
    speed : float
        Operations per second of a training step; see `measured_speed`.
    cell : {"lstm", "gru", "rnn"}, default="lstm"

    Returns
    -------
    dict
        Parameters of `CharRNN`.

    Examples
    --------
    >>> recommend(1_000_000, 15.0, speed=2e11)["cell"]
    'lstm'
    """
    operations = seconds * speed
    recipe = [recipe for recipe in RECIPES[cell] if operations >= recipe.operations][-1]
    # Each stream of a short text should still be swept in a good many chunks.
    batch_size = max(1, min(recipe.batch_size, n_symbols // (CHUNKS_PER_SWEEP * recipe.seq_length)))
    return {
        "hidden_size": recipe.hidden_size,
        "cell": cell,
        "seq_length": recipe.seq_length,
        "batch_size": batch_size,
        "optimizer": "adam",
        "learning_rate": recipe.learning_rate,
        "schedule": "cosine",
        "warmup": 0.02,
        "clip": None,
        "clip_norm": 1.0,
        "beta_2": 0.99,
        "weight_decay": 0.01,
        "dropout": recipe.dropout,
        "max_seconds": seconds,
    }


def described(parameters: dict[str, Any], speed: float) -> str:
    """Return a recommendation in one line.

    Examples
    --------
    >>> print(described(recommend(1_000_000, 15.0, speed=2e11), 2e11))
    lstm of 256 units, 16 streams of 32 characters a step, adam at 0.02, dropout 0, for 15 s at 200 GFLOP/s
    """
    return (
        "{cell} of {hidden_size} units, {batch_size} streams of {seq_length} characters a step, {optimizer} at "
        "{learning_rate:g}, dropout {dropout:g}, for {max_seconds:g} s at {gflops:.0f} GFLOP/s"
    ).format(**parameters, gflops=speed / 1e9)
