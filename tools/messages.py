"""Print the messages of all errors and warnings in the package, so that they can be reviewed in one place.

Each line has a module, the kind of error and its message, in the order of the source. Values appear as {expressions}.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CALLS = {"error": "usage", "warn": "warning", "warn_caller": "warning"}  # functions that take a message


def messages(root: Path = ROOT) -> list[str]:
    """Return the list, one line per message.

    Examples
    --------
    >>> len(messages()) > 400
    True
    """
    package = root / "src" / "crnn"
    lines = []
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lines += [f"{_module(path, package)}: {line}" for line in _messages_of(tree)]
    for path in sorted([*package.rglob("*.pyx"), *package.rglob("*.pxi")]):
        lines += [f"{_module(path, package)}: {line}" for line in _cython_messages(path.read_text(encoding="utf-8"))]
    return lines


def _module(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package).with_suffix("").parts)


def _messages_of(tree: ast.AST) -> Iterator[str]:
    """Yield the messages raised in a syntax tree, in the order of the source.

    Examples
    --------
    >>> list(_messages_of(ast.parse("raise ValueError(f'n is {n!r}. Pass ' 'at least 1.') from None")))
    ['ValueError: n is {n!r}. Pass at least 1.']
    """
    found = []
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(node, ast.Raise | ast.Call) or not isinstance(call, ast.Call) or not call.args:
            continue
        name = ast.unparse(call.func)
        kind = name if isinstance(node, ast.Raise) else CALLS.get(name.rpartition(".")[2])
        if kind is not None:
            texts = [text for text in map(_text, call.args) if text is not None]
            found += [((node.lineno, node.col_offset), f"{kind}: {text}") for text in texts[:1]]
    return (line for _, line in sorted(found))


def _text(node: ast.expr) -> str | None:
    """Return a string with {expressions} for its values, on one line; None for anything else."""
    if isinstance(node, ast.Constant):
        return " ".join(node.value.split()) if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else ast.unparse(part) for part in node.values)
        return " ".join("".join(map(str, map(_unquoted, parts))).split())
    return None


def _unquoted(part: object) -> object:
    """Return the source of a value in a string without the quotes that `ast.unparse` puts around it."""
    match = re.fullmatch(r"""f(['"]+)(\{.*\})\1""", str(part), re.DOTALL)
    return match[2] if match else part


def _cython_messages(source: str) -> Iterator[str]:
    r"""Yield the messages raised in Cython source, where strings are found by their quotes.

    Examples
    --------
    >>> list(_cython_messages('raise ValueError(f"{n} threads: "\n    "at least 1")'))
    ['ValueError: {n} threads: at least 1']
    """
    for match in re.finditer(r"raise (\w+)\(((?:\s*f?\"[^\"\n]*\")+)", source):
        yield f"{match[1]}: " + "".join(re.findall(r"\"([^\"\n]*)\"", match[2]))


if __name__ == "__main__":
    print("\n".join(messages()))
