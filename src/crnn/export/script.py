"""Describe models to the JavaScript engine: their data in JSON, and their numbers one after another."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from ..errors import InvalidInputError
from ..model.int8_weights import LOOKUP_TABLES, by_output, integers_of
from ..parameters.kinds import CELLS
from ..text.mask import pairs_of
from ..text.vocabulary import Vocabulary
from .js_pattern import javascript_pattern
from .models import (
    Exported,
    ExportedClassifier,
    ExportedCounts,
    ExportedDetector,
    ExportedMixture,
    ExportedNetwork,
    ExportedReader,
    ExportedWords,
    Reduction,
)
from .weights import Weights, vocabulary_data

STORED = "stored.js"  # the file that every other one uses
LABELED = "labeled.js"
MAX_SAFE_INTEGER = 2**53 - 1  # of JavaScript's numbers
OF_WORDS = ("keys", "sizes", "symbols", "escapes", "shares")  # the arrays of counts of words
OF_COUNTS = ("extended", "sizes", "symbols", "escapes", "shares")  # the arrays of counts, in the order of the numbers


class Script(NamedTuple):
    """A model for the engine."""

    data: dict[str, Any]  # for JSON
    numbers: bytes  # in the order in which the engine reads them
    files: tuple[str, ...]  # of the folder ``web``, with the code that runs the model; the order matters

    @property
    def encoded(self) -> str:
        """The numbers in base64."""
        return base64.b64encode(self.numbers).decode("ascii")


def script_of(model: Exported, *, float16: bool = False) -> Script:
    """Return a model for the engine, with the weights of networks in 16 bits if wanted."""
    if isinstance(model, ExportedNetwork):
        return _script_of_network(model, float16)
    if isinstance(model, ExportedCounts):
        return _script_of_counts(model)
    return _script_of_mixture(model, float16)


def joined_files(scripts: Iterable[Script]) -> tuple[str, ...]:
    """Return the files of several scripts, each once."""
    return tuple(dict.fromkeys(file for script in scripts for file in script.files))


def has_network(model: Exported | ExportedWords | ExportedClassifier) -> bool:
    """Return whether a model is a network or has one."""
    if isinstance(model, ExportedClassifier):
        return any(isinstance(reader.model, ExportedNetwork) for readers in model.readers for reader in readers)
    if isinstance(model, ExportedMixture):
        return any(map(has_network, model.members))
    return isinstance(model, ExportedNetwork)


def _specials(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return what the engine knows about a model's symbols."""
    return {"boundary": vocabulary.boundary, "unknown": vocabulary.unknown}


def _script_of_network(model: ExportedNetwork, float16: bool) -> Script:
    """Return a network's sizes, weights and engine; with `float16`, the weights have 16 bits."""
    weights = model.weights
    if float16:
        number_type = "float16"
    elif weights.scales is None:
        number_type = "float32"
    else:
        number_type = "int8"
    data = {
        "kind": "network",
        "cell": weights.cell,
        "gates": CELLS[weights.cell].gates,
        "separateBias": CELLS[weights.cell].separate_bias,
        "layers": len(weights.layers),
        "hidden": weights.hidden_size,
        "symbols": len(model.vocabulary),
        "outputs": len(model.vocabulary) - len(model.vocabulary.labels),
        "embedding": None if weights.embedding is None else weights.embedding.shape[1],
        "pairs": [] if weights.pair_table is None else weights.pair_keys().tolist(),
        **_specials(model.vocabulary),
        "weights": number_type,
    }
    return Script(data, _weight_bytes(weights, float16), (STORED, "network.js"))


