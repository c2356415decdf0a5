"""The command ``crnn restore``: write the most probable originals of damaged lines, or of damaged texts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ..parameters.checks import checked_float, checked_int
from ..restoring.restorer import Change
from .files import load, read_lines, whole_text
from .options import add_model, refuse_two_standard_inputs, value_type
from .output import flush, write

DAMAGE = ("case", "accents", "spaces", "gaps", "typos", "ocr")
FILES_AT_A_TIME = 64  # restored side by side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    rate = value_type(partial(checked_float, "the rate", above=0, below=1))
    add = parser.add_argument
    optional: Any = {"nargs": "?", "const": True, "default": False, "metavar": "RATE", "type": rate}
    add_model(parser, "required for such models")
    add("files", metavar="FILE", nargs="+", help="damaged lines, or - for standard input")
    add("--ocr", action="store_true", help='mend scanned text: the confusions "ocr" of the library')
    add("--case", **optional, help="restore upper and lower case; with a rate, such as 0.001, only where it is wrong")
    add("--accents", action="store_true", help="restore accents")
    add("--spaces", **optional, help="insert missing spaces; with a rate, such as 0.01, only where they are missing")
    add("--gaps", metavar="CHARACTER", help="the character that stands for one unknown character")
    add("--typos", metavar="RATE", type=rate, help="correct typos, at this share of letters, such as 0.05")
    add(
        "--least",
        metavar="NATS",
        type=value_type(partial(checked_float, "least", minimum=0)),
        help="make only changes that gain at least so many nats (default: 3 with --typos or --ocr, otherwise 0)",
    )
    add(
        "--n-beams",
        metavar="N",
        type=value_type(partial(checked_int, "n_beams", minimum=1)),
        help="hypotheses to keep (default: 4; 16 with --typos or --ocr; more at gaps)",
    )
    add("--among", metavar="LIST", help="a file with the only possible originals, one per line")
    add("--prime", metavar="TEXT", default="", help="text that precedes each line (default: none)")
    add("--whole", action="store_true", help="restore FILE as one text instead of line by line")
    add("--output-folder", metavar="FOLDER", help="restore each FILE as one text, into a file of this name in FOLDER")
    add(
        "--changes",
        action="store_true",
        help="write the changes instead of the text, with tabs between: line or FILE, place, before, after, log-odds",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the restored text, and return the exit code."""
    files = arguments.files
    folder = arguments.output_folder
    fail = arguments.parser.error
    arguments.file = files[0]
    refuse_two_standard_inputs(arguments, model="MODEL", file="FILE")
    if not any(getattr(arguments, name) for name in DAMAGE):
        fail("give at least one kind of damage: --ocr, --case, --accents, --spaces, --gaps or --typos")
    if len(files) > 1 and folder is None:
        fail("several files need --output-folder FOLDER")
    targets = [Path(folder, Path(file).name) for file in files] if folder is not None else []
    if len(set(targets)) < len(targets) or {path.resolve() for path in targets} & {Path(f).resolve() for f in files}:
        fail(
            "--output-folder would overwrite a FILE, or two have the same name. Name another folder, or rename a FILE."
        )
    model = load(arguments.model, arguments.label)
    as_bytes = model.vocabulary_.kind == "bytes"
    options: Any = {name: getattr(arguments, name) for name in (*DAMAGE, "least", "n_beams", "prime", "changes")}
    options["confusions"] = "ocr" if options.pop("ocr") else None
    if arguments.among is not None:
        options["among"] = [line for lines in read_lines(arguments.among, as_bytes=as_bytes) for line in lines]
    if as_bytes:
        options |= {name: os.fsencode(options[name]) for name in ("gaps", "prime") if options[name]}
    for i in range(0, len(targets), FILES_AT_A_TIME):
        texts = [whole_text(file, as_bytes=as_bytes) for file in files[i : i + FILES_AT_A_TIME]]
        for file, path, found in zip(files[i:], targets[i:], model.restore(texts, **options), strict=False):
            text, changes = found if arguments.changes else (found, ())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            write_changes(file, changes)
    if targets:
        return 0
    if arguments.whole:
        found = model.restore(whole_text(arguments.file, as_bytes=as_bytes), **options)
        if arguments.changes:
            write_changes(arguments.file, found.changes)
        else:
            write(found)
        return 0
    number = 0
    for lines in read_lines(arguments.file, as_bytes=as_bytes):
        for found in model.restore(lines, **options):
            number += 1
            if arguments.changes:
                write_changes(str(number), found.changes)
            else:
                write(found)
                write("\n")
        flush()
    return 0


def write_changes(where: str, changes: Iterable[Change]) -> None:
    """Write a line for each change."""
    for start, _, before, after, log_odds in changes:
        write(f"{where}\t{start}\t{before!r}\t{after!r}\t{log_odds:.2f}\n")
