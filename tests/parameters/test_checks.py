import math
from pathlib import Path

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.parameters.checks import checked_float, checked_int, checked_path, generator


class FileName:
    """What `os.fspath` takes."""

    def __init__(self, name):
        self.name = name

    def __fspath__(self):
        return self.name


NO_SEEDS = [-1, -(10**5000), 1.5, math.nan, "0", object(), {}]


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


@pytest.mark.parametrize("value", ["a/b", b"a/b", Path("a/b"), FileName("a/b"), FileName(b"a/b")])
def test_paths_of_every_kind(value):
    assert checked_path("path", value) == "a/b"


@pytest.mark.parametrize("value", [None, 3, ["a"], bytearray(b"a"), "a\0b", b"a\0", "\ud800", FileName("a\0")])
def test_what_is_no_path(value):
    with pytest.raises(InvalidInputError, match=r"^path must be the path of a file, "):
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
