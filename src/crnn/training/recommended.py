"""Recommended: which model, and how trained, makes the most of a text in a given time.

The choices follow measurements, recorded in ``docs/measurements.md``. Two numbers decide: how many operations the time
buys, and how many epochs that makes. The epochs and the model's size beside the text's say how much dropout is needed,
of units and of recurrent weights. They also bound the size and the training: a short text is at last learned by heart.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import numpy as np

from ..model.cells import CELLS
from ..model.layout import Layout
from ..model.state import ModelState
from ..settings import OPTIMIZERS
from ..text.text_streams import TextStreams, symbols_for_epoch
from ..text.vocabulary import Vocabulary
from .step_settings import StepSettings
from .trainer import Trainer, threads_for

PROBE_SECONDS = 0.5
PROBE_HIDDEN_SIZE, PROBE_STEPS = 128, 8
TYPICAL_SYMBOLS = 64  # of a vocabulary
OPERATIONS = 6  # per symbol and weight: a multiplication and an addition forward, and two of each backward
CHUNKS_PER_EPOCH = 8  # of each stream, at least

# Dropout by the number of epochs, for a model with USUAL_WEIGHTS_PER_SYMBOL; between two entries it is interpolated by
# the logarithm of the epochs. A larger model overfits sooner: epochs are multiplied by the square root of its relative
# number of weights. A narrower model tolerates less dropout, by the square root of its relative number of units.
USUAL_WEIGHTS_PER_SYMBOL, USUAL_HIDDEN_SIZE = 0.8, 512
EPOCHS = (2.0, 4.5, 8.0, 25.0, 50.0, 125.0)
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
WEIGHT_DROPOUTS = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0)
MAX_DROPOUT = 0.5
MIN_STEPS = 1000  # however short the text is
WEIGHTS_PER_SYMBOL = 8.0  # at most, per symbol of the text


class Recipe(NamedTuple):
    """A model and its training, for a number of operations that a time allows."""

    operations: float  # multiplications and additions in training steps from which on the recipe is used
    hidden_size: int
    learning_rate: float
    num_layers: int = 1
    init_scale: float = 0.1
    weight_decay: float = 0.01


# By cell, from the shortest time to the longest; a step reads 16 streams of 24 characters.
BATCH_SIZE, SEQ_LENGTH = 16, 24
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "lstm": (
        Recipe(0, 128, 0.04, init_scale=0.2, weight_decay=0.02),
        Recipe(1.8e12, 192, 0.04, init_scale=0.15, weight_decay=0.02),
        Recipe(4e12, 256, 0.033, weight_decay=0.02),
        Recipe(20e12, 384, 0.016),
        Recipe(36e12, 512, 0.011),
        Recipe(250e12, 768, 0.007),
    ),
    "gru": (
        Recipe(0, 128, 0.01),
        Recipe(2e12, 256, 0.01),
        Recipe(8e12, 384, 0.006),
        Recipe(30e12, 512, 0.004),
    ),
    "rnn": (
        Recipe(0, 128, 0.004, init_scale=0.09),  # about 1 / sqrt(hidden_size): a larger scale hardly learns
        Recipe(1.5e12, 256, 0.003, 2, 0.06),
        Recipe(6e12, 256, 0.002, 3, 0.06),
        Recipe(20e12, 384, 0.0015, 3, 0.05),
    ),
}
RECIPES["cifg"] = RECIPES["lstm"]  # with a quarter fewer weights a unit, so more steps
# Three layers of "rnn" tolerate little dropout, and get worse with more epochs than these.
DROPOUT_SHARE = {"lstm": 1.0, "cifg": 1.0, "gru": 1.0, "rnn": 0.4}
WEIGHT_DROPOUT_SHARE = {"lstm": 1.0, "cifg": 1.0, "gru": 1.0, "rnn": 0.0}
MAX_EPOCHS = {"lstm": 50.0, "cifg": 50.0, "gru": 50.0, "rnn": 12.0}


def measured_speed(
    n_threads: int | None = None, *, bfloat16: bool = False, seconds: float = PROBE_SECONDS
) -> float:
    """Return how many operations of training steps this machine does per second at present.

    Parameters
    ----------
    n_threads : int or None, default=None
        As for `CharRNN`.
    bfloat16 : bool, default=False
        Whether operands of products are rounded to bfloat16.
    seconds : float, default=0.5
        Duration of the measurement.

    Returns
    -------
    float
        Multiplications and additions of the products of an LSTM of 128 units, 16 streams of 24 characters.
    """
    T, B, H, V = SEQ_LENGTH, BATCH_SIZE, PROBE_HIDDEN_SIZE, TYPICAL_SYMBOLS
    layout = Layout(V, H, np.dtype(np.float32), "lstm")
    rng = np.random.default_rng(0)
    streams = TextStreams(rng.integers(V, size=symbols_for_epoch(8, B, T)).astype(np.uint8), B, T)
    vocabulary = Vocabulary(np.arange(V), "bytes")
    state = ModelState.initial(layout, vocabulary, rng, optimizer="adam", batch_size=B, seq_length=T)
    n_threads = threads_for(layout, streams, n_threads)
    trainer = Trainer(state, streams, StepSettings(seq_length=T, bfloat16=bfloat16), n_threads=n_threads)
    rates = np.full(PROBE_STEPS, 1e-3)
    spent: list[float] = []
    with trainer:
        trainer.advance(rates)  # not measured: the caches are still cold
        end = time.perf_counter() + seconds
        while not spent or time.perf_counter() < end:
            start = time.perf_counter()
            trainer.advance(rates)
            spent.append(time.perf_counter() - start)
    return PROBE_STEPS * T * B * OPERATIONS * _weights(layout.kind.gates, H) / float(np.median(spent))


def recommend(n_symbols: int, seconds: float, *, speed: float, cell: str = "lstm") -> dict[str, Any]:
    """Return constructor parameters for a text and a time.

    Parameters
    ----------
    n_symbols : int
        Length of the text.
    seconds : float
        Time that training may take.
    speed : float
        Operations per second of a training step; see `measured_speed`.
    cell : {"lstm", "cifg", "gru", "rnn"}, default="lstm"

    Returns
    -------
    dict
        Parameters of `CharRNN`.

    Examples
    --------
    >>> recommend(1_000_000, 15.0, speed=2e11)["cell"]
    'lstm'
    """
    gates = CELLS[cell].gates
    recipes = [r for r in RECIPES[cell] if seconds * speed >= r.operations]
    small = [r for r in recipes if _weights(gates, r.hidden_size, r.num_layers) <= WEIGHTS_PER_SYMBOL * n_symbols]
    recipe = (small or recipes[:1])[-1]
    # A short text gets fewer streams, so that each has at least CHUNKS_PER_EPOCH chunks.
    batch_size = max(1, min(BATCH_SIZE, n_symbols // (CHUNKS_PER_EPOCH * SEQ_LENGTH)))
    steps_per_epoch = n_symbols / (batch_size * SEQ_LENGTH)
    weights = _weights(gates, recipe.hidden_size, recipe.num_layers)
    operations_per_epoch = OPERATIONS * weights * n_symbols
    in_time = seconds * speed / operations_per_epoch
    max_epochs = max(MAX_EPOCHS[cell], MIN_STEPS / steps_per_epoch)
    epochs = min(in_time, max_epochs)
    rate = _rate(cell, recipe, epochs * operations_per_epoch)
    counted = epochs * math.sqrt(weights / (USUAL_WEIGHTS_PER_SYMBOL * n_symbols))
    return {
        "hidden_size": recipe.hidden_size,
        "cell": cell,
        "num_layers": recipe.num_layers,
        "seq_length": SEQ_LENGTH,
        "batch_size": batch_size,
        "init_scale": recipe.init_scale,
        "optimizer": "adam",
        "learning_rate": float(f"{rate:.3g}"),
        "schedule": "cosine",
        "warmup": 0.02,
        "clip": None,
        "clip_norm": 1.0,
        "beta_2": 0.99,
        "weight_decay": recipe.weight_decay,
        "dropout": round(DROPOUT_SHARE[cell] * _dropout(counted, recipe.hidden_size, DROPOUTS), 2),
        "weight_dropout": round(
            WEIGHT_DROPOUT_SHARE[cell] * _dropout(counted, recipe.hidden_size, WEIGHT_DROPOUTS), 2
        ),
        "max_steps": None if in_time <= max_epochs else round(max_epochs * steps_per_epoch),
        "max_seconds": seconds,
    }


def overridden(parameters: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return a recommendation in which some parameters are replaced.

    With another optimizer the learning rate and the weight decay are that optimizer's usual ones.

    Examples
    --------
    >>> found = overridden(recommend(1_000_000, 15.0, speed=2e11), {"optimizer": "rmsprop", "min_count": 2})
    >>> found["learning_rate"], found["weight_decay"], found["min_count"]
    (0.002, 0.0, 2)
    """
    optimizer = overrides.get("optimizer", parameters["optimizer"])
    if optimizer != parameters["optimizer"]:
        usual = {"learning_rate": OPTIMIZERS[optimizer].learning_rate, "weight_decay": 0.0}
        parameters = {name: value for name, value in parameters.items() if name != "beta_2"} | usual
    return parameters | overrides


