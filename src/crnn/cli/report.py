"""The command ``crnn report``: write a report on a model as one HTML page."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..char_rnn import CharRNN
from ..errors import InvalidInputError
from ..mixture import Mixture
from ..report import write_report
from ..text_classifier import TextClassifier
from .errors import say
from .files import STANDARD_STREAM, check_writable, load_and_name, model_source, read_documents, read_text
from .options import add_model, refuse_two_standard_inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(parser, "required for such models")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a text to analyze, preferably one not used in training; for a model of documents, one per line; "
        "- for standard input (default: a sample of the model)",
    )
    parser.add_argument(
        "-o", "--output", metavar="REPORT", default="report.html", help="where to write the page (default: %(default)s)"
    )
    parser.add_argument(
        "--labels",
        metavar="LABELS",
        help="for a classifier: a file with the class of each line of FILE, for a confusion matrix in the report "
        "(default: none)",
    )


def _load(path: str, label: str | None) -> CharRNN:
    """Return the model, or the network of a mixture."""
    model, kind = load_and_name(path, label)
    if isinstance(model, Mixture):
        networks = [member for member in model.models_ if isinstance(member, CharRNN)]
        if networks:
            say("crnn: the report is on the mixture's network; counts have no units to show")
            return networks[0]
    if not isinstance(model, CharRNN):
        raise InvalidInputError(
            f"crnn report needs a network, but {path} contains {kind}. Train a network with crnn train FILE -o MODEL."
        )
    return model


def run(arguments: argparse.Namespace) -> int:
    """Write the report, and return the exit code."""
    refuse_two_standard_inputs(arguments, model="MODEL", file="FILE", labels="LABELS")
    if arguments.output == STANDARD_STREAM:
        arguments.parser.error("argument -o/--output: name a file, since the report is for a browser")
    if arguments.labels is not None and (arguments.file is None or arguments.label is not None):
        arguments.parser.error("argument --labels: needs FILE, whose lines have these labels, and no --label")
    check_writable(arguments.output)
    model: Any
    y: Any = None
    if arguments.labels is None:
        model = _load(arguments.model, arguments.label)
    else:
        model = TextClassifier.load(model_source(arguments.model))
        classes: dict[Any, Any] = {str(label): label for label in model.classes_.tolist()}
        y = [classes.get(label, label) for label in read_documents(arguments.labels, as_bytes=False)]
    text: Any = None
    if arguments.file is not None:
        read: Any = read_text if model.vocabulary_.boundary is None else read_documents
        text = read(arguments.file, as_bytes=model.vocabulary_.kind == "bytes")
    title = None if arguments.model == STANDARD_STREAM else os.path.basename(arguments.model)
    write_report(model, arguments.output, text, y=y, title=title)
    size = os.path.getsize(arguments.output)
    say(f"crnn: wrote {arguments.output}: {size:,} bytes; open it in a browser")
    return 0
