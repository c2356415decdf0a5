"""Export a model as a JavaScript module without dependencies."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from .._version import __version__
from ..errors import InvalidInputError
from ..parameters.checks import FilePath, checked_bool, checked_path
from ..runtime.atomic_file import write_atomically
from .guess_table import Table
from .models import Exported, ExportedClassifier, ExportedDetector
from .script import (
    Script,
    assets,
    embedded_json,
    has_network,
    model_data,
    script_of,
    script_of_classifier,
    script_of_detector,
)
from .weights import NOTICE

LANGUAGE_MODEL = ("random.js", "sampling.js", "scoring.js", "symbols.js", "module.js")
CLASSIFIER = ("scoring.js", "symbols.js", "classifier.js", "classifier_module.js")
DETECTOR = ("sampling.js", "scoring.js", "symbols.js", "mask.js", "detector.js", "detector_module.js")
GUESS_NUMBERS = ("guess_table.js", "guess_numbers.js")


def export_js(model: Exported, path: FilePath, *, float16: bool = False, guesses: Table | None = None) -> None:
    """Write a language model as a JavaScript module; see `crnn.CharRNN.export_js`."""
    name = checked_path("path", path)
    script = script_of(model, float16=checked_float16(float16, has_network(model)))
    data = model_data(model, script)
    constants = {} if guesses is None else {"GUESSES": encoded_table(guesses)}
    files = [*script.files, *LANGUAGE_MODEL, *(() if guesses is None else GUESS_NUMBERS)]
    write_atomically(name, js_module(model.summary, data, script, files, constants))


def export_classifier_js(model: ExportedClassifier, path: FilePath, *, float16: bool = False) -> None:
    """Write a classifier as a JavaScript module; see `crnn.TextClassifier.export_js`."""
    name = checked_path("path", path)
    script = script_of_classifier(model, float16=checked_float16(float16, has_network(model)))
    write_atomically(name, js_module(model.summary, {"model": script.data}, script, [*script.files, *CLASSIFIER], {}))


def export_detector_js(model: ExportedDetector, path: FilePath, *, float16: bool = False) -> None:
    """Write a detector as a JavaScript module; see `crnn.AnomalyDetector.export_js`."""
    name = checked_path("path", path)
    script = script_of_detector(model, float16=checked_float16(float16, has_network(model.model)))
    write_atomically(name, js_module(model.summary, {"model": script.data}, script, [*script.files, *DETECTOR], {}))


def encoded_table(guesses: Table) -> str:
    """Return the table of a password meter in base64."""
    return base64.b64encode(guesses.astype("<f4").tobytes()).decode("ascii")


def checked_float16(float16: bool, has_network: bool) -> bool:
    """Return whether networks get 16-bit weights; without a network, that is an error."""
    if checked_bool("float16", float16) and not has_network:
        raise InvalidInputError("float16 is True, but the model has no network. Omit it, or pass int8=True.")
    return float16


def js_module(
    summary: str, data: Mapping[str, Any], script: Script, files: Iterable[str], constants: Mapping[str, str]
) -> bytes:
    """Return a module of a model's data, the numbers of its script, further constants in base64, and source files."""
    parts = [
        f"// {summary}, written by crnn {__version__}.\n// {NOTICE}",
        f"const DATA = {embedded_json(data)};",
        f'const NUMBERS = "{script.encoded}";',
        *(f'const {name} = "{encoded}";' for name, encoded in constants.items()),
        assets(__package__, files),
    ]
    return "\n".join(parts).encode("utf-8") + b"\n"