def _rate(cell: str, recipe: Recipe, operations: float) -> float:
    """Return the learning rate for a number of operations, interpolated between the recipes of a cell.

    It does not depend on whether the text is long enough for the larger models.
    """
    if not recipe.operations:
        return recipe.learning_rate
    operations_of, rates = np.log([(r.operations, r.learning_rate) for r in RECIPES[cell][1:]]).T
    return math.exp(np.interp(math.log(operations), operations_of, rates))


def _weights(gates: int, hidden_size: int, num_layers: int = 1) -> int:
    """Return about how many weights take part in the products of one symbol."""
    return gates * hidden_size**2 * (2 * num_layers - 1) + hidden_size * TYPICAL_SYMBOLS


def _dropout(epochs: float, hidden_size: int, rates: tuple[float, ...]) -> float:
    """Return the dropout for a number of epochs, interpolated between `rates`, which are for `EPOCHS`."""
    share = min(1.0, math.sqrt(hidden_size / USUAL_HIDDEN_SIZE))
    return min(MAX_DROPOUT, share * float(np.interp(math.log(epochs), np.log(EPOCHS), rates)))


def described(parameters: dict[str, Any], speed: float) -> str:
    """Return a recommendation as one line of text.

    Examples
    --------
    >>> print(described(recommend(1_000_000, 15.0, speed=2e11), 2e11))
    lstm of 192 units, 16 streams of 24 characters a step, adam at 0.0354, dropout 0, for 15 s at 200 GFLOP/s
    >>> print(described(recommend(10_000, 600.0, speed=2e11), 2e11).partition("dropout ")[2])
    0.5, weight dropout 0.5, for 600 s or 1302 steps (more: by heart) at 200 GFLOP/s
    """
    layers, streams, steps = (parameters[name] for name in ("num_layers", "batch_size", "max_steps"))
    rate, limit = parameters["learning_rate"], parameters["max_seconds"]
    rate = OPTIMIZERS[parameters["optimizer"]].learning_rate if rate is None else rate
    return (
        "{cell} of "
        + (f"{layers} layers of " if layers > 1 else "")
        + "{hidden_size} units, {batch_size} "
        + ("streams" if streams > 1 else "stream")
        + " of {seq_length} characters a step, {optimizer} at {rate:g}, dropout {dropout:g}"
        + (", weight dropout {weight_dropout:g}" if parameters["weight_dropout"] else "")
        + ("" if limit is None else ", for {max_seconds:g} s")
        + (f" or {steps} steps (more: by heart)" if steps else "")
        + " at {gflops:.0f} GFLOP/s"
    ).format(**parameters, rate=rate, gflops=speed / 1e9)
