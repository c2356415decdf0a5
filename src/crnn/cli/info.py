"""The command ``crnn info``: describe a model file, or this build of crnn, or check a cache of ids."""

from __future__ import annotations

import argparse
import math
import os
from typing import BinaryIO

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..files.model_file import holds_detector
from ..files.network_file import has_training_state
from ..loading import load_model
from ..mixture import Mixture
from ..model.layout import described
from ..runtime import build_info
from ..text.id_cache import check
from ..text.vocabulary import Special, Vocabulary
from ..text_classifier import TextClassifier
from .files import model_source
from .options import MODEL_HELP
from .output import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help=MODEL_HELP)
    parser.add_argument(
        "--build", action="store_true", help="describe instruction set, BLAS, versions and processor, not a model"
    )
    parser.add_argument(
        "--check",
        metavar="JSON",
        help="compare each array of ids in a cache with its CRC-32; JSON is the file next to them, TEXT.crnn-ids.json",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the description, and return the exit code."""
    if [arguments.build, arguments.model is not None, arguments.check is not None].count(True) != 1:
        arguments.parser.error("give one of MODEL, --build and --check")
    if arguments.check is not None:
        return _check_cache(arguments.check)
    if arguments.build:
        build_info.show_config()
        return 0
    source = model_source(arguments.model)
    model = load_model(source)
    size = os.path.getsize(source) if isinstance(source, str) else source.tell()
    named = {"file": f"{arguments.model}, {size:,} bytes"}
    if isinstance(model, CharNGram):
        rows = _counts_described(model)
    elif isinstance(model, Mixture):
        rows = _mixture_described(model)
    elif isinstance(model, TextClassifier):
        rows = _classifier_described(model)
    else:
        rows = _network_described(source)
    if holds_detector(_begun(source)):
        named |= _threshold_described(AnomalyDetector.load(_begun(source)))
        rows.pop("resumable", None)  # crnn train would lose the threshold
    print_table(named | rows)
    return 0


def _check_cache(path: str) -> int:
    """Print which arrays of a cache are intact, and return the exit code."""
    intact, damaged = check(path), "damaged: delete it, and it will be written again"
    print_table({name: "intact" if good else damaged for name, good in intact.items()})
    return 0 if all(intact.values()) else 1


def _threshold_described(detector: AnomalyDetector) -> dict[str, str]:
    """Return the row of a detector."""
    low, high = detector.rate_interval_
    threshold = f"scores ({detector.reduce_}) below {detector.offset_:.4f} are anomalies"
    return {"detector": f"{threshold}, {low:.2g} to {high:.2g} of clean texts"}


def _counts_described(model: CharNGram) -> dict[str, str]:
    """Return the rows for a model of counts."""
    lengths = [f"{length}: {n:,}" for length, n in enumerate(model.n_grams_, start=1)]
    return {
        "architecture": f"n-grams of up to {model.order_} {model.vocabulary_.kind}",
        "n-grams": f"{sum(model.n_grams_):,} ({', '.join(lengths)})",
        **_symbols_described(model.vocabulary_),
        "resumable": "yes: crnn train FILE --from MODEL -o MODEL",
        "parameters": _parameters_described(model),
    }


def _mixture_described(model: Mixture) -> dict[str, str]:
    """Return the rows for a mixture."""
    rows = {"architecture": f"a mixture of {len(model.models)} models"}
    for i, (member, weight) in enumerate(zip(model.models, model.weights_.tolist(), strict=True)):
        rows[f"models[{i}]"] = f"weight {weight:.4f}, {member!r}"
    return rows | _symbols_described(model.vocabulary_)


def _classifier_described(model: TextClassifier) -> dict[str, str]:
    """Return the rows for a classifier."""
    rows = {"architecture": f"a classifier of {len(model.classes_)} classes"}
    for i, (of_each, weight) in enumerate(zip(model.models_, model.weights_.tolist(), strict=True)):
        rows[f"models_[{i}]"] = f"weight {weight:.4f}, {' and '.join(of_each)}, {next(iter(of_each.values()))!r}"
    return rows | _symbols_described(model.vocabulary_)


def _begun(source: str | BinaryIO) -> str | BinaryIO:
    """Return a path, or a stream at its start."""
    if not isinstance(source, str):
        source.seek(0)
    return source


def _symbols_described(symbols: Vocabulary) -> dict[str, str]:
    """Return the rows for a vocabulary."""
    shown = repr(symbols.decode(range(len(symbols.codes))))
    return {
        "vocabulary": f"{len(symbols.codes)} {symbols.kind}: {shown if len(shown) < 80 else shown[:76] + ' ...'}",
        "other symbols": ", ".join(x.value for x in symbols if isinstance(x, Special)) or "none",
    }


def _parameters_described(model: CharNGram | CharRNN) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in model.get_params().items())


def _network_described(source: str | BinaryIO) -> dict[str, str]:
    """Return the rows for a network."""
    trained, model = has_training_state(_begun(source)), CharRNN.load(_begun(source))
    symbols = model.vocabulary_
    loss = model.smooth_loss_ / model.seq_length
    steps = f"{model.n_steps_:,} steps of {model.batch_size} x {model.seq_length} {symbols.kind}"
    return {
        "architecture": described(model.get_params()),
        "weights": f"{sum(array.size for array in model.params_.values()):,}",
        **_symbols_described(symbols),
        "trained": steps if trained else "unknown: the file contains only weights",
        "loss": f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)" if trained else "unknown",
        "resumable": "yes: crnn train FILE --from MODEL -o MODEL" if trained else "only with a new optimizer state",
        "parameters": _parameters_described(model),
    }
