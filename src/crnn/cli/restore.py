"""The command ``crnn restore``: write the most probable originals of damaged lines, or of a damaged text."""

from __future__ import annotations

import argparse
import os
from typing import Any

from ..parameters.checks import checked_float, checked_int
from .files import load, read_lines, whole_text
from .options import add_model, refuse_two_standard_inputs, value_type
from .output import flush, write

DAMAGE = ("case", "accents", "spaces", "gaps", "typos")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(parser, "required for such models")
    parser.add_argument("file", metavar="FILE", help="damaged lines, or - for standard input")
    parser.add_argument("--case", action="store_true", help="restore upper and lower case")
    parser.add_argument("--accents", action="store_true", help="restore accents")
    parser.add_argument("--spaces", action="store_true", help="insert missing spaces")
    parser.add_argument("--gaps", metavar="CHARACTER", help="the character that stands for one unknown character")
    parser.add_argument(
        "--typos",
        metavar="RATE",
        type=value_type(lambda value: checked_float("typos", value, above=0, below=1)),
        help="correct typos, at this share of letters, such as 0.05",
    )
    parser.add_argument(
        "--beams",
        metavar="N",
        type=value_type(lambda value: checked_int("beams", value, 1)),
        help="hypotheses to keep (default: 4; 16 with --typos; one per symbol with --gaps)",
    )
    parser.add_argument("--prime", metavar="TEXT", default="", help="text that precedes each line (default: none)")
    parser.add_argument("--whole", action="store_true", help="restore FILE as one text instead of line by line")


def run(arguments: argparse.Namespace) -> int:
    """Write the restored text, and return the exit code."""
    refuse_two_standard_inputs(arguments, model="MODEL", file="FILE")
    if not any(getattr(arguments, name) for name in DAMAGE):
        arguments.parser.error("give at least one kind of damage: --case, --accents, --spaces, --gaps or --typos")
    model = load(arguments.model, arguments.label)
    as_bytes = model.vocabulary_.kind == "bytes"
    options: Any = {name: getattr(arguments, name) for name in (*DAMAGE, "beams", "prime")}
    if as_bytes:
        options |= {name: os.fsencode(options[name]) for name in ("gaps", "prime") if options[name]}
    if arguments.whole:
        write(model.restore(whole_text(arguments.file, as_bytes=as_bytes), **options))
        return 0
    for lines in read_lines(arguments.file, as_bytes=as_bytes):
        for line in model.restore(lines, **options):
            write(line)
            write("\n")
        flush()
    return 0
