"""The command ``crnn export``: write a model as C, ONNX, a web page, a JavaScript module or n-grams for KenLM."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ..anomaly_detector import AnomalyDetector
from ..char_ngram import CharNGram
from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..mixture import Mixture
from ..parameters.checks import checked_int, generator
from ..text_classifier import TextClassifier
from .errors import ERROR, say
from .files import (
    STANDARD_STREAM,
    check_writable,
    language_model_of,
    load_and_name,
    load_whole,
    read_documents,
    require_network,
)
from .options import add_model, byte_count, refuse_two_standard_inputs, value_type

SUFFIXES = (".c", ".onnx", ".html", ".js", ".arpa")
SUFFIXES_WITH = {  # by option
    "title": (".html",),
    "exclude": (".html",),
    "n_guess_samples": (".html", ".c", ".js"),
    "random_state": (".html", ".c", ".js"),
    "space": (".arpa",),
    "int8": (".c", ".html", ".js"),
    "float16": (".html", ".js"),
}
OPEN_HINT = "; open it in a browser"  # said of a page
LARGE_FILE = 4_000_000  # bytes, which some phones load slowly
# What the cost is measured on: a sample of this many symbols, or this many documents.
COST_SYMBOLS = 1000
COST_DOCUMENTS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(parser, "required for such models")
    parser.add_argument(
        "output",
        metavar="OUT",
        help="OUT.c: a single C99 file that samples and scores, without dependencies; OUT.onnx: a file for any ONNX "
        "runtime; OUT.html: a page that runs the model in any browser; OUT.js: a JavaScript module with "
        "functions that sample, score, predict and complete; OUT.arpa: a CharNGram's n-grams for KenLM. "
        "Counts can be OUT.c, OUT.js, OUT.html or OUT.arpa, mixtures, classifiers and "
        "detectors OUT.c, OUT.js or OUT.html",
    )
    parser.add_argument(
        "--title", metavar="TEXT", help="for OUT.html: the page's title (default: the name of MODEL without its suffix)"
    )
    parser.add_argument(
        "--exclude",
        metavar="FILE",
        help="for OUT.html and a model of lines: never show a line of this file, such as the training file",
    )
    parser.add_argument(
        "--n-guess-samples",
        metavar="N",
        type=value_type(partial(checked_int, "n_guess_samples", minimum=2)),
        help="for OUT.html, OUT.c and OUT.js, and a model of lines such as passwords: a page with a password meter, or "
        "a function that returns log10 of the guess number, estimated from N drawn lines, such as 10000",
    )
    parser.add_argument(
        "--random-state",
        metavar="SEED",
        type=value_type(generator),
        help="the random seed of --n-guess-samples (default: none)",
    )
    parser.add_argument("--space", metavar="TOKEN", help="for OUT.arpa: the word that represents a space (default: |)")
    parser.add_argument(
        "--max-bytes",
        type=byte_count,
        metavar="BYTES",
        help="for counts, alone or in a mixture: prune them first, so that the file of counts that crnn saves would be "
        "no larger, such as 400k or 1M",
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help="for OUT.c, OUT.html and OUT.js: store 8-bit weights, a quarter of the size, and print the measured "
        "cost of rounding (default: the model's own weights, float32 unless MODEL is quantized)",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="for OUT.html and OUT.js: store 16-bit weights, half the size (default: no)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file, and return the exit code."""
    path = arguments.output
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        arguments.parser.error(f"argument OUT: {path!r} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    for option, suffixes in SUFFIXES_WITH.items():
        if getattr(arguments, option) not in (None, False) and suffix not in suffixes:
            *others, last = (f"OUT{each}" for each in suffixes)
            formats = f"{', '.join(others)} and {last}" if others else last
            arguments.parser.error(f"argument --{option.replace('_', '-')}: only for {formats}")
    if arguments.int8 and arguments.float16:
        arguments.parser.error("argument --int8: not allowed with argument --float16")
    check_writable(path)
    if suffix == ".arpa":
        _export_arpa(arguments)
        return 0
    refuse_two_standard_inputs(arguments, model="MODEL", exclude="--exclude")
    found, kind = load_whole(arguments.model, arguments.label)
    if suffix in (".c", ".js", ".html") and isinstance(found, TextClassifier | AnomalyDetector):
        _export_judge(found, arguments, suffix)
        return 0
    loaded = language_model_of(found)
    is_plain = "detector" not in kind
    if suffix == ".html":
        _export_page(loaded, arguments)
        return 0
    if suffix in (".c", ".js") and isinstance(loaded, CharNGram | Mixture) and is_plain:
        _export_source(loaded, arguments, suffix)
        return 0
    if arguments.max_bytes is not None:
        arguments.parser.error("argument --max-bytes: only for counts and OUT.c, OUT.js, OUT.html or OUT.arpa")
    model = require_network(loaded, kind, arguments.model, "crnn export")
    hint = ""
    if suffix == ".onnx":
        try:
            model.export_onnx(path)
        except ModuleNotFoundError as error:
            say(f"crnn: error: {error}")
            return ERROR
    elif suffix == ".js":
        model.export_js(path, float16=arguments.float16, int8=arguments.int8, **_guesses(arguments))
    else:
        model.export_c(path, int8=arguments.int8, **_guesses(arguments))
        hint = _compiling(path)
    _say_written(path, hint)
    if arguments.int8:
        _say_int8_cost(model)
    return 0


def _say_int8_cost(model: CharRNN) -> None:
    if model.scales_ is None and model.params_["Why"].dtype == "float32":
        say(f"crnn: 8-bit weights cost {int8_cost(model):.5f} nats per symbol on text that the model generates")


def _guesses(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a password meter."""
    return {"n_guess_samples": arguments.n_guess_samples or 0, "random_state": arguments.random_state}


def _title(arguments: argparse.Namespace) -> str | None:
    """Return the title of a page, by default the model's name without its suffix."""
    title: str | None = arguments.title
    if title is None and arguments.model != STANDARD_STREAM:
        title, _ = os.path.splitext(os.path.basename(arguments.model))
    return title


def _say_written(path: str, hint: str = "") -> None:
    """Say that a file is written, and what to do with it."""
    say(f"crnn: wrote {path}: {os.path.getsize(path):,} bytes{hint}")


def _compiling(path: str) -> str:
    """Return the command that makes a program of a C file."""
    return f"; cc -O3 -march=native {shlex.quote(path)} -o {shlex.quote(os.path.splitext(path)[0])}"


def _export_judge(found: TextClassifier | AnomalyDetector, arguments: argparse.Namespace, suffix: str) -> None:
    """Write a classifier or a detector as a page, a module or C, without the options that only language models have."""
    for option in ("exclude", "max_bytes", "n_guess_samples"):
        if getattr(arguments, option) is not None:
            name = option.replace("_", "-")
            arguments.parser.error(f"argument --{name}: only for language models, not for classifiers and detectors")
    path = arguments.output
    if suffix == ".js":
        found.export_js(path, float16=arguments.float16, int8=arguments.int8)
        _say_written(path)
    elif suffix == ".c":
        found.export_c(path, int8=arguments.int8)
        _say_written(path, _compiling(path))
    else:
        found.export_html(path, float16=arguments.float16, int8=arguments.int8, title=_title(arguments))
        _say_written(path, OPEN_HINT)


def _export_page(model: CharRNN | CharNGram | Mixture, arguments: argparse.Namespace) -> None:
    """Write a model as a page."""
    path = arguments.output
    if arguments.max_bytes is not None:
        model = _prune_model(model, arguments)
    excluded: Iterable[Any] = ()
    if arguments.exclude is not None:
        excluded = read_documents(arguments.exclude, as_bytes=model.vocabulary_.kind == "bytes")
    model.export_html(
        path,
        float16=arguments.float16,
        int8=arguments.int8,
        title=_title(arguments),
        exclude=excluded,
        **_guesses(arguments),
    )
    _say_written(path, OPEN_HINT)
    _hint_at_pruning(model, arguments, "make the page load faster")
    if arguments.int8 and isinstance(model, CharRNN):
        _say_int8_cost(model)


def _hint_at_pruning(model: CharRNN | CharNGram | Mixture, arguments: argparse.Namespace, gain: str) -> None:
    """Say what --max-bytes would gain, if the written file is large and its counts are not pruned."""
    members = model.models_ if isinstance(model, Mixture) else [model]
    has_counts = any(isinstance(each, CharNGram) for each in members)
    if has_counts and arguments.max_bytes is None and os.path.getsize(arguments.output) > LARGE_FILE:
        say(f"crnn: --max-bytes 400k would prune the counts, and {gain}")


def _prune_model(model: CharRNN | CharNGram | Mixture, arguments: argparse.Namespace) -> CharNGram | Mixture:
    """Return a model whose counts need at most --max-bytes each."""
    if isinstance(model, CharNGram):
        return model.prune(arguments.max_bytes)
    if isinstance(model, Mixture) and any(isinstance(each, CharNGram) for each in model.models_):
        members = [_prune_model(each, arguments) if isinstance(each, CharNGram) else each for each in model.models_]
        if "words" in model.members_:
            say("crnn: --max-bytes leaves the counts of words out")
        return Mixture.from_fitted(members, model.without_words().weights_)
    raise InvalidInputError("--max-bytes needs counts, but MODEL has none. Omit it, or pass --int8.")


def _export_source(model: CharNGram | Mixture, arguments: argparse.Namespace, suffix: str) -> None:
    """Write counts or a mixture as C or JavaScript."""
    path = arguments.output
    if arguments.float16 and isinstance(model, CharNGram):
        raise InvalidInputError("--float16 needs a network, but MODEL contains counts. Omit it, or pass --int8.")
    if arguments.max_bytes is not None:
        model = _prune_model(model, arguments)
    if suffix == ".js":
        model.export_js(path, float16=arguments.float16, int8=arguments.int8, **_guesses(arguments))
        _say_written(path)
    else:
        model.export_c(path, int8=arguments.int8, **_guesses(arguments))
        _say_written(path, _compiling(path))
    _hint_at_pruning(model, arguments, "make the file smaller")


def _export_arpa(arguments: argparse.Namespace) -> None:
    """Write ``OUT.arpa`` for ``crnn export``, pruned if ``--max-bytes`` is given."""
    path = arguments.output
    counts, kind = load_and_name(arguments.model, arguments.label)
    if not isinstance(counts, CharNGram):
        raise InvalidInputError(
            f"OUT.arpa needs a CharNGram, but {arguments.model} contains {kind}. Train one with "
            "crnn train --model ngram --order 6."
        )
    if arguments.max_bytes is not None:
        counts = counts.prune(arguments.max_bytes)
    counts.export_arpa(path, space="|" if arguments.space is None else arguments.space)
    _say_written(path)


def int8_cost(model: CharRNN) -> float:
    """Return how many nats per symbol a model loses with 8-bit weights, on text that it generates.

    The cost is the mean Kullback-Leibler divergence of the quantized model's predictions from the model's own. It needs
    no text and varies less than the difference of two scores.
    """
    from scipy.special import rel_entr  # here, since importing it doubles the time that any command takes to start

    quantized = model.quantize()
    if model.vocabulary_.boundary is None:
        texts = [model.sample(COST_SYMBOLS, random_state=0)]
    else:
        texts = model.sample(n_samples=COST_DOCUMENTS, random_state=0)
    divergences = []
    for text in texts:
        state = model.start()
        other = quantized.start()
        for i in range(len(text) + 1):
            p = state.next_proba()
            q = other.next_proba()
            divergences.append(float(rel_entr(p, q).sum()))
            state.feed(text[i : i + 1])
            other.feed(text[i : i + 1])
    return max(0.0, float(np.mean(divergences)))
