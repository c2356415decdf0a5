"""Values that no caller should pass, each made anew: numbers at every edge, broken objects, texts of every kind."""

import decimal
import fractions
import io
import pathlib
import re

import numpy as np


class RudeError(Exception):
    """What the objects below raise, which a caller may get to see."""


def _rude(self, *given, **named):
    raise RudeError


def _broken(name, base, *methods):
    """Return a class whose methods of these names raise RudeError."""
    return type(name, (base,), dict.fromkeys(methods, _rude) | {"__hash__": object.__hash__})


_NoLength = _broken("_NoLength", list, "__len__")
_NoArray = _broken("_NoArray", object, "__array__")
_NoItems = _broken("_NoItems", object, "__iter__")
_NoComparison = _broken("_NoComparison", object, "__eq__", "__lt__", "__le__", "__gt__", "__ge__")
_NoFloat = _broken("_NoFloat", float, "__float__")


class _Word(str):
    """A subclass of str."""


class _Path:
    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


def _broken_generator():
    yield "ab"
    raise RudeError


def _of_itself():
    value = []
    value.append(value)
    return value


NUMBERS = [
    0, 1, -1, 2, 3, 7, 255, 256, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, -(10**400),
    0.0, -0.0, 0.5, 1.0, 1.5, 1e-300, 5e-324, 1e308, -1e308, float("inf"), float("-inf"),
    float("nan"), 1j, True, False, decimal.Decimal("1.5"), decimal.Decimal("NaN"), decimal.Decimal("1e999"),
    fractions.Fraction(1, 3), np.int8(-1), np.uint64(2**64 - 1), np.float16("inf"), np.float32("nan"),
    np.longdouble(1) * 2, np.bool_(True), np.complex64(1), np.datetime64("NaT", "s"), np.str_("ab"), np.bytes_(b"ab"),
]  # fmt: skip

NASTY = [
    *(lambda value=value: value for value in NUMBERS),
    # texts
    lambda: None, lambda: ..., lambda: NotImplemented, str, lambda: "ab", lambda: _Word("ab"), lambda: "a\0b",
    lambda: "\ud800", lambda: "\U0010ffff", lambda: "a" * 100_000, lambda: "-", lambda: "missing/folder/file",
    lambda: "folder/",
    # patterns
    lambda: "(a|b)*a{3,}b?", lambda: "(((((a?)*)*)*)*)*", lambda: "[", lambda: "a{2,1}", lambda: r".*\d{4000}",
    lambda: "(?=a)", lambda: "(" * 500 + ")" * 500, lambda: re.compile("A.", re.IGNORECASE),
    lambda: re.compile(b"a.*"), bytes, lambda: b"ab", lambda: b"a\0b", lambda: b"\xff", lambda: bytearray(b"ab"),
    lambda: memoryview(b"ab"), lambda: pathlib.Path("missing"), lambda: pathlib.Path("."), lambda: _Path("a\0b"),
    lambda: _Path(b"ab"), lambda: _Path("/dev/full"), lambda: io.StringIO("ab"), lambda: io.BytesIO(b"ab"), io.BytesIO,
    # containers
    list, tuple, dict, set, frozenset, lambda: [None], lambda: ["ab", None], lambda: ["ab", 3], lambda: ["ab", b"ab"],
    lambda: [["ab"], ["b"]], lambda: [[]], lambda: [1, 2], lambda: [1.5, float("nan")], lambda: [1e308, 1e308],
    lambda: [10**400], lambda: [-1], lambda: [""], lambda: ["a", "b"] * 3, lambda: [0.1] * 6, lambda: [1e308] * 6,
    lambda: [True, False] * 3, lambda: range(6), _of_itself, lambda: {"a": 1}, lambda: {"ab": float("nan")},
    lambda: {1: "a"}, lambda: {"a", "b"}, lambda: ("a", 1.0), lambda: slice(None), lambda: np.random.default_rng(0),
    # iterators
    lambda: iter(["ab", "b"]), lambda: (x for x in ()), lambda: (x for x in ("ab", None)), _broken_generator,
    # arrays
    lambda: np.array(3), lambda: np.array(0.5), lambda: np.array("ab"), lambda: np.array(None),
    lambda: np.array(b"ab"), lambda: np.array([], "U1"), lambda: np.array([]), lambda: np.array(["ab", "b"]),
    lambda: np.array([["ab"], ["b"]]), lambda: np.array(["ab", None], object), lambda: np.array([True, False]),
    lambda: np.array([1, 2]), lambda: np.zeros((2, 0)), lambda: np.ones((2, 2)), lambda: np.array([np.nan] * 6),
    lambda: np.array([1j, 2]), lambda: np.array([1, 2], ">i8"), lambda: np.array([b"ab", b"b"]),
    lambda: np.ma.array([1.0] * 6, mask=[1, 0, 0, 0, 0, 1]), lambda: np.ma.array(["a", "b"], mask=[1, 0]),
    lambda: np.ma.masked, lambda: np.zeros(2, [("a", "i4"), ("b", "U2")]),
    lambda: np.array(["2020-01-01", "NaT"], "M8[D]"), lambda: np.empty(2, "V3"),
    # objects
    object, lambda: object, lambda: int, lambda: len, lambda: lambda *given: None, lambda: np, lambda: ValueError("a"),
    lambda: _NoLength(["ab"]), _NoArray, _NoItems, _NoComparison, lambda: _NoFloat(1.5),
    lambda: np.dtype("f4"), lambda: "f4,,",
]  # fmt: skip
