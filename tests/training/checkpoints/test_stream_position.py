"""The position of streams in a file: the same after a round trip, and every fault of a damaged one is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from crnn import InvalidInputError
from crnn.text.streams.document_streams import DocumentsPosition
from crnn.text.streams.queues import Held
from crnn.training.checkpoints.stream_position import MAX_COUNT, MAX_SHUFFLES, position_from, position_parts

STATE = np.random.default_rng(0).bit_generator.state
RUNS = {"seed": 2**62, "group": 3}
LENGTHS = [np.array([5, 2]), np.array([], np.int64), np.array([3])]  # of the parts of three streams
READ = [4, 0, 2]


def position(kind):
    """Return a position of documents in memory, in a file, or in a file with weights."""
    held = []
    for lengths, read in zip(LENGTHS, READ, strict=True):
        n, first, ids, weights = int(lengths.sum()), None, None, None
        if kind == "memory":
            first = lengths * 7
        else:
            ids = (np.arange(n) + 11 * read).astype(np.uint32)
        if kind == "weighted":
            weights = np.linspace(0.5, 1.5, n)
        held.append(Held(lengths, read, first, ids, weights))
    return DocumentsPosition(STATE if kind == "memory" else RUNS, tuple(held), 2, 13)


def stored(kind):
    document, arrays = position_parts(position(kind))
    return json.loads(json.dumps(document)), arrays


@pytest.mark.parametrize("n", [0, 1, 75])
def test_the_position_in_a_text_is_a_number(n):
    assert position_parts(np.int64(n)) == (n, {})
    assert position_from(n, {}) == n


@pytest.mark.parametrize("kind", ["memory", "file", "weighted"])
def test_the_position_in_documents_is_the_same_after_a_round_trip(kind):
    document, arrays = stored(kind)
    assert all(array.dtype == (np.float64 if name == "weights" else np.int64) for name, array in arrays.items())
    before, after = position(kind), position_from(document, arrays)
    assert (after.order, after.shuffles, after.read) == (before.order, before.shuffles, before.read)
    for own, other in zip(before.held, after.held, strict=True):
        assert own.read == other.read
        for name in ("lengths", "first", "ids", "weights"):
            one, two = getattr(own, name), getattr(other, name)
            assert (one is None) == (two is None)
            if one is not None:
                np.testing.assert_array_equal(one, two)
                assert (two.base, two.dtype) == (None, one.dtype)  # none keeps the arrays of the file alive


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"shuffles": 0}, 0), ({"shuffles": MAX_SHUFFLES}, MAX_SHUFFLES), ({"read": 0}, 0),
        ({"read": MAX_COUNT}, MAX_COUNT),
    ],
)  # fmt: skip
def test_counts_at_their_limits(change, found):
    document, arrays = stored("memory")
    (name,) = change
    assert getattr(position_from(document | change, arrays), name) == found


@pytest.mark.parametrize(("document", "arrays"), [
    (-1, {}), (True, {}), (False, {}), (1.0, {}), (None, {}), ("75", {}), ([], {}), (75, {"parts": np.zeros(1, int)}),
])  # fmt: skip
def test_refuses_invalid_positions(document, arrays):
    with pytest.raises(InvalidInputError, match=r"^the checkpoint's position is invalid: "):
        position_from(document, arrays)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("memory", {"more": 1}, "it must have exactly the fields order, shuffles and read"),
        ("memory", {"order": {**STATE, "bit_generator": "MT19937"}}, "state must be for a PCG64"),
        ("memory", {"order": {}}, ""),
        ("file", {"order": {"seed": 5}}, "its order must have exactly the fields seed and group"),
        ("file", {"order": {**RUNS, "more": 1}}, "its order must have exactly the fields seed and group"),
        ("file", {"order": {**RUNS, "seed": -1}}, "-1 is not a whole number from 0 to 9"),
        ("file", {"order": {**RUNS, "group": 2**63}}, f"{2**63} is not a whole number from 0 to 9"),
        ("memory", {"shuffles": MAX_SHUFFLES + 1}, rf"{MAX_SHUFFLES + 1} is not .* to {MAX_SHUFFLES}$"),
        ("memory", {"shuffles": -1}, "-1 is not a whole number from 0 to 6"),
        ("memory", {"read": MAX_COUNT + 1}, f"{MAX_COUNT + 1} is not a whole number"),
        ("memory", {"read": 1.0}, r"1\.0 is not a whole number"),
        ("memory", {"read": True}, "True is not a whole number"),
    ],
)  # fmt: skip
def test_a_document_with_a_fault(kind, change, message):
    document, arrays = stored(kind)
    with pytest.raises(InvalidInputError, match=f"^the checkpoint's position is invalid: .*{message}"):
        position_from(document | change, arrays)


PLACES = "its parts do not have one place each"
SYMBOLS = "its parts' lengths do not add up to the number of symbols"
PARTS = "its counts of parts do not add up to the number of parts"
ROWS = "its arrays must be one-dimensional int64 arrays of at least 0"


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("memory", {"weights": np.ones(3)}, "it must have exactly the arrays begun, first, length, parts$"),
        ("file", {"first": np.ones(3, np.int64)}, "it must have exactly the arrays begun, ids, length, parts$"),
        ("weighted", {"x": np.ones(3)}, "it must have exactly the arrays begun, ids, length, parts, weights$"),
        ("memory", {"begun": np.array([4, 0])}, PARTS), ("memory", {"parts": np.array([2, 0, 2])}, PARTS),
        ("memory", {"parts": np.array([MAX_COUNT, MAX_COUNT, 5])}, PARTS),  # their sum overflows to 3
        ("memory", {name: np.zeros(0, np.int64) for name in ("parts", "begun", "length", "first")}, PARTS),
        ("memory", {"first": np.array([35, 14])}, PLACES), ("memory", {"length": np.array([5, 0, 3])}, SYMBOLS),
        ("file", {"length": np.array([5, 2, 2])}, SYMBOLS), ("file", {"length": np.array([5, 2, 4])}, SYMBOLS),
        ("file", {"length": np.array([MAX_COUNT, MAX_COUNT, 12])}, SYMBOLS),  # their sum overflows to 10
        ("weighted", {"weights": np.ones(10, np.float32)}, "its weights must be float64, one per symbol"),
        ("weighted", {"weights": np.ones(9)}, "its weights must be float64, one per symbol"),
        ("memory", {"begun": np.array([5, 0, 2])}, "5 is not a whole number from 0 to 4"),
        ("memory", {"begun": np.array([4, 1, 2])}, "1 is not a whole number from 0 to 0"),
        ("memory", {"begun": np.array([4, 0, -1])}, ROWS), ("memory", {"begun": np.array([[4, 0, 2]])}, ROWS),
        ("memory", {"begun": np.array([4.0, 0.0, 2.0])}, ROWS),
    ],
)  # fmt: skip
def test_arrays_with_a_fault(kind, change, message):
    document, arrays = stored(kind)
    with pytest.raises(InvalidInputError, match=f"^the checkpoint's position is invalid: {message}"):
        position_from(document, arrays | change)


def test_a_part_at_the_beginning_of_the_documents_has_a_place():
    document, arrays = stored("memory")
    found = position_from(document, arrays | {"first": np.zeros(3, np.int64)})
    assert [held.first.tolist() for held in found.held] == [[0, 0], [], [0]]


@pytest.mark.parametrize("lengths", [[1], [3], [1, 1]])
def test_one_stream_may_have_all_parts(lengths):
    lengths = np.array(lengths)
    held = (Held(lengths, 0, None, np.arange(lengths.sum(), dtype=np.uint32)),)
    found = position_from(*position_parts(DocumentsPosition(RUNS, held, 0, 0)))
    assert found.held[0].lengths.tolist() == lengths.tolist()
