"""Count files and lines by room, with code and docstrings apart: ``python tools/lines.py [CHECKOUT]``.

Code is what is neither blank, nor a comment, nor a docstring. A room is a folder of src/crnn; tests/, fuzz/,
benchmarks/ and tools/ are one room each.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

COMMENTS = {f".{name}": "#" for name in ("py", "pyi", "pyx", "pxd", "pxi")} | {".h": "//", ".c": "//", ".js": "//"}
COMMENTS |= {".css": "/*", ".html": "<!--"}
COLUMNS = ("files", "lines", "code", "docstrings")


def docstring_lines(text: str) -> set[int]:
    """Return the numbers of the lines that docstrings of Python source fill."""
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    firsts = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return {i for first in firsts for i in range(first.lineno, (first.end_lineno or 0) + 1)}


def counted(path: Path) -> Counter[str]:
    """Return the numbers of a file; docstrings of Cython, and the inside of long comments, count as code."""
    text = path.read_text(encoding="utf-8")
    lines, docstrings = text.splitlines(), docstring_lines(text) if path.suffix in (".py", ".pyi") else set()
    filled = {i for i, line in enumerate(lines, 1) if line.strip()}
    comments = {i for i in filled if lines[i - 1].lstrip().startswith(COMMENTS[path.suffix])}
    return Counter(files=1, lines=len(lines), code=len(filled - comments - docstrings), docstrings=len(docstrings))


def rooms(root: Path) -> dict[str, Counter[str]]:
    """Return the numbers of each room of a checkout, and of src as a whole."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for top in ("src/crnn", "tests", "fuzz", "benchmarks", "tools"):
        for path in sorted((root / top).rglob("*.*")):
            made_by_cython = path.suffix == ".c" and path.with_suffix(".pyx").exists()
            if path.suffix in COMMENTS and not made_by_cython:
                parts = path.relative_to(root / top).parts
                names = ["src", f"src/crnn/{parts[0] if len(parts) > 1 else '*'}"] if top == "src/crnn" else [top]
                for name in names:
                    found[name] += counted(path)
    return found


def main() -> None:
    """Print the table."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent
    print(f"{'':24}" + "".join(f"{column:>12}" for column in COLUMNS))
    for name, numbers in rooms(root).items():
        print(f"{name:24}" + "".join(f"{numbers[column]:12,}" for column in COLUMNS))


if __name__ == "__main__":
    main()
