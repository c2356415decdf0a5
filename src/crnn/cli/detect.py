"""The command ``crnn detect``: write a score and a verdict for each line of a text."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import shlex
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..anomaly_detector import AnomalyDetector
from ..detection.calibration import change_message
from ..errors import InvalidInputError
from ..files.model_file import holds_detector
from ..language_model import LanguageModel
from ..parameters.checks import checked_float
from ..scoring.reductions import Reduce
from ..tables import DirtyCell, dirty_cells
from ..text.mask import BUILT_IN, checked_mask, mask_of
from ..text.tables import is_table_file
from .errors import error_message, say
from .files import STANDARD_STREAM, check_writable, line_scores, load_source, model_source, read_documents, read_lines
from .options import (
    LABEL_HELP,
    MODEL_HELP,
    SCORING_ERRORS,
    add_errors,
    refuse_two_standard_inputs,
    text_type,
    value_type,
)
from .output import flush, write

if TYPE_CHECKING:
    from argparse import _ArgumentGroup as _Group

    from ..text.documents import Errors


class _InPlace(argparse.Action):
    """An option that takes the place of the positional arguments."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, value: Any, option: str | None = None) -> None:
        namespace.in_place = value
        for action in parser._actions:
            action.required = action.required and bool(action.option_strings)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help=f"{MODEL_HELP}; a detector (crnn train --model), or any model with --calibrate"
    )
    parser.add_argument("file", metavar="FILE", help="a text, optionally gzip-compressed, or - for standard input")
    parser.add_argument(
        "--in-place",
        metavar="FILE",
        action=_InPlace,
        help="find the anomalies among the lines of this file, which is only read, in place of MODEL and FILE: each "
        "line is judged by the n-grams of the other lines, and the fraction --contamination of the lines is an "
        "anomaly. A file whose name ends in .csv or .tsv is a table: its strangest cells are written as CSV, with row "
        "(from 0), column, value, score and reason",
    )
    parser.add_argument(
        "--calibrate",
        metavar="CLEAN",
        help="set the threshold from the lines of this file, which must contain no anomalies and must not have been "
        "used in training (default: the threshold in MODEL)",
    )
    parser.add_argument(
        "--learn",
        metavar="CLEAN",
        help="first learn the lines of this file, which must contain no anomalies, move the threshold, and save the "
        "detector in MODEL; a part of the lines is kept in MODEL (default: learn nothing)",
    )
    group = parser.add_argument_group("with --calibrate or --in-place")
    add_threshold_options(group, "MODEL's if it is a detector, or ")
    group.add_argument("--label", metavar="LABEL", help=f"{LABEL_HELP}; only with --calibrate")
    group.add_argument(
        "--unique",
        action="store_true",
        help="count equal lines once, so that a line is not normal just because it occurs again; only with --in-place",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="write one JSON object for each line: its score and verdict, and for an anomaly the place of the least "
        "probable character (from 0), the character found there and those expected, with their probabilities",
    )
    add_errors(parser, SCORING_ERRORS.replace("(default: strict)", "(default: replace)"))


def add_threshold_options(group: _Group, otherwise: str = "") -> None:
    """Add the options that set a threshold, which are None unless they are given.

    `otherwise` is named as the default in place of a new detector's value.
    """
    group.add_argument(
        "--contamination",
        metavar="RATE",
        type=value_type(partial(checked_float, "contamination", above=0.0, maximum=0.5)),
        help=f"the fraction of clean lines that may count as anomalies (default: {otherwise}0.001, or 3 divided "
        "by the number of lines if they are fewer than 3,000)",
    )
    group.add_argument(
        "--mask",
        metavar="NAMES",
        type=text_type(mask_names),
        help=f"what to replace by 0 in each line before it is read: one or several of {', '.join(BUILT_IN)}, separated "
        f"by commas (default: {otherwise}nothing)",
    )
    group.add_argument(
        "--reduce",
        choices=get_args(Reduce),
        help="how to combine the log-probabilities of a line's characters and end into its score: min finds single odd "
        "places, mean finds lines that are odd as a whole, joint finds both, sum finds rare lines, scaled is between "
        f"sum and mean (default: {otherwise}joint)",
    )


