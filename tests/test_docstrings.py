"""All docstrings of the package: each section has a heading, no line is there twice, and the defaults are right.

Their examples import and define every name that they use, so that a reader can paste them alone.

Names of modules and files in backticks exist, in all sources and pages.
"""

import ast
import builtins
import doctest
import importlib
import pkgutil
import re
from collections import Counter
from itertools import pairwise

import pytest
from source_tree import ROOT, needs_sources, parsed, python_modules, tool

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


def test_mistakes_are_found():
    for docstring in (
        "Add.\n\nReturns\n-------\nint\n    The sum.\n-------\nint",
        "Add.\nReturns\n-------\nint",
        "Add.\n\nReturn\n------\nint",
        "Add.\n\nThe first term is even.\nThe first term is even or 0.",
        "Add.\n\nParameters\n----------\na : int\n    Even.\nb : int\na : int\n    Or 0.",
    ):
        assert len(list(mistakes(docstring))) == 1
    assert not list(mistakes("Add.\n\nReturns\n-------\nint\n    The sum."))


def test_docstrings():
    found = {}
    for name, path in python_modules().items():
        nodes = (node for node in ast.walk(parsed(path)) if isinstance(node, DOCUMENTED))
        wrong = [line for node in nodes for line in mistakes(ast.get_docstring(node) or "")]
        found |= {name: wrong} if wrong else {}
    assert found == {}


def test_docstrings_that_come_from_tables_are_current():
    fill = tool("fill_docstrings")
    modules = {path.relative_to(fill.PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in fill.modules()}
    of_states = {"text_states/text_state.py", "text_states/text_states.py"}
    assert {"char_rnn.py", "language_model.py"} | of_states <= modules.keys()
    stale = [name for name, source in modules.items() if fill.filled(source) != source]
    assert stale == [], "run python tools/fill_docstrings.py"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("char_rnn.py", "num_layers : int, default=1", "num_layers : int, default=2"),
        ("char_rnn.py", "        The dtype of the weights and of all arithmetic.\n", ""),
        ("char_rnn.py", "    Budget: how long to train\n", ""),
        ("language_model.py", "        top_k : int, default=None", "        top_n : int, default=None"),
        ("language_model.py", "        prime, label, logit_bias, ", "        prime, label, "),
        ("text_states/text_state.py", "Divides the logits: below 1,", "Divides the logits: below 2,"),
    ],
)
def test_a_changed_docstring_is_found_and_mended(name, before, after):
    fill = tool("fill_docstrings")
    source = (fill.PACKAGE / name).read_text(encoding="utf-8")
    changed = source.replace(before, after, 1)
    assert changed != source
    assert fill.filled(changed) == source


def test_sources_have_no_placeholders_in_docstrings():
    """An editor shows what `help()` shows."""
    assert [
        (name, node.lineno)
        for name, path in python_modules().items()
        for node in ast.walk(parsed(path))
        if isinstance(node, DOCUMENTED) and re.search(r"^ *\{\w+\} *$", ast.get_docstring(node) or "", re.MULTILINE)
    ] == []


def defaults(function):
    """Return the default values of a function's parameters, as source."""
    a = function.args
    positional = [*a.posonlyargs, *a.args]
    pairs = [*zip(positional[len(positional) - len(a.defaults) :], a.defaults, strict=True)]
    pairs += zip(a.kwonlyargs, a.kw_defaults, strict=True)
    return {argument.arg: ast.unparse(value) for argument, value in pairs if value is not None}


def documented_functions(module):
    """Yield the docstrings of functions and of classes, each with the function whose parameters it documents."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            yield ast.get_docstring(node) or "", node
        if isinstance(node, ast.ClassDef):
            inits = (item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__")
            yield from ((ast.get_docstring(node) or "", init) for init in inits)


def wrong_defaults(docstring, function, names):
    """Return the documented defaults that the signature does not have; `names` are the names of its module."""
    given = defaults(function)
    for parameters, documented in re.findall(r"^(\w[\w, ]*) : .*default=(.+?)\.?$", docstring, flags=re.MULTILINE):
        for parameter in set(parameters.split(", ")) & given.keys():
            value = eval(given[parameter], dict(names))
            if eval(documented, dict(names)) not in (value, str(value)):
                yield f"{function.name}: {parameter}={documented}, but {value!r}"


def test_documented_defaults_are_those_of_the_signature():
    found = [
        wrong
        for name, path in python_modules().items()
        for docstring, function in documented_functions(parsed(path))
        for wrong in wrong_defaults(docstring, function, vars(importlib.import_module(name)))
    ]
    assert found == []
    function = ast.parse("def f(a, b=7, *, c=True): pass").body[0]
    assert [*wrong_defaults("b : int, default=8\nc : bool, default=True", function, {})] == ["f: b=8, but 7"]


def names_not_defined(source):
    """Return the names that a program uses without importing or assigning them."""
    nodes = [*ast.walk(ast.parse(source))]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    defined = {name.id for name in names if isinstance(name.ctx, ast.Store)} | vars(builtins).keys()
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
    return sorted({name.id for name in names} - defined)


def test_examples_can_be_pasted_alone():
    found = {}
    for module, path in python_modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, DOCUMENTED):
                examples = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
                names = names_not_defined("".join(example.source for example in examples))
                found |= {f"{module}.{node.name}": names} if names else {}
    assert found == {}
    source = "import numpy as np\nx = np.ones(3)\ndef f(a): return a + b\nprint([i for i in x], y)"
    assert names_not_defined(source) == ["b", "y"]


def unknown_names(text, files):
    """Return the dotted names of the package and the ends of paths in backticks that name nothing."""
    for name in re.findall(r"`(crnn(?:\.\w+)+)`", text):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            yield name
    paths = re.findall(r"`([\w/]+\.(?:py|pyx|pxd|pxi|h|md|toml))`", text)
    yield from (path for path in paths if f"/{path}" not in files)


def test_names_in_backticks_exist():
    kinds = (".py", ".pyx", ".pxd", ".pxi", ".h", ".md", ".toml")
    folders = ("src", "tests", "fuzz", "docs", "benchmarks", "tools", "packaging")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    paths += [path for path in ROOT.iterdir() if path.suffix in kinds]
    ends = {"/" + "/".join(path.parts[n:]) for path in paths for n in range(len(ROOT.parts), len(path.parts))}
    texts = [path.read_text(encoding="utf-8") for path in paths if path.name != "coming_from.md"]  # of other programs
    found = {name for text in texts for name in unknown_names(text, ends)}
    assert found - {"state.h", "service.py", "_entry.pxi", "_kernels/cells/NAME.pxd"} == set()
    text = "'crnn.plot', 'crnn.plots', 'model/state.py', 'model/stat.py'".replace("'", "`")
    assert [*unknown_names(text, ends)] == ["crnn.plots", "model/stat.py"]
