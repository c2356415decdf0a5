"""The command ``crnn play``: write a web page that trains min-char-rnn in the browser, and open it."""

from __future__ import annotations

import argparse
import os
import webbrowser
from pathlib import Path

from ..play import write_play_page
from .errors import say
from .files import STANDARD_STREAM, check_writable, whole_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="a text to learn from, in UTF-8; - for standard input (default: a play that was written for the page)",
    )
    parser.add_argument(
        "-o", "--output", metavar="PAGE", default="play.html", help="where to write the page (default: %(default)s)"
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the page in a browser")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and open it; return the exit code."""
    if arguments.output == STANDARD_STREAM:
        arguments.parser.error("argument -o/--output: name a file, since the page is for a browser")
    check_writable(arguments.output)
    if arguments.file is None:
        write_play_page(arguments.output)
    else:
        text = whole_text(arguments.file, as_bytes=False)
        assert isinstance(text, str)
        name = "your text" if arguments.file == STANDARD_STREAM else os.path.basename(arguments.file)
        write_play_page(arguments.output, text, name)
    size = os.path.getsize(arguments.output)
    is_open = False
    if not arguments.no_open:
        is_open = webbrowser.open(Path(arguments.output).absolute().as_uri())
    remedy = "" if is_open else "; open it in a browser"
    say(f"crnn: wrote {arguments.output}: {size:,} bytes{remedy}")
    return 0