def mask_names(text: str) -> list[str]:
    """Return the names of built-in masks in a text that separates them by commas."""
    names = text.split(",")
    checked_mask("mask", names)
    return names


def threshold_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options about the threshold that the user has given, for `AnomalyDetector`."""
    thresholds = {name: getattr(arguments, name) for name in ("contamination", "reduce", "mask")}
    return {name: value for name, value in thresholds.items() if value is not None}


def run(arguments: argparse.Namespace) -> int:
    """Write scores and verdicts as soon as lines have been read; after an error, the lines before it are written."""
    refuse_two_standard_inputs(arguments, model="MODEL", file="FILE", calibrate="--calibrate", learn="--learn")
    errors = cast("Errors", arguments.errors or "replace")
    if arguments.in_place is not None:
        return _detect_in_place(arguments, errors)
    if arguments.unique:
        arguments.parser.error("argument --unique: only with --in-place")
    detector = _detector(arguments)
    if arguments.json:
        return _write_json(detector, arguments.file, errors)
    n_lines = n_flagged = 0
    mask = mask_of(detector.mask_ or ()).text
    for scores in line_scores(detector.estimator_, arguments.file, detector.reduce_, errors, mask):
        normal = scores >= detector.offset_
        _write_verdicts(scores, normal)
        flush()
        n_lines += len(scores)
        n_flagged += int(np.count_nonzero(~normal))
    _say_change(detector, n_flagged, n_lines)
    return 0


def _say_change(detector: AnomalyDetector, n_flagged: int, n_lines: int) -> None:
    if message := change_message(detector.rate_interval_, n_flagged, n_lines):
        say(f"crnn: warning: {message}")


def _write_json(detector: AnomalyDetector, path: str, errors: Errors) -> int:
    """Write an object for each line."""
    n_lines = n_flagged = 0
    as_bytes = detector.estimator_.vocabulary_.kind == "bytes"
    for lines in read_lines(path, as_bytes=as_bytes, errors=errors):
        scores = detector.score_samples(lines, errors=errors).tolist()
        for line, score in zip(lines, scores, strict=True):
            document = _line_document(detector, line, score)
            n_lines += 1
            n_flagged += document["verdict"] == "anomaly"
            write(json.dumps(document) + "\n")
        flush()
    _say_change(detector, n_flagged, n_lines)
    return 0


def _line_document(detector: AnomalyDetector, line: Any, score: float) -> dict[str, Any]:
    """Describe a line for ``--json``: its score and verdict and, for an anomaly, the least probable place."""
    is_anomaly = not score >= detector.offset_
    document: dict[str, Any] = {
        "score": score if np.isfinite(score) else None,
        "verdict": "anomaly" if is_anomaly else "normal",
    }
    if line is None or not is_anomaly:
        return document
    explanation = detector.explain(line)
    if not explanation.symbols:
        return document
    i = int(explanation.surprisal.argmax())
    places = explanation.places or range(len(explanation.symbols))
    expected = [{"character": _symbol_text(symbol), "probability": p} for symbol, p in explanation.alternatives[i]]
    return document | {"place": places[i], "found": _symbol_text(explanation.symbols[i]), "expected": expected}


def _symbol_text(symbol: Any) -> str | None:
    """Return a symbol as text; None for the end of a line, and for an unknown character."""
    if isinstance(symbol, bytes):
        return symbol.decode("latin-1")
    return symbol if isinstance(symbol, str) else None


def _write_verdicts(scores: NDArray[np.float64], normal: NDArray[np.bool_]) -> None:
    rows = zip(scores.tolist(), np.where(normal, "normal", "anomaly").tolist(), strict=True)
    write("".join(f"{score:.6f}\t{verdict}\n" for score, verdict in rows))


def _detect_in_place(arguments: argparse.Namespace, errors: Errors) -> int:
    """Write scores and verdicts for the lines of a file, each judged by the others."""
    is_table = is_table_file(arguments.in_place)
    for name in ("model", "calibrate", "learn", "label", *(() if is_table else ("json",))):
        if getattr(arguments, name) not in (None, False):
            shown = "MODEL" if name == "model" else f"argument --{name}"
            arguments.parser.error(f"argument --in-place: not allowed with {shown}")
    if is_table:
        return _detect_in_table(arguments)
    detector = AnomalyDetector(**threshold_options(arguments), unique=arguments.unique, random_state=0)
    lines = [*chain.from_iterable(read_lines(arguments.in_place, as_bytes=False, errors=errors))]
    with _errors_of(arguments.in_place):
        normal = detector.fit_predict(lines) == 1
    _write_verdicts(detector.outlier_scores_, normal)
    return 0


def _detect_in_table(arguments: argparse.Namespace) -> int:
    """Write the strangest cells of a table."""
    options = threshold_options(arguments)
    for name in ("mask", "reduce", "unique", "errors"):
        if getattr(arguments, name) not in (None, False):
            arguments.parser.error(f"argument --{name}: not allowed with a table, whose columns are judged one by one")
    try:
        cells = dirty_cells(Path(arguments.in_place), random_state=0, **options)
    except ValueError as error:
        raise InvalidInputError(error_message(error, {"frame": arguments.in_place})) from error
    if arguments.json:
        write("".join(json.dumps(cell._asdict()) + "\n" for cell in cells))
        return 0
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(DirtyCell._fields)
    writer.writerows(cell._replace(score=round(cell.score, 6)) for cell in cells)
    write(table.getvalue())
    return 0


def _detector(arguments: argparse.Namespace) -> AnomalyDetector:
    """Return the detector in MODEL, or a model with a threshold from the lines of CLEAN."""
    thresholds = threshold_options(arguments)
    label = arguments.label
    path = arguments.model
    source = model_source(arguments.model)
    if path != STANDARD_STREAM and _is_text(path):
        raise InvalidInputError(
            f"{path} is not a model. Train one with: crnn train {shlex.quote(path)} --model detector -o model.crnn"
        )
    stored = AnomalyDetector.load(source) if holds_detector(source) else None
    if arguments.calibrate is None:
        if only_there := [*thresholds, *(["label"] if label is not None else [])]:
            arguments.parser.error(f"argument --{only_there[0]}: only with --calibrate; MODEL has a threshold")
        if stored is None:
            raise InvalidInputError(
                f"{path} contains a model but no detector. Add --calibrate CLEAN, with a file of lines that the model "
                "has not read, or train a detector with crnn train --model detector."
            )
        if arguments.learn is not None:
            _learn(stored, arguments)
        return stored
    if arguments.learn is not None:
        arguments.parser.error("argument --learn: not allowed with argument --calibrate")
    if stored is not None and label is not None:
        arguments.parser.error("argument --label: MODEL is a detector, which has no labels")
    model = load_source(source, label) if stored is None else stored.estimator_
    if labels := model.vocabulary_.labels:
        raise InvalidInputError(f"{path} was fitted with labels. Add --label {shlex.quote(str(labels[0]))}.")
    lines = _clean_lines(arguments.calibrate, model)
    with _errors_of(arguments.calibrate):
        return (stored or AnomalyDetector(model)).set_params(**thresholds).calibrate(lines)


def _is_text(path: str) -> bool:
    """Return whether a file begins like a text, and not like a model, which has zeros among its first bytes."""
    with open(path, "rb") as file:
        beginning = file.read(64)
    return bool(beginning) and (b"\0" not in beginning or beginning.startswith(b"\x1f\x8b"))


def _learn(detector: AnomalyDetector, arguments: argparse.Namespace) -> None:
    """Learn the lines of CLEAN, and save the detector."""
    if arguments.model == STANDARD_STREAM:
        arguments.parser.error("argument --learn: MODEL must be a file, in which the detector is saved")
    check_writable(arguments.model)
    lines = _clean_lines(arguments.learn, detector.estimator_)
    with _errors_of(arguments.learn):
        detector.partial_fit(lines)
    detector.save(arguments.model)


@contextlib.contextmanager
def _errors_of(path: str) -> Iterator[None]:
    """Let errors name a file instead of X."""
    try:
        yield
    except ValueError as error:
        raise InvalidInputError(error_message(error, {"X": path})) from error


def _clean_lines(path: str, model: LanguageModel) -> Any:
    """Return the lines of CLEAN."""
    return read_documents(path, as_bytes=model.vocabulary_.kind == "bytes", errors="replace")
