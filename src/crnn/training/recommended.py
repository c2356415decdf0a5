"""Recommended: the model and training that make the most of a text, or of labeled texts, in a given time."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidInputError
from ..parameters.checks import checked_choice, checked_float, checked_threads
from ..parameters.kinds import CELLS, OPTIMIZERS
from ..parameters.settings import Settings, checked_parameter
from ..text.sources import TextLike, TextSource, text_source
from ..text.vocabulary import Vocabulary
from . import machine_speed
from .data import ClassData
from .machine_speed import OPERATIONS_PER_WEIGHT, recurrent_weights

# ---------------------------------------------------------------- a model of a text
# The choices follow measurements (``docs/development/measurements.md``). Two numbers decide: the operations that the
# time buys, and the epochs they make. The epochs and the model's size relative to the text decide how much dropout is
# needed, for units and for recurrent weights. They also limit the size and the training: a short text is eventually
# memorized.
#
# Sizes lie far apart: a speed that differs by a tenth, as two measurements of one machine may, changes the size by at
# most one step. All other choices are interpolated.

TYPICAL_SYMBOLS = 64  # of a vocabulary, which all of fewer than LARGE_ALPHABET symbols are taken for
# The softmax of a large alphabet takes much of the time. From SAMPLED_ALPHABET on it covers the chunk's targets and
# SAMPLED_SYMBOLS others: on 5,000 symbols (the words of War and Peace), 30 s then reach 3.99 nats instead of 4.14.
LARGE_ALPHABET = 500
SAMPLED_ALPHABET = 2000
SAMPLED_SYMBOLS = 512
TARGETS_OF_CHUNK = 400  # distinct ones, about
EXAMINED_SYMBOLS = 1 << 22  # symbols of a text whose vocabulary is collected
# Their tables have many weights for each symbol of the text: on 5,000 symbols, dropout 0.35 gains 0.17 nats in 60 s.
LARGE_ALPHABET_DROPOUT = 1.5  # relative to that of a usual alphabet with as many weights
FEW_STEPS = 500  # a network that takes fewer steps predicts worse than counts
CHUNKS_PER_EPOCH = 8  # minimum per stream
# A chunk's loss is a sum over time, so the gradient's norm grows with the chunk, and its bound must grow, too.
CLIP_NORM_PER_CHARACTER = 1 / 24

# Dropout by the number of epochs, for a model with USUAL_WEIGHTS_PER_SYMBOL, interpolated by the logarithm of the
# epochs. A larger model overfits sooner: epochs are multiplied by the square root of its relative number of weights.
# A narrower model tolerates less dropout, by the square root of its relative number of units.
USUAL_WEIGHTS_PER_SYMBOL = 0.8
USUAL_HIDDEN_SIZE = 512
EPOCHS = (2.0, 4.5, 8.0, 25.0, 50.0, 125.0)
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
WEIGHT_DROPOUTS = (0.0, 0.05, 0.15, 0.3, 0.5, 1.0)
MAX_DROPOUT = 0.5
MIN_STEPS = 1000  # however short the text
WEIGHTS_PER_SYMBOL = 8.0  # maximum per symbol of the text

BATCH_SIZE = 16
SEQ_LENGTH = 24
# A text of at least LONG_TEXT symbols is read in longer chunks: gradients go further back, and more characters are read
# in a second. Steps are fewer and rates higher. Documents and short texts need more steps.
LONG_TEXT = 100_000
LONG_CHUNK = 64
LONG_CHUNK_RATE = 1.4
SIZES = (*range(32, 256, 32), *range(256, 512, 64), *range(512, 2048, 128))
DEFAULT_CELL = "cifg"
# Parameters which, if given, determine others.
CHOSEN_BY = ("cell", "n_bigrams", "n_threads", "seq_length", "matmul_precision", "dtype")
MIN_LENGTH_FOR_BIGRAMS = 20  # mean symbols per document: bigrams make documents as short as names harder to learn
RATE_WITH_BIGRAMS = 0.8  # of the learning rate without bigrams: as good, and steadier


class Recipe(NamedTuple):
    """A model and its training, for the number of operations that a time allows."""

    operations: float  # minimum multiplications and additions in training steps for this size
    hidden_size: int
    learning_rate: float
    num_layers: int = 1
    init_scale: float = 0.1
    weight_decay: float = 0.01


class Advice(NamedTuple):
    """The choices of `CharRNN.recommended` for a cell, found by measurement."""

    # From the shortest time to the longest; rates are for chunks of 24 characters. The first recipe is also used for
    # fewer operations. Between two recipes with equal layers every size of `SIZES` has one, by the logarithm of the
    # sizes.
    recipes: tuple[Recipe, ...]
    dropout_share: float = 1.0  # relative to the best dropout for an LSTM
    weight_dropout_share: float = 1.0
    long_chunks: bool = True
    n_bigrams: int | None = None
    state_reset: float = 0.0  # teaches a model to start from the zero state; documents do so anyway
    max_epochs: float = 50.0


# For each cell that has been measured.
ADVICE = {
    "rnn": Advice(
        (
            Recipe(0.8e12, 128, 0.004, init_scale=0.09),  # about 1 / sqrt(hidden_size): more hardly learns
            Recipe(1.5e12, 256, 0.003, 2, 0.06),
            Recipe(6e12, 256, 0.002, 3, 0.06),
            Recipe(20e12, 384, 0.0015, 3, 0.05),
        ),
        # Three layers tolerate little dropout, and more epochs make them worse.
        dropout_share=0.4, weight_dropout_share=0.0, long_chunks=False, max_epochs=12.0,
    ),
    "gru": Advice((
        Recipe(0.8e12, 128, 0.01),
        Recipe(2e12, 256, 0.01),
        Recipe(8e12, 384, 0.006),
        Recipe(30e12, 512, 0.004),
    )),
    "lstm": Advice(
        (
            Recipe(0.8e12, 128, 0.04, init_scale=0.2, weight_decay=0.02),
            Recipe(1.8e12, 192, 0.04, init_scale=0.15, weight_decay=0.02),
            Recipe(4e12, 256, 0.033, weight_decay=0.02),
            Recipe(20e12, 384, 0.016),
            Recipe(36e12, 512, 0.011),
            Recipe(250e12, 768, 0.007),
        ),
        n_bigrams=1024, state_reset=0.01,
    ),
    "cifg": Advice(
        (  # as many weights as the LSTM for short times, as many units for long ones
            Recipe(0.8e12, 128, 0.04, init_scale=0.2, weight_decay=0.02),
            Recipe(1.8e12, 224, 0.04, init_scale=0.15, weight_decay=0.02),
            Recipe(4e12, 256, 0.028, weight_decay=0.02),
            Recipe(10e12, 320, 0.022),
            Recipe(20e12, 384, 0.016),
            Recipe(36e12, 512, 0.011),
            Recipe(250e12, 768, 0.007),
        ),
        n_bigrams=1024, state_reset=0.01,
    ),
}  # fmt: skip


def recommended_parameters(
    X: TextLike, seconds: float, overrides: dict[str, Any], *, verbose: int, in_mixture: bool = False
) -> dict[str, Any]:
    """Measure this machine and return constructor parameters for a text and a time; see `CharRNN.recommended`.

    `overrides` are parameters given by the user, not chosen.
    """
    seconds = checked_float("seconds", seconds, above=0.0)
    for name, value in overrides.items():
        checked_parameter(name, value)
    cell = checked_choice("cell", overrides.get("cell", DEFAULT_CELL), ADVICE)
    source = text_source(X)
    length = source.max_length
    if length < 2:
        raise InvalidInputError(
            f"X is too short: its length is {length}, but at least 2 symbols are needed", argument="X"
        )
    precisions = machine_speed.usable_precisions(overrides.get("matmul_precision"), overrides.get("dtype"))
    n_symbols = _alphabet_size(source)
    sampled = overrides.get("n_sampled_symbols", _sampled_softmax(n_symbols))
    probe: dict[str, Any] = {"precisions": precisions}
    if n_symbols >= LARGE_ALPHABET:
        probe |= {
            "vocab_size": n_symbols,
            "n_sampled_symbols": sampled,
            "softmax_size": _softmax_size(n_symbols, sampled),
        }
    speed, precision = machine_speed.measured_speed(checked_threads(overrides.get("n_threads")), **probe)
    n_documents = source.n_documents if source.holds_documents else None
    parameters = recommend(
        length,
        seconds,
        speed=speed,
        matmul_precision=precision,
        cell=cell,
        n_documents=n_documents,
        alphabet_size=n_symbols,
        n_sampled_symbols=sampled,
    )
    parameters = apply_overrides(parameters, overrides)
    if verbose:
        print(describe_recommendation(parameters, speed), file=sys.stderr)
    warning = "" if in_mixture else few_steps_warning(parameters, length, speed, n_symbols)
    if verbose and warning:
        print(warning, file=sys.stderr)
    return parameters


def few_steps_warning(parameters: Mapping[str, Any], n_symbols: int, speed: float, alphabet_size: int) -> str:
    """Return a line that names what will predict better than a network that takes few steps, or an empty string."""
    seconds = parameters["max_seconds"]
    if seconds is None:
        return ""
    gates = CELLS[parameters["cell"]].gates
    softmax_size = _softmax_size(alphabet_size, parameters.get("n_sampled_symbols"))
    weights = _network_weights(gates, parameters["hidden_size"], parameters["num_layers"], softmax_size)
    symbols_per_step = parameters["batch_size"] * parameters["seq_length"]
    steps = seconds * speed / (OPERATIONS_PER_WEIGHT * weights * symbols_per_step)
    if steps >= FEW_STEPS or steps * symbols_per_step >= n_symbols:
        return ""
    return (
        f"the network will take only about {steps:.0f} steps in this time, and n-gram counts will predict better: use "
        "crnn.train (crnn train --model mixture), which has both, or CharNGram (--model ngram)"
    )


def _alphabet_size(source: TextSource) -> int:
    """Return the number of different symbols at the beginning of a text."""
    blocks = []
    length = 0
    for block in source.blocks():
        blocks.append(block)
        length += len(block)
        if length >= EXAMINED_SYMBOLS:
            break
    return len(Vocabulary.from_blocks(blocks, boundary=source.holds_documents, kind=source.kind))


def _sampled_softmax(alphabet_size: int) -> int | None:
    return SAMPLED_SYMBOLS if alphabet_size >= SAMPLED_ALPHABET else None


def _softmax_size(alphabet_size: int, n_sampled_symbols: int | None) -> int:
    """Return how many symbols a step's softmax covers, about."""
    if alphabet_size < LARGE_ALPHABET:
        return TYPICAL_SYMBOLS
    return alphabet_size if n_sampled_symbols is None else min(alphabet_size, n_sampled_symbols + TARGETS_OF_CHUNK)


