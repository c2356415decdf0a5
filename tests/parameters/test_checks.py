import math
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
    checked_steps_or_seconds,
    checked_steps_or_share,
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


def test_checked_int():
    assert checked_int("n", 7, 7) == 7
    with pytest.raises(InvalidInputError, match=r"^n must be a whole number of at least 7, not 6$"):
        checked_int("n", 6, 7)


def test_checked_float():
    assert checked_float("x", 2, minimum=2) == 2.0
    assert checked_float("x", 2.5, above=2) == 2.5
    with pytest.raises(InvalidInputError, match=r"^x must be a finite number of at least 2, not 1\.5$"):
        checked_float("x", 1.5, minimum=2)
    with pytest.raises(InvalidInputError, match=r"^x must be a finite number above 2, not 2$"):
        checked_float("x", 2, above=2)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (2.0, {"below": 2}, "of at least 0 and below 2, not 2"),
        (2.5, {"maximum": 2}, "of at least 0 and at most 2, not"),
        (math.nan, {}, "of at least 0, not nan"), (math.inf, {}, "of at least 0, not inf"),
        ("1", {}, "of at least 0, not"),
        (True, {}, "of at least 0, not True"), (None, {}, "of at least 0, not None"), (1j, {}, "of at least 0, not 1j"),
        (2.5, {"below": 3, "maximum": 2}, "of at least 0 and below 3 and at most 2, not"),
        (2.5, {"below": 2, "maximum": 3}, "of at least 0 and below 2 and at most 3, not"),
    ],
)  # fmt: skip
def test_a_number_out_of_bounds(value, bounds, message):
    with pytest.raises(InvalidInputError, match=rf"^x must be a finite number {message}"):
        checked_float("x", value, minimum=0, **bounds)


@pytest.mark.parametrize(
    ("value", "bounds"), [(1.9, {"below": 2}), (2, {"maximum": 2}), (0, {"below": 1, "maximum": 3})]
)
def test_a_number_within_bounds(value, bounds):
    found = checked_float("x", value, minimum=0, **bounds)
    assert (found, type(found)) == (value, float)


def same(found, expected):
    return found == expected and type(found) is type(expected)


@pytest.mark.parametrize("check", [checked_steps_or_share, checked_steps_or_seconds])
def test_steps_are_whole_numbers_and_other_numbers_are_not(check):
    for value in (1, 7, MAX_STEPS):
        assert same(check("n", value), value)
        assert same(check("n", np.int64(value)), value)
    for value in (1e-9, 0.5):
        assert same(check("n", value), value)
        assert same(check("n", np.float64(value)), value)
    for value in (-1, -0.5, MAX_STEPS + 1, math.nan, math.inf, "1", True, None):
        with pytest.raises(InvalidInputError, match=r"^n must be (None, )?a whole number of steps of at least"):
            check("n", value)


def test_steps_or_a_share_may_be_0_and_a_share_is_below_1():
    assert same(checked_steps_or_share("warmup", 0), 0)
    assert same(checked_steps_or_share("warmup", 0.0), 0.0)
    with pytest.raises(InvalidInputError, match=r"^warmup must be .* below 1, not 1\.0$"):
        checked_steps_or_share("warmup", 1.0)


def test_steps_or_seconds_are_more_than_0():
    assert same(checked_steps_or_seconds("eval_every", 60.0), 60.0)
    for value in (0, 0.0):
        with pytest.raises(InvalidInputError, match=r"^eval_every must be None, .* above 0 as a float, not 0"):
            checked_steps_or_seconds("eval_every", value)


def test_a_choice_is_a_known_word():
    assert checked_choice("cell", "gru", ["gru", "lstm"]) == "gru"
    for value in ("GRU", "", None, 3, ["gru"]):
        with pytest.raises(InvalidInputError, match=r"^cell must be one of 'gru', 'lstm', not "):
            checked_choice("cell", value, ["gru", "lstm"])


@pytest.mark.parametrize("value", ["float32", "f4", "<f4", np.float32, np.dtype("float32")])
def test_names_of_a_dtype_are_accepted(value):
    assert checked_dtype("dtype", value) == np.float32
    assert checked_dtype("dtype", float) == np.float64


@pytest.mark.parametrize("value", [None, 1, 7])
def test_checked_threads_accepts_integers_and_none(value):
    assert same(checked_threads(value), value)
    if value:
        assert same(checked_threads(np.int32(value)), value)


def test_functions_are_kept_in_their_order():
    assert checked_callables("callbacks", [print, len]) == (print, len)
    assert checked_callables("callbacks", ()) == ()
    for value in (print, "", b"", [print, 3], iter([print]), None, 3, np.array(print)):
        with pytest.raises(InvalidInputError, match=r"^callbacks must be None or a list of functions, "):
            checked_callables("callbacks", value)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("cabba", "abc"), (b"cabba", b"abc"), (["c", "a", "a"], "ac"), ((b"c", b"a"), b"ac"), ({"b", "a"}, "ab"),
        (np.array(["b", "a"]), "ab"), ("\ud800a", "a\ud800"),
    ],
)  # fmt: skip
def test_a_vocabulary_is_sorted_and_has_each_symbol_once(value, found):
    assert same(checked_vocabulary("vocabulary", value), found)


@pytest.mark.parametrize("value", [2**63, 10**400], ids=["2**63", "10**400"])
def test_a_whole_number_without_a_maximum_has_64_bits(value):
    assert checked_int("n", 2**63 - 1, 1) == 2**63 - 1
    with pytest.raises(InvalidInputError, match=r"^n must be at most 9223372036854775807, not "):
        checked_int("n", value, 1)


@pytest.mark.parametrize("value", [0, 1, None, "yes", [], [True], np.array(True), np.array([True, False])])
def test_refuses_non_bools(value):
    assert checked_bool("exact", np.True_) is checked_bool("exact", True) is True
    assert checked_bool("exact", np.False_) is checked_bool("exact", False) is False
    with pytest.raises(InvalidInputError, match=r"^exact must be True or False, not "):
        checked_bool("exact", value)


def test_arrays_of_no_dimension_have_no_items():
    assert all(map(has_items, [[], (), "ab", {}, range(3), iter([]), np.zeros(3), np.zeros((2, 0))]))
    assert not any(map(has_items, [None, 3, object(), np.array(3), np.array("ab"), np.float64(3), np.ma.masked]))


def test_zero_and_large_weights_are_accepted():
    for weights in ([0, 1e30], (0.0, 1e30), np.array([0, 1e30]), [False, 10**30]):
        assert checked_floats("weights", weights, 2, "model").tolist() == [0, 1e30]
    assert checked_floats("weights", np.array([1, 2], np.float32), 2, "model").dtype == np.float64


@pytest.mark.parametrize("value", ["a/b", b"a/b", Path("a/b"), FileName("a/b"), FileName(b"a/b")])
def test_paths_of_every_kind(value):
    assert checked_path("path", value) == "a/b"


def test_generators_of_one_seed_agree():
    assert generator(0).random() == np.random.default_rng(0).random()
    kinds = [3, np.uint8(3), np.random.SeedSequence(3), np.random.PCG64(3), np.random.default_rng(3)]
    assert len({float(generator(kind).random()) for kind in kinds}) == 1
    assert generator(None).random() != generator(None).random()


def test_generator_is_used_as_it_is():
    rng = np.random.default_rng(3)
    assert generator(rng) is rng
