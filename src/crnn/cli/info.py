"""The command ``crnn info``: describe a model file, or this build of crnn, or check a cache of ids."""

from __future__ import annotations

import argparse
import math
import os
from typing import BinaryIO

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..files.model_file import contains_text, holds_detector
from ..files.run_file import has_training_state
from ..loading import load_model
from ..mixture import Mixture, shown_weights, shown_words
from ..model.layout import describe_parameters
from ..runtime import build_info
from ..text.id_cache import check
from ..text.vocabulary import Special, Vocabulary
from ..text_classifier import TextClassifier
from .files import model_source
from .options import MODEL_HELP
from .output import print_table

RESUMABLE = "yes: crnn train FILE --from MODEL -o MODEL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", nargs="?", help=MODEL_HELP)
    parser.add_argument(
        "--build", action="store_true", help="describe instruction set, BLAS, versions and processor, not a model"
    )
    parser.add_argument(
        "--check",
        metavar="JSON",
        help="compare each array of ids in a cache with its CRC-32; JSON is the file next to them, TEXT….crnn-ids.json",
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
    rows = {"file": f"{arguments.model}, {size:,} bytes"}
    if holds_detector(_rewind(source)):
        detector = AnomalyDetector.load(_rewind(source))
        low, high = detector.rate_interval_
        threshold = f"scores ({detector.reduce_}) below {detector.offset_:.4f} are anomalies"
        rows["detector"] = f"{threshold}, {low:.2g} to {high:.2g} of clean texts"
    if isinstance(model, CharRNN):
        rows |= _network_rows(model, resumable=has_training_state(_rewind(source)))
    elif isinstance(model, CharNGram):
        rows |= _ngram_rows(model)
    elif isinstance(model, Mixture):
        rows |= _mixture_rows(model)
    else:
        rows |= _classifier_rows(model)
    if contains_text(_rewind(source)):
        rows["text"] = "the file contains the training text"
    if "detector" in rows:
        rows.pop("resumable", None)  # crnn train would lose the threshold
    print_table(rows)
    return 0


def _check_cache(path: str) -> int:
    """Print which arrays of a cache are intact, and return the exit code."""
    intact = check(path)
    damaged = "damaged: delete it, and it will be written again"
    print_table({name: "intact" if good else damaged for name, good in intact.items()})
    return 0 if all(intact.values()) else 1


def _rewind(source: str | BinaryIO) -> str | BinaryIO:
    """Return a path, or a stream at its start."""
    if not isinstance(source, str):
        source.seek(0)
    return source


def _network_rows(model: CharRNN, *, resumable: bool) -> dict[str, str]:
    """Describe a network: its shape, its training so far, and whether training can go on."""
    loss = model.smooth_loss_ / model.seq_length
    rows = {
        "architecture": describe_parameters(model.get_params()),
        "weights": f"{sum(array.size for array in model.params_.values()):,}",
        **_vocabulary_rows(model.vocabulary_),
        "trained": "unknown: the file contains only weights",
        "loss": "unknown",
        "resumable": "only with a new optimizer state",
        "parameters": _parameter_list(model),
    }
    if resumable:
        size = f"{model.batch_size} x {model.seq_length} {model.vocabulary_.kind}"
        rows["trained"] = f"{model.n_steps_:,} steps of {size}"
        rows["loss"] = f"{loss:.4f} nats, {loss / math.log(2):.4f} bits per symbol (smoothed)"
        rows["resumable"] = RESUMABLE
    return rows


def _ngram_rows(model: CharNGram) -> dict[str, str]:
    """Describe counts: their order and the numbers of their n-grams."""
    lengths = [f"{length}: {n:,}" for length, n in enumerate(model.n_grams_, start=1)]
    return {
        "architecture": f"n-grams of up to {model.order_} {model.vocabulary_.kind}",
        "n-grams": f"{sum(model.n_grams_):,} ({', '.join(lengths)})",
        **_vocabulary_rows(model.vocabulary_),
        "resumable": RESUMABLE,
        "parameters": _parameter_list(model),
    }


def _mixture_rows(model: Mixture) -> dict[str, str]:
    """Return what ``crnn info`` says about a mixture: its members with their weights, and its symbols."""
    rows = {"architecture": f"a mixture of {len(model.models_)} models"}
    shown = shown_weights(model)
    for i, (member, weight) in enumerate(zip(model.models_, shown, strict=False)):
        rows[f"models[{i}]"] = f"weight {weight}, {member!r}"
    words = shown_words(model)
    if words is not None:
        rows["words"] = f"weight {shown[-1]}, {words}"
    return rows | _vocabulary_rows(model.vocabulary_)


def _classifier_rows(model: TextClassifier) -> dict[str, str]:
    rows = {"architecture": f"a classifier of {len(model.classes_)} classes"}
    for i, (directions, weight) in enumerate(zip(model.models_, model.weights_.tolist(), strict=True)):
        first = next(iter(directions.values()))
        rows[f"models_[{i}]"] = f"weight {weight:.4f}, {' and '.join(directions)}, {first!r}"
    return rows | _vocabulary_rows(model.vocabulary_)


def _vocabulary_rows(vocabulary: Vocabulary) -> dict[str, str]:
    shown = repr(vocabulary.decode(range(len(vocabulary.codes))))
    return {
        "vocabulary": f"{len(vocabulary.codes)} {vocabulary.kind}: {shown if len(shown) < 80 else shown[:76] + ' ...'}",
        "other symbols": ", ".join(x.value for x in vocabulary if isinstance(x, Special)) or "none",
    }


def _parameter_list(model: CharNGram | CharRNN) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in model.get_params().items())
