"""The classifier and training that make the most of labeled texts in a given time.

The choices follow measurements, recorded in ``docs/measurements.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ...parameters.checks import checked_float
from ...parameters.settings import Settings
from ..preparation.class_data import ClassData
from . import machine_speed
from .machine_speed import OPERATIONS, recurrent_weights
from .recommended import TYPICAL_SYMBOLS

BATCH_SIZE, SEQ_LENGTH = 32, 24
EPOCHS, MAX_EPOCHS = 8, 12  # to choose a size for, and the maximum: beyond it, results got worse
MIN_STEPS = 150  # for few texts
LSTM_GATES = 4


class Size(NamedTuple):
    """A network's units and requirements."""

    hidden_size: int
    learning_rate: float
    dropout: float
    init_scale: float


SIZES = (
    Size(64, 0.04, 0.1, 0.2),
    Size(96, 0.03, 0.2, 0.2),
    Size(128, 0.03, 0.3, 0.2),
    Size(192, 0.025, 0.4, 0.15),
    Size(256, 0.02, 0.5, 0.15),
)
MIN_SYMBOLS = {192: 1_000_000, 256: 4_000_000}  # in the texts; 128 units learn fewer better


def recommended_parameters(
    data: ClassData, seconds: float, parameters: Mapping[str, Any], n_directions: int, *, verbose: int
) -> dict[str, Any]:
    """Measure this machine and return the language model's parameters; see `TextClassifier.recommended`.

    `parameters` are those given for the language model, including `n_threads` and `matmul_precision`.
    """
    seconds, settings = checked_float("seconds", seconds, above=0.0), Settings.check(parameters)
    speed = machine_speed.measured_speed(settings.n_threads, precisions=(settings.matmul_precision,)).operations
    chosen = recommend(data.n_symbols, seconds, speed=speed, n_directions=n_directions)
    if verbose:
        print(described(chosen, speed), file=sys.stderr)
    return chosen


def recommend(n_symbols: int, seconds: float, *, speed: float, n_directions: int = 2) -> dict[str, Any]:
    """Return constructor parameters for labeled texts and a time in seconds.

    `n_symbols` is the total, with an end and a label for each text. `speed` is operations per second: see
    `machine_speed.measured_speed`.
    """
    affordable = seconds * speed / (OPERATIONS * n_symbols * n_directions)  # weights times epochs
    sizes = [size for size in SIZES if n_symbols >= MIN_SYMBOLS.get(size.hidden_size, 0)]
    fitting = [size for size in sizes if _weights(size.hidden_size) * EPOCHS <= affordable]
    size = (fitting or sizes[:1])[-1]
    batch_size = max(1, min(BATCH_SIZE, n_symbols // (2 * SEQ_LENGTH)))
    return {
        **size._asdict(),
        "batch_size": batch_size,
        "max_steps": max(MIN_STEPS, round(MAX_EPOCHS * n_symbols / (batch_size * SEQ_LENGTH))),
        "max_seconds": seconds,
    }


def _weights(hidden_size: int) -> int:
    return recurrent_weights(LSTM_GATES, hidden_size, TYPICAL_SYMBOLS)


def described(parameters: dict[str, Any], speed: float) -> str:
    """Return a recommendation as a line of text."""
    return (
        "lstm of {hidden_size} units in each direction, {batch_size} streams of 24 characters a step, for "
        "{max_seconds:g} s or {max_steps} steps at {gflops:.0f} GFLOP/s"
    ).format(**parameters, gflops=speed / 1e9)