def _weight_bytes(weights: Weights, float16: bool) -> bytes:
    """Return all weights in the order expected by ``network.js``.

    For 8-bit weights, each matrix's integers are followed by its scales. Scales and biases are float32.
    """
    scales = weights.scales or {}
    if float16 and scales:
        raise InvalidInputError(
            "float16=True stores 16-bit weights, but the model's weights are 8-bit. Omit float16, or int8 if it is set."
        )
    arrays: list[tuple[str, Any]] = [("bigrams", weights.pair_table), ("embedding", weights.embedding)]
    for k, layer in enumerate(weights.layers):
        arrays += [(f"Wxh_l{k}", layer.Wx), (f"Whh_l{k}", layer.Wh), ("", layer.bh), ("", layer.bhn)]
    arrays += [("Why", weights.Why), ("", weights.by)]
    parts = []
    for name, array in arrays:
        if array is None:
            continue
        scale = scales.get(name)
        is_table = name in LOOKUP_TABLES
        rows = array
        if scale is not None:
            rows = by_output(integers_of(by_output(array, is_table), scale), is_table)
        if name == "Wxh_l0" and weights.embedding is None:
            rows = rows.T  # a table with one row per symbol
        parts.append(_as_floats(rows, float16) if scale is None else rows.tobytes() + _as_floats(scale, False))
    return b"".join(parts)


def _as_floats(array: Any, float16: bool) -> bytes:
    largest = float(np.abs(array).max(initial=0))
    if float16 and largest > float(np.finfo(np.float16).max):
        raise InvalidInputError(f"a weight has size {largest:.4g}, too large for float16. Omit float16.")
    encoded: bytes = array.astype("<f2" if float16 else "<f4").tobytes()
    return encoded


def _script_of_counts(model: ExportedCounts) -> Script:
    """Return the compact arrays of counts, and their engine."""
    counts = model.counts
    stored = [np.ascontiguousarray(counts.arrays[name]).tobytes() for name in OF_COUNTS]
    data = {
        "kind": "counts",
        "lengths": counts.n_grams,
        "symbols": counts.symbols,
        "bits": counts.bits,
        "bytes": [len(part) for part in stored],
        "scales": counts.arrays["scales"].tolist(),
        **_specials(model.vocabulary),
    }
    return Script(data, b"".join(stored), (STORED, "counts.js"))


def _script_of_mixture(model: ExportedMixture, float16: bool) -> Script:
    """Return the members' scripts as one, with the weights of the mixture."""
    members = [
        _script_of_words(member, model) if isinstance(member, ExportedWords) else script_of(member, float16=float16)
        for member in model.members
    ]
    data = {
        "kind": "mixture",
        "members": [member.data for member in members],
        "weights": model.weights.tolist(),
        "letters": model.letters,
        "symbols": len(model.vocabulary),
        **_specials(model.vocabulary),
    }
    files = tuple(dict.fromkeys([*joined_files(members), "mixture.js"]))
    return Script(data, b"".join(member.numbers for member in members), files)


def _script_of_words(words: ExportedWords, mixture: ExportedMixture) -> Script:
    """Return the arrays of the counts of words, with the number of the member that predicts characters."""
    arrays = words.counts.arrays
    stored = [arrays[name].tobytes() for name in OF_WORDS]
    data = {
        "kind": "words",
        "characters": next(k for k, member in enumerate(mixture.members) if member is words.characters),
        "lengths": arrays["lengths"].tolist(),
        "bytes": [len(part) for part in stored],
        "base": arrays["base"].tolist(),
        "letters": mixture.letters,
        "folds": [[i, fold] for i, fold in enumerate(arrays["folds"].tolist()) if i != fold],
        "symbols": words.counts.symbols,
        "boundary": words.counts.boundary,
    }
    return Script(data, b"".join(stored), (STORED, "counts.js", "words.js"))


