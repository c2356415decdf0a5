"""The state of a PCG64 survives a file, and a state with a number out of range is refused."""

import json

import numpy as np
import pytest

from crnn.files.plain_json import plain_json
from crnn.files.random_state import random_state_fault, restored_generator
from crnn.parameters.checks import pcg64_generator


@pytest.fixture
def generator():
    generator = np.random.default_rng(3)
    generator.random(5, np.float32)  # an odd number of halves: one is kept
    return generator


@pytest.fixture
def state(generator):
    return json.loads(plain_json(generator.bit_generator.state))


def test_stored_generator_continues(generator, state):
    assert random_state_fault(state) is None
    again = restored_generator(state)
    np.testing.assert_array_equal(again.random(7, np.float32), generator.random(7, np.float32))
    np.testing.assert_array_equal(again.integers(2**40, size=7), generator.integers(2**40, size=7))


COUNTS = {"state": 2**128, "inc": 2**128, "has_uint32": 2, "uinteger": 2**32}  # of the values each number may have


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_in_and_out_of_range(state, name):
    holder = state["state"] if name in ("state", "inc") else state
    for value in (COUNTS[name] - 1, 1):
        holder[name] = value
        assert random_state_fault(state) is None
    wrong = [-1, COUNTS[name], COUNTS[name] + 1, 1.0, True, "1", None, []]
    for value in [*wrong, 2] if name == "inc" else wrong:  # an increment is odd
        holder[name] = value
        assert "PCG64" in random_state_fault(state)


@pytest.mark.parametrize("change", [{"more": 0}, {"state": [1]}, {"state": {}}, {"bit_generator": "MT19937"},
                                    {"bit_generator": ["PCG64"]}])  # fmt: skip
def test_fields_with_a_fault(state, change):
    assert "PCG64" in random_state_fault(state | change)
    for name in state:
        assert "PCG64" in random_state_fault({key: value for key, value in state.items() if key != name})
    assert "PCG64" in random_state_fault([])


def test_a_generator_of_another_kind_seeds_a_pcg64():
    own = np.random.default_rng(3)
    assert pcg64_generator(own) is own
    first, second = (pcg64_generator(np.random.Generator(np.random.MT19937(3))) for _ in range(2))
    assert isinstance(first.bit_generator, np.random.PCG64)
    assert first.random() == second.random()
