"""The blocks of Python in a Markdown page, and their expected output.

A block ```` ```text ```` right after a block of Python is that block's output. With the word `similar` after `text`,
another processor may print other letters and digits.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

BLOCK = re.compile(
    r"^```python\n(?P<source>.*?)^```$"
    r"(?:\n+(?:^(?!```|#)[^\n]*:?\n+){0,2}^```text(?P<similar> similar)?\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A block of Python of a page."""

    line: int  # of its first statement
    source: str
    output: str | None  # None: the page does not state it
    similar: bool


def python_blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of Python without prompts."""
    for block in BLOCK.finditer(text):
        yield Block(text.count("\n", 0, block.start()) + 2, block["source"], block["output"], bool(block["similar"]))


def run_blocks(text: str, name: str) -> Iterator[tuple[Block, str, dict[str, Any]]]:
    """Run the blocks of a page one after another; yield each block with its output and all names so far.

    The first block starts without names, as in a new interpreter into which a reader pastes the page.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in python_blocks(text):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile("\n" * (block.line - 1) + block.source, name, "exec"), names)
        yield block, out.getvalue(), names