def script_of_classifier(model: ExportedClassifier, *, float16: bool = False) -> Script:
    """Return a classifier for the engine."""
    vocabularies: list[Vocabulary] = []
    scripts = []
    estimators = []
    for weight, readers in zip(model.weights.tolist(), model.readers, strict=True):
        of_estimator = []
        for reader in readers:
            if reader.vocabulary not in vocabularies:
                vocabularies.append(reader.vocabulary)
            script = _script_of_reader(reader, float16)
            scripts.append(script)
            place = {"vocabulary": vocabularies.index(reader.vocabulary), "backward": reader.is_backward}
            of_estimator.append(script.data | place)
        estimators.append({"weight": weight, "readers": of_estimator})
    data = {
        "kind": "classifier",
        "labels": [checked_label(label) for label in model.labels],
        "prior": model.prior.tolist(),
        "estimators": estimators,
        "vocabularies": [vocabulary_data(vocabulary) for vocabulary in vocabularies],
    }
    return Script(data, b"".join(script.numbers for script in scripts), joined_files(scripts))


def script_of_detector(model: ExportedDetector, *, float16: bool = False) -> Script:
    """Return a detector for the engine."""
    script = script_of(model.model, float16=float16)
    vocabulary = model.model.vocabulary
    data = {
        "kind": "detector",
        "model": script.data,
        "vocabulary": vocabulary_data(vocabulary),
        "threshold": model.threshold,
        "reduction": Reduction.of(model.reduce)._asdict(),
        "mask": [_mask_rule(*pair, as_bytes=vocabulary.kind == "bytes") for pair in pairs_of(model.mask)],
    }
    return script._replace(data=data)


def _mask_rule(pattern: str, replacement: str, *, as_bytes: bool) -> dict[str, str]:
    """Return a rule of a mask for JavaScript, where the bytes of a text are the characters with these codes."""
    if as_bytes:
        replacement = replacement.encode("latin-1", "replace").decode("latin-1")
    return {"pattern": javascript_pattern(pattern), "replacement": replacement}


def checked_label(label: Any) -> Any:
    """Return a label, which JavaScript must be able to represent."""
    if isinstance(label, int) and abs(label) > MAX_SAFE_INTEGER:
        raise InvalidInputError(f"the label {label} is too large for a number in JavaScript. Use texts as labels.")
    return label


def _script_of_reader(reader: ExportedReader, float16: bool) -> Script:
    """Return a model with labels."""
    if isinstance(reader.model, ExportedNetwork):
        script = _script_of_network(reader.model, float16)
        return script._replace(data={"kind": "labeled network", "network": script.data}, files=(*script.files, LABELED))
    parts = [_script_of_counts(part) for part in reader.model]
    data = {"kind": "labeled counts", "counts": [part.data for part in parts]}
    return Script(data, b"".join(part.numbers for part in parts), (*joined_files(parts), LABELED))


def opening(vocabulary: Vocabulary) -> str:
    """Return the text that precedes the user's first character: a newline, otherwise a space, otherwise nothing.

    The opening is also empty for a model of documents, which starts a new document.
    """
    if vocabulary.boundary is not None:
        return ""
    return next((start for start in "\n " if ord(start) in vocabulary.codes), "")


def model_data(model: Exported, script: Script) -> dict[str, Any]:
    """Return what a module or a page knows about a language model, except its numbers."""
    return {
        "model": script.data,
        "opening": opening(model.vocabulary),
        "vocabulary": vocabulary_data(model.vocabulary),
    }


# ---------------------------------------------------------------- source text


def embedded_json(value: Any) -> str:
    """Return a value as JSON that is safe inside a script element.

    Non-ASCII characters, including lone surrogates and line separators, and characters with a meaning in HTML are
    escaped. Non-finite numbers become null, since JSON cannot represent them.
    """
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def assets(package: str, names: Iterable[str]) -> str:
    """Return the concatenated text of files in a package's ``web`` folder."""
    folder = resources.files(package).joinpath("web")
    return "\n".join(folder.joinpath(name).read_text("utf-8").rstrip("\n") for name in names)


def _finite(value: Any) -> Any:
    """Return a copy of a value with None in place of non-finite numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
