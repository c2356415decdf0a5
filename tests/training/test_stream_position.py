"""The position of streams in a file: the same after a round trip, and every fault of a damaged one is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.streams import DocumentsPosition, Queue
from crnn.training.checkpoints import MAX_COUNT, MAX_SHUFFLES, position_from, position_parts

STATE = np.random.default_rng(0).bit_generator.state
NUMBERS = [np.array([5, 2], np.uint32), np.array([], np.uint32), np.array([0], np.uint32)]  # of three streams' parts
POSITION = DocumentsPosition(STATE, tuple(map(Queue, NUMBERS, [4, 0, 2], [9, 0, 3])), 2, 13)


@pytest.fixture
def stored():
    document, arrays = position_parts(POSITION)
    return json.loads(json.dumps(document)), arrays


@pytest.mark.parametrize("n", [0, 1, 75])
def test_the_position_in_a_text_is_a_number(n):
    assert position_parts(np.int64(n)) == (n, {})
    assert position_from(n, {}) == n


def test_the_position_in_documents_is_the_same_after_a_round_trip(stored):
    document, arrays = stored
    assert all(array.dtype == np.int64 for array in arrays.values())
    after = position_from(document, arrays)
    assert (after.order, after.shuffles, after.read) == (STATE, 2, 13)
    for own, other in zip(POSITION.held, after.held, strict=True):
        assert (own.read, own.numbers.tolist()) == (other.read, other.numbers.tolist())
        assert other.numbers.base is None  # the arrays of the file are not kept


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"shuffles": 0}, 0), ({"shuffles": MAX_SHUFFLES}, MAX_SHUFFLES), ({"read": 0}, 0),
        ({"read": MAX_COUNT}, MAX_COUNT),
    ],
)  # fmt: skip
def test_extreme_counts_are_read(stored, change, found):
    document, arrays = stored
    (name,) = change
    assert getattr(position_from(document | change, arrays), name) == found


@pytest.mark.parametrize(("document", "arrays"), [
    (-1, {}), (True, {}), (False, {}), (1.0, {}), (None, {}), ("75", {}), ([], {}), (75, {"parts": np.zeros(1, int)}),
])  # fmt: skip
def test_refuses_invalid_positions(document, arrays):
    with pytest.raises(InvalidInputError, match=r"^the checkpoint's position is invalid: "):
        position_from(document, arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "it must have exactly the fields order, shuffles and read"),
        ({"order": {**STATE, "bit_generator": "MT19937"}}, "state must be for a PCG64"), ({"order": {}}, ""),
        ({"shuffles": MAX_SHUFFLES + 1}, rf"{MAX_SHUFFLES + 1} is not .* to {MAX_SHUFFLES}$"),
        ({"shuffles": -1}, "-1 is not a whole number from 0 to 6"),
        ({"read": MAX_COUNT + 1}, f"{MAX_COUNT + 1} is not a whole number"),
        ({"read": 1.0}, r"1\.0 is not a whole number"), ({"read": True}, "True is not a whole number"),
    ],
)  # fmt: skip
def test_refuses_faulty_position_documents(stored, change, message):
    document, arrays = stored
    with pytest.raises(InvalidInputError, match=f"^the checkpoint's position is invalid: .*{message}"):
        position_from(document | change, arrays)


PARTS = "its counts of parts do not add up to the number of parts"
ROWS = "its arrays must be one-dimensional int64 arrays of at least 0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.ones(3)}, "it must have exactly the arrays parts, begun and numbers$"),
        ({"begun": np.array([4, 0])}, PARTS), ({"parts": np.array([2, 0, 2])}, PARTS),
        ({"parts": np.array([MAX_COUNT, MAX_COUNT, 5])}, PARTS),  # their sum overflows to 3
        ({name: np.zeros(0, np.int64) for name in ("parts", "begun", "numbers")}, PARTS),
        ({"begun": np.array([4, 0, -1])}, ROWS), ({"begun": np.array([[4, 0, 2]])}, ROWS),
        ({"begun": np.array([4.0, 0.0, 2.0])}, ROWS), ({"numbers": np.array([5, 2, -1])}, ROWS),
    ],
)  # fmt: skip
def test_refuses_faulty_position_arrays(stored, change, message):
    document, arrays = stored
    with pytest.raises(InvalidInputError, match=f"^the checkpoint's position is invalid: {message}"):
        position_from(document, arrays | change)
