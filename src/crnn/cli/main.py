"""The command ``crnn``: train, sample, score, detect, restore, report, export, info, play, demo.

Exit codes: 0; 1 for an error, reported in one line; 2 for wrong usage; 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .._version import __version__
from . import demo, detect, export, info, output, play, report, restore, sample, score, train
from .errors import ERROR, INTERRUPTED, error_message, say, say_warnings
from .files import STANDARD_STREAM, check_writable
from .options import Parser

COMMANDS = {
    "train": (train, "Train a model on a text and save it."),
    "sample": (sample, "Generate text with a model (--raw: from its own probabilities)."),
    "score": (score, "Measure how well a model predicts a text."),
    "detect": (detect, "Score each line of a text and label it as normal or an anomaly."),
    "restore": (restore, "Restore damaged text: case, accents, spaces, gaps, typos."),
    "report": (report, "Write a web page about a model: curves, surprisal, units, and the running network."),
    "export": (export, "Export a model as C source, a JavaScript module, a web page or an ONNX file."),
    "info": (info, "Describe a model file, or this build of crnn."),
    "play": (play, "Train min-char-rnn in a web page: write the page and open it."),
    "demo": (demo, "Watch a model learn English in 20 seconds (--min-char-rnn: the network of 2015)."),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 (an error) or 130 (interrupted).

    Wrong usage, ``--help`` and ``--version`` raise SystemExit, like argparse.
    """
    if sys.stderr is None:  # it is closed, and print would write messages to standard output
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (open until the process ends)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # escape characters that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    arguments = argparse.Namespace()
    try:
        arguments = _parse(argv)
        if arguments.run is not train.run:  # all other commands write to standard output
            check_writable(STANDARD_STREAM)
        with say_warnings():
            code: int = arguments.run(arguments)
        output.flush()
        return code
    except KeyboardInterrupt:
        say("crnn: stopped by Ctrl-C")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has stopped reading
        output.discard()
        return ERROR
    except (OSError, ValueError, ArithmeticError, MemoryError) as error:
        output.discard()
        options = {"X": "file", "y": "labels", "validation": "validation", "validation[1]": "validation_labels"}
        files = {name: getattr(arguments, option, None) for name, option in options.items()}
        say(f"crnn: error: {error_message(error, files)}")
        return ERROR


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; of ``--help`` and ``--version`` the text is written before the command ends."""
    try:
        return _parser().parse_args(argv)
    except SystemExit as ended:
        if not ended.code:
            output.flush()
        raise


def _parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; each command's module adds its own arguments."""
    parser = Parser(
        prog="crnn",
        description="Train and use character-level language models on a CPU.",
        epilog="Start with: crnn demo",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"crnn {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (command, summary) in COMMANDS.items():
        added = subparsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_arguments(added)
        added.set_defaults(run=command.run, parser=added)
    return parser
