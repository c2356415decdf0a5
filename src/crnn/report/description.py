"""Describe a model by names and values, and by the curves of its training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..char_rnn import CharRNN
from ..model.layout import described
from ..training.progress.loss_curve import number_in
from .shown_text import TextPart

MAX_RECORDS = 400  # plotted training records
MAX_REPR = 200  # characters shown of the vocabulary
CURVES = {"training": "train_loss", "validation": "validation_loss", "rate": "learning_rate", "norm": "gradient_norm"}
LOSSES = ("training", "validation")


def facts(model: CharRNN, part: TextPart) -> list[tuple[str, str]]:
    """Return names and values that describe a model."""
    symbols = model.vocabulary_
    shown = repr(symbols)
    loss = model.bits_per_char(part.measured, exact=part.exact)
    seen = "a sample of its own" if part.own else part.described
    steps = f"{model.n_steps_:,} steps of {model.batch_size} x {model.seq_length} {symbols.kind}"
    return [
        ("network", described(model.get_params())),
        ("weights", f"{sum(array.size for array in model.params_.values()):,}"),
        ("vocabulary", shown if len(shown) <= MAX_REPR else f"{shown[:MAX_REPR]} …"),
        *([("trained", steps)] if model.n_steps_ else []),  # omitted for an untrained model, and for one label's model
        ("bits per symbol", f"{loss:.3f}, perplexity {2 ** min(loss, 1000):.2f}, on {seen}"),
        ("parameters", repr(model)),
    ]


def curves(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Return the training curves, with losses in bits, and None for missing measurements."""
    records = thinned([record for record in history if number_in(record, "step") is not None])
    out: dict[str, list[float | None]] = {"step": [number_in(record, "step") for record in records]}
    for name, key in CURVES.items():
        unit = math.log(2) if name in LOSSES else 1.0
        values = (number_in(record, key) for record in records)
        out[name] = [None if value is None else value / unit for value in values]
    return out


def thinned(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return at most `MAX_RECORDS` evenly spaced records, plus those with a validation loss and the last one."""
    every = -(-len(history) // MAX_RECORDS)
    last = len(history) - 1
    measured = (number_in(record, "validation_loss") is not None for record in history)
    kept = [i for i, of_validation in enumerate(measured) if i % every == 0 or i == last or of_validation]
    return [history[i] for i in kept]
