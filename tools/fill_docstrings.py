"""Write the docstrings that come from tables: the parameters of `CharRNN`, and the sampling controls of methods.

python tools/fill_docstrings.py            write them into the sources
python tools/fill_docstrings.py --check    fail if a docstring is not current, as tests/test_docstrings.py does

The tables, `PARAMETERS` in `parameters/settings.py` and `CONTROLS` in `sampling/controls.py`, state each text once.
A function decorated with `with_controls` gets the descriptions of all controls in place of those that it has, from
the first control to the last. If it only names them in one entry, as in ``prime, temperature, top_k : …``, it gets
all their names.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from crnn.parameters.settings import GROUPS, PARAMETERS
from crnn.sampling.controls import CONTROLS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "crnn"
CLASS_OF_PARAMETERS = "CharRNN"
DECORATOR = "with_controls"  # of the functions that accept the controls
WIDTH = 120  # of a line, with its margin
Lines = list[str]


def entry(margin: str, name: str, kind: str, default: Any, text: str) -> Lines:
    """Return a parameter's lines in numpydoc's form: its name, type and default, and below them its description."""
    shown = f'"{default}"' if isinstance(default, str) else default
    indent = margin + "    "
    description = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f"{margin}{name} : {kind}, default={shown}", *description]


def parameter_lines(margin: str) -> Lines:
    """Return the description of the constructor's parameters, each group below its heading."""
    lines: Lines = []
    for group, content in GROUPS.items():
        if lines:
            lines.append("")
        lines += [f"{margin}{group.capitalize()}: {content}", ""]
        for name, parameter in PARAMETERS.items():
            if parameter.group == group:
                lines += entry(margin, name, parameter.kind, parameter.default, parameter.text)
    return lines


def control_lines(margin: str) -> Lines:
    """Return the description of the sampling controls, in order of application."""
    lines: Lines = []
    for name, control in CONTROLS.items():
        lines += entry(margin, name, control.kind, control.default, control.text)
    return lines


def with_filled_parameters(lines: Lines) -> Lines:
    """Return a class docstring's lines, with the table's parameters in its section "Parameters"."""
    start = next(i for i, line in enumerate(lines) if line.strip() == "Parameters") + 2
    end = next(i for i in range(start, len(lines)) if re.match(r"\s*---", lines[i])) - 1  # the next section's heading
    margin = lines[start - 2].removesuffix("Parameters")
    return [*lines[:start], *parameter_lines(margin), "", *lines[end:]]


def with_filled_controls(lines: Lines) -> Lines:
    """Return a method's docstring's lines, with the table's descriptions of controls, or with all their names."""
    margin = next(line for line in lines if line.strip() == "Parameters").removesuffix("Parameters")
    entries: dict[int, Lines] = {}  # the names of each entry, by the number of its line
    for i, line in enumerate(lines):
        if is_entry(line, margin):
            entries[i] = line.strip().partition(" : ")[0].split(", ")
    places = [i for i, names in entries.items() if set(names) & CONTROLS.keys()]
    first, last = places[0], places[-1]
    if len(places) == 1 and len(entries[first]) > 1:
        names = entries[first]
        found = [i for i, name in enumerate(names) if name in CONTROLS]
        names[found[0] : found[-1] + 1] = CONTROLS
        return [*lines[:first], margin + ", ".join(names), *lines[first + 1 :]]
    end = next(i for i in range(last + 1, len(lines)) if not lines[i].startswith(margin + "    "))
    return [*lines[:first], *control_lines(margin), *lines[end:]]


def is_entry(line: str, margin: str) -> bool:
    """Return whether a line of a docstring with this margin begins the entry of one or more parameters."""
    return bool(re.fullmatch(rf"{margin}\w+(, \w+)*( : .*)?", line))


def docstrings_to_fill(tree: ast.Module) -> Iterator[tuple[ast.Constant, Callable[[Lines], Lines]]]:
    """Yield each docstring that comes from a table, with the function that fills its lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == CLASS_OF_PARAMETERS:
            yield docstring_of(node), with_filled_parameters
        if isinstance(node, ast.FunctionDef):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if DECORATOR in decorators:
                yield docstring_of(node), with_filled_controls


def docstring_of(node: ast.ClassDef | ast.FunctionDef) -> ast.Constant:
    """Return the docstring of a class or function as a node, which says where it is in the source."""
    statement = node.body[0]
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
        raise ValueError(f"{node.name} in line {node.lineno} has no docstring. Write one with a section 'Parameters'.")
    return statement.value


def filled(source: str) -> str:
    """Return a module's source with every docstring that comes from a table as the table says."""
    lines = source.split("\n")
    found = list(docstrings_to_fill(ast.parse(source)))
    for node, fill in sorted(found, key=lambda pair: pair[0].lineno, reverse=True):  # later lines first: they move
        assert node.end_lineno is not None
        lines[node.lineno - 1 : node.end_lineno] = fill(lines[node.lineno - 1 : node.end_lineno])
    return "\n".join(lines)


def modules() -> Iterator[Path]:
    """Yield the package's modules that have docstrings to fill."""
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if f"@{DECORATOR}" in text or f"class {CLASS_OF_PARAMETERS}(" in text:
            yield path


def main() -> None:
    """Write the docstrings, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if a docstring is not current")
    arguments = parser.parse_args()
    stale: list[str] = []
    for path in modules():
        source = path.read_text(encoding="utf-8")
        current = filled(source)
        if current != source:
            stale.append(str(path.relative_to(ROOT)))
            if not arguments.check:
                path.write_text(current, encoding="utf-8")
    if arguments.check and stale:
        sys.exit(f"Docstrings of {', '.join(stale)} are not current. Run python tools/fill_docstrings.py.")


if __name__ == "__main__":
    main()
