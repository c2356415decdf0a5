"""The sections and items of all docstrings of the package: each has a heading, and no line is there twice."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise

import pytest
from source_tree import needs_sources, parsed, python_modules

pytestmark = needs_sources

HEADINGS = {"Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes", "References", "Examples"}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def mistakes(docstring):
    """Return the lines of a docstring that are wrong."""
    lines = ["", *docstring.splitlines()]
    for (before, heading), (_, dashes) in pairwise(pairwise(lines)):
        if re.fullmatch("-+", dashes) and (before or heading not in HEADINGS or len(heading) != len(dashes)):
            yield heading
    prose = [line.strip() for line in re.sub(r" *>>>.*?(\n *\n|$)", "", "\n".join(lines), flags=re.DOTALL).splitlines()]
    yield from (line for before, line in pairwise(prose) if len(line) >= 20 and line[:20] == before[:20])
    for section in re.split("\n-+\n", docstring):
        items = Counter(re.findall(r"^\w[\w, ]* : .*", section, flags=re.MULTILINE))
        yield from (item for item, n in items.items() if n > 1)


@pytest.mark.parametrize(
    "docstring",
    [
        "Add.\n\nReturns\n-------\nint\n    The sum.\n-------\nint",
        "Add.\nReturns\n-------\nint",
        "Add.\n\nReturn\n------\nint",
        "Add.\n\nThe first term is even.\nThe first term is even or 0.",
        "Add.\n\nParameters\n----------\na : int\n    Even.\nb : int\na : int\n    Or 0.",
    ],
)
def test_a_mistake_is_found(docstring):
    assert len(list(mistakes(docstring))) == 1
    assert not list(mistakes("Add.\n\nReturns\n-------\nint\n    The sum."))


def test_docstrings():
    found = {}
    for name, path in python_modules().items():
        nodes = (node for node in ast.walk(parsed(path)) if isinstance(node, DOCUMENTED))
        wrong = [line for node in nodes for line in mistakes(ast.get_docstring(node) or "")]
        found |= {name: wrong} if wrong else {}
    assert found == {}