def recommend(
    n_symbols: int,
    seconds: float,
    *,
    speed: float,
    matmul_precision: str = "float32",
    cell: str = DEFAULT_CELL,
    n_documents: int | None = None,
    alphabet_size: int = TYPICAL_SYMBOLS,
    n_sampled_symbols: int | None = None,
) -> dict[str, Any]:
    """Return constructor parameters for a text (or, with `n_documents`, documents) and a time in seconds.

    `alphabet_size` is the number of different symbols, and `speed` is operations per second of training in this
    precision; see `measured_speed`.
    """
    gates = CELLS[cell].gates
    advice = ADVICE[cell]
    recipes = [*_interpolated_recipes(advice.recipes)]
    softmax_size = _softmax_size(alphabet_size, n_sampled_symbols)

    affordable = [recipe for recipe in recipes if seconds * speed >= recipe.operations] or recipes[:1]
    small = [
        r for r in affordable if _network_weights(gates, r.hidden_size, r.num_layers) <= WEIGHTS_PER_SYMBOL * n_symbols
    ]
    recipe = (small or recipes[:1])[-1]
    # A short text gets fewer streams, so that each has at least CHUNKS_PER_EPOCH chunks.
    long_chunks = advice.long_chunks and n_documents is None and n_symbols >= LONG_TEXT
    seq_length = LONG_CHUNK if long_chunks else SEQ_LENGTH
    batch_size = max(1, min(BATCH_SIZE, n_symbols // (CHUNKS_PER_EPOCH * seq_length)))
    steps_per_epoch = n_symbols / (batch_size * seq_length)
    weights = _network_weights(gates, recipe.hidden_size, recipe.num_layers)
    softmax_share = _network_weights(gates, recipe.hidden_size, recipe.num_layers, softmax_size) / weights
    operations_per_epoch = OPERATIONS_PER_WEIGHT * weights * n_symbols
    in_time = seconds * speed / (operations_per_epoch * softmax_share)
    max_epochs = max(advice.max_epochs, MIN_STEPS / steps_per_epoch)
    epochs = min(in_time, max_epochs)
    n_bigrams = advice.n_bigrams if n_symbols >= MIN_LENGTH_FOR_BIGRAMS * (n_documents or 0) else None
    rate = _rate(cell, epochs * operations_per_epoch * softmax_share) * (RATE_WITH_BIGRAMS if n_bigrams else 1)
    rate *= LONG_CHUNK_RATE if long_chunks else 1
    regularized = weights
    width = recipe.hidden_size
    dropout_share = advice.dropout_share
    if alphabet_size >= LARGE_ALPHABET:
        regularized += alphabet_size * recipe.hidden_size * (gates + 1)  # the rows of the first layer and the last
        width = USUAL_HIDDEN_SIZE
        dropout_share *= LARGE_ALPHABET_DROPOUT
    effective_epochs = epochs * math.sqrt(regularized / (USUAL_WEIGHTS_PER_SYMBOL * n_symbols))
    return {
        "hidden_size": recipe.hidden_size,
        "cell": cell,
        "num_layers": recipe.num_layers,
        "n_bigrams": n_bigrams,
        "seq_length": seq_length,
        "batch_size": batch_size,
        "init_scale": float(f"{recipe.init_scale:.2g}"),
        "optimizer": "adam",
        "learning_rate": float(f"{rate:.3g}"),
        "schedule": "cosine",
        "warmup_fraction": 0.02,
        "clip": None,
        "clip_norm": _clip_norm(seq_length),
        "beta_2": 0.99,
        "weight_decay": float(f"{recipe.weight_decay:.2g}"),
        "dropout": round(min(MAX_DROPOUT, dropout_share * _dropout(effective_epochs, width, DROPOUTS)), 2),
        "weight_dropout": round(advice.weight_dropout_share * _dropout(effective_epochs, width, WEIGHT_DROPOUTS), 2),
        "state_reset": advice.state_reset if n_documents is None else 0.0,
        "n_sampled_symbols": n_sampled_symbols,
        "max_steps": None if in_time <= max_epochs else round(max_epochs * steps_per_epoch),
        "max_seconds": seconds,
        "matmul_precision": matmul_precision,
    }


def apply_overrides(parameters: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return a recommendation with some parameters replaced.

    If the optimizer is replaced, the learning rate and weight decay become its usual ones. If bigrams are added or
    removed, the learning rate changes accordingly. If `seq_length` is replaced, the bound of the gradient's norm scales
    with it.
    """
    optimizer = overrides.get("optimizer", parameters["optimizer"])
    if optimizer != parameters["optimizer"]:
        usual = {"learning_rate": OPTIMIZERS[optimizer].learning_rate, "weight_decay": 0.0}
        parameters = {name: value for name, value in parameters.items() if name != "beta_2"} | usual
    else:
        had_bigrams, has_bigrams = (p["n_bigrams"] is not None for p in (parameters, parameters | overrides))
        if had_bigrams != has_bigrams:
            factor = RATE_WITH_BIGRAMS if has_bigrams else 1 / RATE_WITH_BIGRAMS
            parameters = parameters | {"learning_rate": float(f"{parameters['learning_rate'] * factor:.3g}")}
    seq_length = overrides.get("seq_length", parameters["seq_length"])
    return parameters | {"clip_norm": _clip_norm(seq_length)} | overrides


def _clip_norm(seq_length: int) -> float:
    return float(f"{CLIP_NORM_PER_CHARACTER * seq_length:.3g}")


def _interpolated_recipes(recipes: tuple[Recipe, ...]) -> Iterator[Recipe]:
    """Yield the recipes and, between two with equal numbers of layers, one for each size of `SIZES`."""
    for first, last in itertools.pairwise(recipes):
        yield first
        if first.num_layers != last.num_layers:
            continue
        sizes = [size for size in SIZES if first.hidden_size < size < last.hidden_size]
        for size in sizes:
            share = math.log(size / first.hidden_size, last.hidden_size / first.hidden_size)
            mixed = [a ** (1 - share) * b**share for a, b in zip(first, last, strict=True)]
            yield Recipe(*mixed)._replace(hidden_size=size, num_layers=first.num_layers)
    yield recipes[-1]


def _rate(cell: str, operations: float) -> float:
    """Return the learning rate for a number of operations, interpolated between the recipes of a cell.

    It does not depend on whether the text is long enough for larger models.
    """
    operations_of, rates = np.log([(r.operations, r.learning_rate) for r in ADVICE[cell].recipes]).T
    return math.exp(np.interp(math.log(operations), operations_of, rates))


def _network_weights(gates: int, hidden_size: int, num_layers: int = 1, softmax_size: int = TYPICAL_SYMBOLS) -> int:
    return recurrent_weights(gates, hidden_size, softmax_size, num_layers)


def _dropout(epochs: float, hidden_size: int, rates: tuple[float, ...]) -> float:
    """Return the dropout for a number of epochs, interpolated between `rates`, the values at `EPOCHS`."""
    share = min(1.0, math.sqrt(hidden_size / USUAL_HIDDEN_SIZE))
    return min(MAX_DROPOUT, share * float(np.interp(math.log(epochs), np.log(EPOCHS), rates)))


def describe_recommendation(parameters: dict[str, Any], speed: float) -> str:
    """Return a recommendation as a line of text."""
    layers, streams, steps = (parameters[name] for name in ("num_layers", "batch_size", "max_steps"))
    rate = parameters["learning_rate"]
    limit = parameters["max_seconds"]
    rate = OPTIMIZERS[parameters["optimizer"]].learning_rate if rate is None else rate
    return (
        "{cell} of "
        + (f"{layers} layers of " if layers > 1 else "")
        + "{hidden_size} units"
        + (" and {n_bigrams} bigrams" if parameters["n_bigrams"] else "")
        + (", softmax of targets and {n_sampled_symbols} others" if parameters.get("n_sampled_symbols") else "")
        + ", {batch_size} "
        + ("streams" if streams > 1 else "stream")
        + " of {seq_length} characters a step, {optimizer} at {rate:g}, dropout {dropout:g}"
        + (", weight dropout {weight_dropout:g}" if parameters["weight_dropout"] else "")
        + ("" if limit is None else ", for {max_seconds:g} s")
        + (f" or {steps} steps (more would memorize the text)" if steps else "")
        + " at {gflops:.0f} GFLOP/s"
        + (" in {matmul_precision}" if parameters["matmul_precision"] != "float32" else "")
    ).format(**parameters, rate=rate, gflops=speed / 1e9)


# ---------------------------------------------------------------- a classifier of labeled texts

CLASSIFIER_BATCH_SIZE = 32
CLASSIFIER_SEQ_LENGTH = 24
CLASSIFIER_EPOCHS = 8  # to choose a size for
MAX_CLASSIFIER_EPOCHS = 12  # beyond it, results got worse
MIN_CLASSIFIER_STEPS = 150  # for few texts
LSTM_GATES = 4


class ClassifierSize(NamedTuple):
    """A network's units and requirements."""

    hidden_size: int
    learning_rate: float
    dropout: float
    init_scale: float


CLASSIFIER_SIZES = (
    ClassifierSize(64, 0.04, 0.1, 0.2),
    ClassifierSize(96, 0.03, 0.2, 0.2),
    ClassifierSize(128, 0.03, 0.3, 0.2),
    ClassifierSize(192, 0.025, 0.4, 0.15),
    ClassifierSize(256, 0.02, 0.5, 0.15),
)
MIN_CLASSIFIER_SYMBOLS = {192: 1_000_000, 256: 4_000_000}  # in the texts; 128 units learn fewer better


def recommended_classifier_parameters(
    data: ClassData, seconds: float, parameters: Mapping[str, Any], n_directions: int, *, verbose: int
) -> dict[str, Any]:
    """Measure this machine and return the language model's parameters; see `TextClassifier.recommended`.

    `parameters` are those given for the language model, including `n_threads` and `matmul_precision`.
    """
    seconds = checked_float("seconds", seconds, above=0.0)
    settings = Settings.check(parameters)
    speed = machine_speed.measured_speed(settings.n_threads, precisions=(settings.matmul_precision,)).operations
    chosen = recommend_classifier(data.n_symbols, seconds, speed=speed, n_directions=n_directions)
    if verbose:
        print(describe_classifier(chosen, speed), file=sys.stderr)
    return chosen


def recommend_classifier(n_symbols: int, seconds: float, *, speed: float, n_directions: int = 2) -> dict[str, Any]:
    """Return constructor parameters for labeled texts and a time in seconds.

    `n_symbols` is the total, with an end and a label for each text. `speed` is operations per second: see
    `machine_speed.measured_speed`.
    """
    affordable = seconds * speed / (OPERATIONS_PER_WEIGHT * n_symbols * n_directions)  # weights times epochs
    sizes = [size for size in CLASSIFIER_SIZES if n_symbols >= MIN_CLASSIFIER_SYMBOLS.get(size.hidden_size, 0)]
    fitting = [size for size in sizes if _classifier_weights(size.hidden_size) * CLASSIFIER_EPOCHS <= affordable]
    size = (fitting or sizes[:1])[-1]
    batch_size = max(1, min(CLASSIFIER_BATCH_SIZE, n_symbols // (2 * CLASSIFIER_SEQ_LENGTH)))
    return {
        **size._asdict(),
        "batch_size": batch_size,
        "max_steps": max(
            MIN_CLASSIFIER_STEPS, round(MAX_CLASSIFIER_EPOCHS * n_symbols / (batch_size * CLASSIFIER_SEQ_LENGTH))
        ),
        "max_seconds": seconds,
    }


def _classifier_weights(hidden_size: int) -> int:
    return recurrent_weights(LSTM_GATES, hidden_size, TYPICAL_SYMBOLS)


def describe_classifier(parameters: dict[str, Any], speed: float) -> str:
    """Return a recommendation as a line of text."""
    return (
        "lstm of {hidden_size} units in each direction, {batch_size} streams of 24 characters a step, for "
        "{max_seconds:g} s or {max_steps} steps at {gflops:.0f} GFLOP/s"
    ).format(**parameters, gflops=speed / 1e9)
