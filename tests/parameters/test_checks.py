import math
from pathlib import Path

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.parameters.checks import (
    checked_bool,
    checked_float,
    checked_floats,
    checked_int,
    checked_path,
    generator,
    has_items,
)


class FileName:
    """What `os.fspath` takes."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


OF_ITSELF = []
OF_ITSELF.append(OF_ITSELF)  # NumPy follows it until the process crashes
NO_SEEDS = [-1, -(10**5000), 1.5, math.nan, "0", object(), {}, True, [1, 2], np.array([1, 2]), np.array(1), OF_ITSELF]


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


def test_a_number_that_cannot_be_printed():
    with pytest.raises(InvalidInputError, match=r"^n must be at most 7, not an int of 16610 bits$"):
        checked_int("n", 10**5000, 1, 7)
    with pytest.raises(InvalidInputError, match=r"^x must be a finite number above 2, not an int of 16610 bits$"):
        checked_float("x", 10**5000, above=2)


@pytest.mark.parametrize("value", [2**63, 10**5000], ids=["2**63", "10**5000"])
def test_a_whole_number_without_a_maximum_has_64_bits(value):
    assert checked_int("n", 2**63 - 1, 1) == 2**63 - 1
    with pytest.raises(InvalidInputError, match=r"^n must be at most 9223372036854775807, not "):
        checked_int("n", value, 1)


@pytest.mark.parametrize("value", [0, 1, None, "yes", [], [True], np.array(True), np.array([True, False])])
def test_what_is_no_flag(value):
    with pytest.raises(InvalidInputError, match=r"^exact must be True or False, not "):
        checked_bool("exact", value)


def test_arrays_of_no_dimension_have_no_items():
    assert all(map(has_items, [[], (), "ab", {}, range(3), iter([]), np.zeros(3), np.zeros((2, 0))]))
    assert not any(map(has_items, [None, 3, object(), np.array(3), np.array("ab"), np.float64(3), np.ma.masked]))


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf, 1e308, 10**400, "a", None, 1j, np.float64(1.1e30), [1]])
def test_a_weight_that_is_refused(weight):
    with pytest.raises(InvalidInputError, match=r"^weights(\[1\])? must be "):
        checked_floats("weights", [0, weight], 2, "model")


@pytest.mark.parametrize("weights", [3, [1], [[1], [2]], np.ones((2, 1)), np.ma.array([1, 2], mask=[0, 1]), ["1", "2"]])
def test_weights_of_other_shapes_and_types(weights):
    with pytest.raises(InvalidInputError, match=r"^weights(\[1\])? (must be|is masked)"):
        checked_floats("weights", weights, 2, "model")


def test_weights():
    for weights in ([0, 1e30], (0.0, 1e30), np.array([0, 1e30]), [False, 10**30]):
        assert checked_floats("weights", weights, 2, "model").tolist() == [0, 1e30]
    assert checked_floats("weights", np.array([1, 2], np.float32), 2, "model").dtype == np.float64


@pytest.mark.parametrize("value", ["a/b", b"a/b", Path("a/b"), FileName("a/b"), FileName(b"a/b")])
def test_paths_of_every_kind(value):
    assert checked_path("path", value) == "a/b"


@pytest.mark.parametrize("value", [None, 3, ["a"], bytearray(b"a")])
def test_what_is_no_path(value):
    with pytest.raises(InvalidInputError, match=r"^path must be the path of a file, as a str, bytes or"):
        checked_path("path", value)


@pytest.mark.parametrize("value", ["a\0b", b"a\0", "\ud800", FileName("a\0")])
def test_a_path_that_no_file_can_have(value):
    with pytest.raises(InvalidInputError, match=r"^path must be the path of a file, and none can be named '"):
        checked_path("path", value)


def test_generators_of_one_seed_agree():
    kinds = [3, np.uint8(3), np.random.SeedSequence(3), np.random.PCG64(3), np.random.default_rng(3)]
    assert len({float(generator(kind).random()) for kind in kinds}) == 1
    assert generator(None).random() != generator(None).random()


def test_generator_is_used_as_it_is():
    rng = np.random.default_rng(3)
    assert generator(rng) is rng


def test_what_is_no_seed():
    for value in NO_SEEDS:
        with pytest.raises(InvalidInputError, match=r"^random_state must be "):
            generator(value)
