"""The command ``crnn score``: measure how well a model predicts a text, or each of its lines."""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import shutil
import sys
from typing import Any, get_args

from ..adaptation.reading import checked_option
from ..char_rnn import CharRNN
from ..language_model import LanguageModel
from ..scoring.reductions import Reduce
from ..scoring.text_scores import WordSurprisal
from ..text.sources import text_source
from .files import line_scores, load, read_text
from .options import (
    SCORING_ERRORS,
    add_errors,
    add_model,
    add_options,
    option_of,
    parameter_table,
    refuse_two_standard_inputs,
)
from .output import colored_lines, flush, marked_lines, print_table, takes_colors, write

ADAPTATION = ("learning_rate", "decay", "block_length")  # the options of --adapt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(parser, "required for such models")
    parser.add_argument("file", metavar="FILE", help="a text, or - for standard input")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--exact", action="store_true", help="carry one state through the whole text (the default)")
    how.add_argument("--fast", action="store_true", help="cut a long text into parts and read them in parallel")
    how.add_argument(
        "--lines", action="store_true", help="score each line separately, and write its log-probability on a line"
    )
    how.add_argument(
        "--adapt",
        action="store_true",
        help="read the text in blocks and learn from each block after scoring it; the model file does not change",
    )
    adaptation = parser.add_argument_group("with --adapt")
    options = parameter_table(CharRNN.adapt)
    add_options(adaptation, {name: options[name] for name in ADAPTATION}, checked_option)
    parser.add_argument(
        "--reduce",
        choices=get_args(Reduce),
        help="with --lines: how to combine the log-probabilities of a line's characters and end; min, the minimum, "
        "finds single anomalies (default: sum)",
    )
    parser.add_argument(
        "--words",
        action="store_true",
        help="write each word and its surprisal in bits, that of the following white space included, instead",
    )
    parser.add_argument("--csv", action="store_true", help="with --words: write a table of comma-separated values")
    add_errors(parser, f"with --lines: {SCORING_ERRORS}")
    parser.add_argument("--bits", action="store_true", help="with --lines: use logarithms to base 2 (default: base e)")
    parser.add_argument(
        "--show",
        action="store_true",
        help="first write the text with each character colored by its surprisal in bits; if colors are unavailable or "
        "NO_COLOR is set, write digits below the characters",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the scores, and return the exit code."""
    refuse_two_standard_inputs(arguments, model="MODEL", file="FILE")
    if not arguments.lines and (arguments.reduce or arguments.bits or arguments.errors):
        arguments.parser.error("--reduce, --errors and --bits need --lines")
    options = {name: getattr(arguments, name) for name in ADAPTATION if hasattr(arguments, name)}
    if options and not arguments.adapt:
        arguments.parser.error(f"{option_of(next(iter(options)))} needs --adapt")
    adapt = options or arguments.adapt
    if arguments.lines and arguments.show:
        arguments.parser.error("argument --show: not allowed with --lines")
    if arguments.words and (arguments.lines or arguments.show or arguments.fast):
        arguments.parser.error("--words: not allowed with --lines, --show or --fast")
    if arguments.csv and not arguments.words:
        arguments.parser.error("--csv needs --words")
    model = load(arguments.model, arguments.label)
    if arguments.lines:
        return _score_lines(arguments, model)
    as_bytes = model.vocabulary_.kind == "bytes"
    text = read_text(arguments.file, as_bytes=as_bytes)
    if arguments.words:
        blocks: Any = text_source(text).blocks()
        _write_words(model.word_surprisal((b"" if as_bytes else "").join(blocks), adapt=adapt), as_csv=arguments.csv)
        return 0
    nats = -model.score(text, exact=not arguments.fast, adapt=adapt)
    unit = "byte" if as_bytes else "character"
    if arguments.show:
        parts: Any = text_source(text).blocks()
        _show(model, (b"" if as_bytes else "").join(parts), adapt)
    rows = {
        f"{unit}s": f"{sum(map(len, text_source(text).blocks())):,}",
        f"nats per {unit}": f"{nats:.6f}",
        f"bits per {unit}": f"{nats / math.log(2):.6f}",
        "perplexity": f"{math.exp(nats):.6f}" if nats < 700 else "inf",
    }
    print_table(rows)
    return 0


def _write_words(found: WordSurprisal, *, as_csv: bool) -> None:
    """Write a line for each word, after a header."""
    words = [word.decode(errors="backslashreplace") if isinstance(word, bytes) else word for word in found.words]
    rows = [("word", "bits"), *zip(words, [f"{bits:.6f}" for bits in found.surprisal.tolist()], strict=True)]
    if not as_csv:
        write("".join(f"{word}\t{bits}\n" for word, bits in rows))
        return
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write(table.getvalue())


def _show(model: LanguageModel, text: str | bytes, adapt: bool | dict[str, Any]) -> None:
    """Write a text with the surprisal of its characters."""
    bits = (model.surprisal(text, adapt=adapt) / math.log(2)).tolist()
    encoding = sys.stdout.encoding
    if takes_colors(sys.stdout, os.environ):
        lines = colored_lines(text, bits, os.environ, encoding=encoding)
    else:
        lines = marked_lines(text, bits, shutil.get_terminal_size().columns, encoding=encoding)
    for line in lines:
        write(line)
    write("\n")


def _score_lines(arguments: argparse.Namespace, model: LanguageModel) -> int:
    """Write the scores of lines as soon as they are read; before an error, the scores of the lines before it."""
    unit = math.log(2) if arguments.bits else 1.0
    for scores in line_scores(model, arguments.file, arguments.reduce or "sum", arguments.errors or "strict"):
        write("".join(f"{score:.6f}\n" for score in (scores / unit).tolist()))
        flush()
    return 0
