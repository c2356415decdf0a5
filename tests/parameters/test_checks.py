import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.parameters.checks import (
    MAX_STEPS,
    checked_bool,
    checked_callables,
    checked_choice,
    checked_dtype,
    checked_float,
    checked_floats,
    checked_int,
    checked_path,
    checked_steps,
    checked_threads,
    checked_vocabulary,
    generator,
    has_items,
)


class FileName:
    """What `os.fspath` takes."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


def rows(check, name, *table, **options):
    """Return rows of one check: a call with each value, and what it gives or says."""
    return [(partial(check, name, value, *more, **options), found) for value, *more, found in table]


STEPS = [(value, value) for value in (0, 1, 7, MAX_STEPS)]

# A check of a value that is accepted, and what it gives, with its type.
ACCEPTED = [
    *rows(checked_int, "n", (7, 7, 7), (2**63 - 1, 1, 2**63 - 1)),
    *rows(partial(checked_float, minimum=2), "x", (2, 2.0)), *rows(partial(checked_float, above=2), "x", (2.5, 2.5)),
    *((partial(checked_float, "x", value, minimum=0, **bounds), float(value)) for value, bounds in (
        (1.9, {"below": 2}), (2, {"maximum": 2}), (0, {"below": 1, "maximum": 3}))),
    *rows(partial(checked_steps, minimum=0, otherwise="seconds"), "n", *STEPS,
          *((np.asarray(value)[()], value) for value, _ in STEPS)),
    *rows(partial(checked_choice, known=["gru", "lstm"]), "cell", ("gru", "gru")),
    *rows(checked_dtype, "dtype", *((value, np.dtype("float32")) for value in (
        "float32", "f4", "<f4", np.float32, np.dtype("float32"))), (float, np.dtype("float64"))),
    *((partial(checked_threads, value), found) for value, found in (
        (None, None), (1, 1), (7, 7), (np.int32(1), 1), (np.int32(7), 7))),
    *rows(checked_callables, "callbacks", ([print, len], (print, len)), ((), ())),
    *rows(checked_vocabulary, "vocabulary",
          ("cabba", "abc"), (b"cabba", b"abc"), (["c", "a", "a"], "ac"), ((b"c", b"a"), b"ac"), ({"b", "a"}, "ab"),
          (np.array(["b", "a"]), "ab"), ("\ud800a", "a\ud800")),
    *rows(checked_bool, "exact", (np.True_, True), (True, True), (np.False_, False), (False, False)),
    *rows(checked_path, "path", *((value, "a/b") for value in (
        "a/b", b"a/b", Path("a/b"), FileName("a/b"), FileName(b"a/b")))),
]  # fmt: skip

# A check of a value that is refused, and the words of the message.
REFUSED = [
    *rows(checked_int, "n", (6, 7, r"^n must be a whole number of at least 7, not 6$"),
          *((value, 1, "^n must be at most 9223372036854775807, not ") for value in (2**63, 10**400))),
    *rows(partial(checked_float, minimum=2), "x", (1.5, r"^x must be a finite number of at least 2, not 1\.5$")),
    *rows(partial(checked_float, above=2), "x", (2, "^x must be a finite number above 2, not 2$")),
    *((partial(checked_float, "x", value, minimum=0, **bounds), f"^x must be a finite number of at least 0{words}")
      for value, bounds, words in (
        (2.0, {"below": 2}, " and below 2, not 2"), (2.5, {"maximum": 2}, " and at most 2, not"),
        (math.nan, {}, ", not nan"), (math.inf, {}, ", not inf"), ("1", {}, ", not"), (True, {}, ", not True"),
        (None, {}, ", not None"), (1j, {}, ", not 1j"),
        (2.5, {"below": 3, "maximum": 2}, " and below 3 and at most 2, not"),
        (2.5, {"below": 2, "maximum": 3}, " and below 2 and at most 3, not"))),
    *rows(partial(checked_steps, minimum=1, otherwise="seconds"), "n",
          *((value, r"^n must be a whole number of steps of at least 1, not .*\. For a float, use seconds\.$")
            for value in (1.0, 0.5, math.nan, np.float32(3))),
          *((value, "^n must be a whole number of at least 1, not ") for value in (0, -1, "1", True, None))),
    *rows(partial(checked_choice, known=["gru", "lstm"]), "cell", *(
        (value, "^cell must be one of 'gru', 'lstm', not ") for value in ("GRU", "", None, 3, ["gru"]))),
    *rows(checked_callables, "callbacks", *((value, "^callbacks must be None or a list of functions, ") for value in (
        print, "", b"", [print, 3], iter([print]), None, 3, np.array(print)))),
    *rows(checked_bool, "exact", *((value, "^exact must be True or False, not ") for value in (
        0, 1, None, "yes", [], [True], np.array(True), np.array([True, False])))),
]  # fmt: skip


@pytest.mark.parametrize(("call", "expected"), ACCEPTED)
def test_a_value_is_accepted(call, expected):
    found = call()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_a_value_is_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()


def test_arrays_of_no_dimension_have_no_items():
    assert all(map(has_items, [[], (), "ab", {}, range(3), iter([]), np.zeros(3), np.zeros((2, 0))]))
    assert not any(map(has_items, [None, 3, object(), np.array(3), np.array("ab"), np.float64(3), np.ma.masked]))


def test_zero_and_large_weights_are_accepted():
    for weights in ([0, 1e30], (0.0, 1e30), np.array([0, 1e30]), [False, 10**30]):
        assert checked_floats("weights", weights, 2, "model").tolist() == [0, 1e30]
    assert checked_floats("weights", np.array([1, 2], np.float32), 2, "model").dtype == np.float64


def test_generators_of_one_seed_agree():
    assert generator(0).random() == np.random.default_rng(0).random()
    kinds = [3, np.uint8(3), np.random.SeedSequence(3), np.random.PCG64(3), np.random.default_rng(3)]
    assert len({float(generator(kind).random()) for kind in kinds}) == 1
    assert generator(None).random() != generator(None).random()
    rng = np.random.default_rng(3)
    assert generator(rng) is rng
