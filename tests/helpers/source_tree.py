"""Where the sources are, for the tests that read them instead of running them."""

import ast
import functools
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
PACKAGE = SOURCES / "crnn"

# Tests of an installed wheel run without the sources, and then have nothing to read.
needs_sources = pytest.mark.skipif(not PACKAGE.is_dir(), reason="the sources are not here")


@functools.cache
def python_modules():
    """Return the path of every Python module of the package by its dotted name, in order."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def tool(name):
    """Import a program of tools/."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
