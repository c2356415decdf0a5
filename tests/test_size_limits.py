"""Limits of size: parameters and lines of a function."""

import ast
import re

from source_tree import PACKAGE, needs_sources, parsed, python_modules

pytestmark = needs_sources

MAX_PARAMETERS, MAX_LINES = 12, 65  # lines without the signature and the docstring
ANY_NUMBER_OF_PARAMETERS = {"__init__", "sample", "restore"}  # the user's options
MAX_KERNEL_PARAMETERS, MAX_KERNEL_LINES = 10, 80


def functions():
    """Yield the name and the syntax tree of each function of the package."""
    for name, path in python_modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}.{node.name}", node


def n_parameters(function):
    a = function.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    return len(names) + bool(a.vararg) + bool(a.kwarg) - (names[:1] in (["self"], ["cls"]))


def n_lines(function):
    body = function.body[ast.get_docstring(function) is not None :]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_python_functions_have_few_parameters_and_lines():
    sizes = {name: n_parameters(node) for name, node in functions() if node.name not in ANY_NUMBER_OF_PARAMETERS}
    assert {name: n for name, n in sizes.items() if n > MAX_PARAMETERS} == {}
    sizes = {name: n_lines(node) for name, node in functions()}
    assert {name: n for name, n in sizes.items() if n > MAX_LINES} == {}


def test_lines_are_counted_without_signature_and_docstring():
    source = '''
def two(
    a,
):
    """Say what it does."""
    b = a
    return b
'''
    assert n_lines(ast.parse(source).body[0]) == 2


FUNCTION = re.compile(
    r"^(?P<indent> *)(?P<kind>cdef|cpdef|def) (?!class )(?:[\w \[\],*&.:]+ \**)?(?P<name>\w+)\(", re.MULTILINE
)


def top_level_commas(text):
    depth = count = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        count += character == "," and depth == 0
    return count


def kernel_functions(text):
    """Yield kind, name, number of parameters and of lines of each function in Cython source."""
    for match in FUNCTION.finditer(text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        parameters = text[match.end() : end - 1].strip().rstrip(",")
        n = top_level_commas(parameters) + 1 if parameters else 0
        header_end = text.find("\n", end)
        if not text[:header_end].rstrip().endswith(":"):
            continue  # a declaration, or a call in a cdef statement
        indent = len(match["indent"])
        body = text[header_end + 1 :].split("\n")
        length = next(
            (i for i, line in enumerate(body) if line.strip() and len(line) - len(line.lstrip()) <= indent), len(body)
        )
        while length and not body[length - 1].strip():
            length -= 1
        yield match["kind"], match["name"], n, length + text[match.start() : header_end].count("\n") + 1


def test_functions_are_found():
    source = """
cdef inline int small(const floating* a, int (*b)(int, int),
                      int c) noexcept nogil:
    return 0

cdef class Box:
    def of(self, int a, *):
        pass


cdef void declared(int a) noexcept nogil
"""
    assert list(kernel_functions(source)) == [("cdef", "small", 3, 3), ("def", "of", 3, 2)]


def test_functions_of_kernels_are_small():
    found = {}
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".pyx", ".pxd", ".pxi")):
        for kind, name, n, lines in kernel_functions(path.read_text(encoding="utf-8")):
            # An entry point takes the arrays of its caller one by one; what it calls takes structs.
            if (kind != "def" and n > MAX_KERNEL_PARAMETERS) or lines > MAX_KERNEL_LINES:
                found[f"{path.stem}.{name}"] = {"parameters": n, "lines": lines}
    assert found == {}
