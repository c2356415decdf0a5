"""The command ``crnn sample``: write generated text."""

from __future__ import annotations

import argparse
import math
import os
from functools import partial
from itertools import islice
from typing import Any

from ..language_model import LanguageModel
from ..parameters.checks import checked_int, generator
from ..sampling.controls import CONTROLS, NUMBERS
from ..sampling.lengths import DEFAULT_LENGTH, DEFAULT_MAX_LENGTH
from .files import load, read_documents
from .options import add_model, add_options, refuse_two_standard_inputs, value_type
from .output import write

# What the command does without --raw: few characters are improbable, and a text begins with a line.
USUAL_CONTROLS = {"temperature": 0.8, "top_p": 0.9}
WRITTEN_SYMBOLS = 4096  # symbols of a sample written at a time


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command; the sampling controls come from their table."""
    add_model(parser, "default: drawn for each sample")
    parser.add_argument(
        "--raw",
        action="store_true",
        help="draw from the model's own probabilities, from the zero state, as model.sample does in Python; without "
        "it, likely characters become more likely. The same as --temperature 1 --top-p none, which --matching implies",
    )
    parser.add_argument(
        "--length",
        metavar="N",
        type=value_type(partial(checked_int, "length", minimum=0)),
        help=f"characters to generate (default: {DEFAULT_LENGTH}); for documents, the maximum "
        f"(default: {DEFAULT_MAX_LENGTH})",
    )
    parser.add_argument(
        "--prime",
        metavar="TEXT",
        default="",
        help="text to continue; only documents include it in the output (default: none; running text begins with a "
        "line)",
    )
    numbers = {name: CONTROLS[name] for name in NUMBERS}
    add_options(parser, numbers, lambda name, value: NUMBERS[name](value), defaults=USUAL_CONTROLS)
    parser.add_argument(
        "--stop",
        metavar="TEXT",
        action="append",
        help="end the sample before this text; may be given several times (default: none)",
    )
    parser.add_argument("--forbid", metavar="CHARACTERS", default="", help="characters never to draw (default: none)")
    parser.add_argument(
        "--matching",
        metavar="PATTERN",
        help="a regular expression that the text after the prime, or the whole document, must match (default: none)",
    )
    parser.add_argument(
        "--random-state",
        metavar="SEED",
        type=value_type(generator),
        help="the random seed; the same seed gives the same text (default: none)",
    )
    parser.add_argument(
        "--n-samples",
        metavar="K",
        type=value_type(partial(checked_int, "n_samples", minimum=1)),
        default=1,
        help="number of samples, separated by lines of ----; documents are written one per line (default: 1)",
    )
    parser.add_argument("--unique", action="store_true", help="draw again until all samples differ")
    parser.add_argument("--exclude", metavar="FILE", help="never write a line of this file, such as the training file")


def run(arguments: argparse.Namespace) -> int:
    """Write generated text, and return the exit code."""
    refuse_two_standard_inputs(arguments, model="MODEL", exclude="--exclude")
    model = load(arguments.model, arguments.label)
    as_bytes = model.vocabulary_.kind == "bytes"
    documents = model.vocabulary_.boundary is not None
    options = _options(arguments, model)
    excluded = read_documents(arguments.exclude, as_bytes=as_bytes) if arguments.exclude else []
    matching = None if arguments.matching is None else _text(arguments.matching, as_bytes=as_bytes)
    if documents or arguments.n_samples > 1 or arguments.unique or excluded or matching is not None:
        which = {"unique": arguments.unique, "exclude": excluded, "matching": matching}
        length = arguments.length
        # The same limit, which for a document includes its prime.
        limited = documents and length is not None
        limit = {"max_length": length + len(options["prime"])} if limited else {"length": length}
        samples = model.sample(**limit, n_samples=arguments.n_samples, **which, **options)
        for i, text in enumerate(samples if arguments.n_samples > 1 else [samples]):
            write("----\n" if i and not documents else "")
            write(text)
            write("\n")
        return 0
    symbols = model.stream(DEFAULT_LENGTH if arguments.length is None else arguments.length, **options)
    while block := list(islice(symbols, WRITTEN_SYMBOLS)):
        write(b"".join(block) if as_bytes else "".join(block))
    write("" if as_bytes else "\n")  # nothing is added to bytes, which may be anything
    return 0


def _options(arguments: argparse.Namespace, model: LanguageModel) -> dict[str, Any]:
    """Return the given arguments of `LanguageModel.sample` and `LanguageModel.stream`."""
    text = partial(_text, as_bytes=model.vocabulary_.kind == "bytes")
    forbidden = text(arguments.forbid)
    characters = [forbidden[i : i + 1] for i in range(len(forbidden))]
    is_raw = arguments.raw or arguments.matching is not None
    given = {name: value for name, value in vars(arguments).items() if name in NUMBERS}
    line_end = text("\n")
    prime = text(arguments.prime)
    if not prime and not is_raw and model.vocabulary_.boundary is None and line_end in [*model.vocabulary_]:
        prime = line_end
    return (
        ({} if is_raw else USUAL_CONTROLS)
        | given
        | {
            "prime": prime,
            "stop": arguments.stop and [text(stop) for stop in arguments.stop],
            "logit_bias": dict.fromkeys(characters, -math.inf),
            "random_state": arguments.random_state,
        }
    )


def _text(argument: str, *, as_bytes: bool) -> Any:
    """Return an argument as text of the model's kind."""
    return os.fsencode(argument) if as_bytes else argument
