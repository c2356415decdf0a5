"""States of bit generators: NumPy's survive a file, and states with a number out of range are refused."""

import copy

import numpy as np
import pytest

from crnn.files.bounded_json import bounded_json
from crnn.files.plain_json import plain_json
from crnn.files.random_state import KINDS, random_state_fault, restored_generator

kinds = pytest.mark.parametrize("kind", KINDS)


def state_of(kind):
    generator = np.random.Generator(KINDS[kind](3))
    generator.random(5, np.float32)  # an odd number of halves: one is kept
    return generator, bounded_json(plain_json(generator.bit_generator.state).encode(), "state")


@kinds
def test_generator_continues(kind):
    generator, state = state_of(kind)
    assert random_state_fault(state) is None
    again = restored_generator(state)
    np.testing.assert_array_equal(again.random(7, np.float32), generator.random(7, np.float32))
    np.testing.assert_array_equal(again.integers(2**40, size=7), generator.integers(2**40, size=7))


def places(document, way=()):
    """Yield the way to each number of a state."""
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, dict | list):
            yield from places(value, (*way, key))
        elif key != "bit_generator":
            yield (*way, key)


def with_value(document, way, value):
    changed = copy.deepcopy(document)
    inner = changed
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return changed


@kinds
@pytest.mark.parametrize("value", [-1, 2**128, 1.0, True, "1", None, []])
def test_number_out_of_range(kind, value):
    _, state = state_of(kind)
    ways = list(places(state))
    assert len(ways) >= 2
    for way in [*ways[:7], *ways[-3:]]:
        assert kind in random_state_fault(with_value(state, way, value))


COUNTS = {
    "PCG64": {"state": 2**128, "inc": 2**128},
    "PCG64DXSM": {"state": 2**128, "inc": 2**128},
    "Philox": {"counter": 2**64, "key": 2**64, "buffer": 2**64, "buffer_pos": 5},
    "SFC64": {"state": 2**64},
    "MT19937": {"key": 2**32, "pos": 625},
}  # of the values that each number may have


@kinds
def test_the_largest_numbers(kind):
    _, state = state_of(kind)
    counts = COUNTS[kind] | ({} if kind == "MT19937" else {"has_uint32": 2, "uinteger": 2**32})
    assert {next(key for key in reversed(way) if type(key) is str) for way in places(state)} == counts.keys()
    for way in [way for way in places(state) if way[-1] in (0, 1, 3) or type(way[-1]) is str]:
        count = counts[next(key for key in reversed(way) if type(key) is str)]
        assert random_state_fault(with_value(state, way, count - 1)) is None
        assert kind in random_state_fault(with_value(state, way, count + count % 2))
        assert (way[-1] == "inc") == (random_state_fault(with_value(state, way, count - 2 + count % 2)) is not None)


@pytest.mark.parametrize("kind", ["Philox", "SFC64", "MT19937"])
def test_lists_of_another_length(kind):
    _, state = state_of(kind)
    for way in {way[:-1] for way in places(state) if type(way[-1]) is int}:
        numbers = state
        for key in way:
            numbers = numbers[key]
        for other in (numbers[:-1], [*numbers, 1], [], tuple(numbers)):
            assert kind in random_state_fault(with_value(state, way, other))


def test_position_beyond_the_state_of_a_mersenne_twister():
    _, state = state_of("MT19937")
    state["state"]["pos"] = 624  # all numbers are used up
    assert random_state_fault(state) is None
    restored_generator(state).random(9)
    state["state"]["pos"] = 625
    assert "MT19937" in random_state_fault(state)


@kinds
def test_missing_and_unknown_fields(kind):
    _, state = state_of(kind)
    for name in state.keys() - {"bit_generator"}:
        assert kind in random_state_fault({key: value for key, value in state.items() if key != name})
    assert kind in random_state_fault(state | {"more": 0})
    assert kind in random_state_fault(state | {"state": [1]})


@pytest.mark.parametrize("state", [{}, [], {"bit_generator": "RANDU"}, {"bit_generator": ["PCG64"]}, {"state": 1}])
def test_no_generator_of_numpy(state):
    assert "one of NumPy's" in random_state_fault(state)
