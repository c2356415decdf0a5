"""Checkpoints: when one is due and who writes it; what a file says of a run and of its place in the text."""

import copy
import json
import math
import os
import threading
import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import POSIX
from interrupted_runs import train_until
from texts import TEXT

from crnn import CharRNN, InvalidInputError
from crnn.files.run_file import read_run
from crnn.parameters.intervals import Interval
from crnn.text.streams import Backlog, DocumentsPosition
from crnn.training.checkpoints import (
    CHECKPOINT_SECONDS,
    MAX_COUNT,
    MAX_SHUFFLES,
    CheckpointWriter,
    RunState,
    checkpoint_interval,
    position_from,
    position_parts,
)


def state_of(n_steps, weight=0.5):
    return SimpleNamespace(n_steps=n_steps, params=np.array([weight]))


def run_at(seconds):
    return SimpleNamespace(seconds=seconds)


class Disk:
    """Writes into a list; fails while it is full, and keeps a background thread waiting until it is ready."""

    def __init__(self):
        self.written, self.threads, self.full, self.ready = [], [], False, threading.Event()
        self.ready.set()

    def __call__(self, state, *, run):
        if threading.current_thread().name == "crnn-checkpoint":
            assert self.ready.wait(60)
        if self.full:
            raise OSError("No space left on device")
        self.written.append((state.n_steps, run.seconds))
        self.threads.append(threading.current_thread().name)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def writer(disk):
    made = CheckpointWriter(disk, "book.run", Interval(steps=5))
    made.begin(30, 2.0)
    return made


def test_steps_are_counted_from_the_checkpoint_before(writer, disk):
    assert [writer.due(done, 1e9) for done in (30, 34, 35, 36)] == [False, False, True, True]
    assert [writer.steps_left(done) for done in (30, 31, 34, 35, 99)] == [5, 4, 1, 1, 1]
    writer.start(state_of(1036), run_at(7.5), 36)
    writer.wait()
    assert disk.written == [(1036, 7.5)]
    assert disk.threads == ["crnn-checkpoint"]
    assert [writer.due(done, 1e9) for done in (40, 41)] == [False, True]
    assert writer.steps_left(36) == 5
    writer = CheckpointWriter(disk, "book.run", Interval(steps=5))  # which counts from 0
    assert [writer.due(done, 1e9) for done in (4, 5)] == [False, True]


def test_seconds_are_counted_from_the_checkpoint_before(disk):
    writer = CheckpointWriter(disk, "book.run", Interval(seconds=2.5))
    writer.begin(30, 4.0)
    assert [writer.due(10**9, seconds) for seconds in (6.4, 6.5)] == [False, True]
    assert writer.steps_left(99) is None
    writer.start(state_of(1036), run_at(7.0), 36)
    writer.wait()
    assert [writer.due(10**9, seconds) for seconds in (9.4, 9.5)] == [False, True]


def test_no_checkpoint_is_due_while_one_is_written(writer, disk):
    disk.ready.clear()
    writer.start(state_of(35), run_at(1.0), 35)
    assert not writer.due(99, 1e9)
    disk.ready.set()
    writer.wait()
    assert writer.due(99, 1e9)


def test_last_checkpoint_waits_for_the_previous_one(writer, disk):
    disk.ready.clear()
    writer.start(state_of(35), run_at(1.0), 35)
    threading.Timer(0.05, disk.ready.set).start()
    writer.write_last(state_of(37), run_at(2.0))
    assert disk.written == [(35, 1.0), (37, 2.0)]
    assert disk.threads == ["crnn-checkpoint", threading.current_thread().name]


def test_does_not_write_non_finite_weights(writer, disk):
    writer.start(state_of(35, np.nan), run_at(1.0), 35)
    writer.write_last(state_of(37, np.inf), run_at(2.0))
    assert disk.written == []


def test_failed_checkpoint_warns_once_and_the_next_is_written(writer, disk):
    disk.full, message = True, r"^the checkpoint book\.run was not written: No space left on device$"
    writer.start(state_of(35), run_at(1.0), 35)
    writer.wait()
    with pytest.warns(UserWarning, match=message) as told:
        assert not writer.due(39, 1e9)
    assert len(told) == 1
    with pytest.warns(UserWarning, match=message):
        writer.write_last(state_of(36), run_at(1.5))
    disk.full = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert writer.due(40, 1e9)
        writer.write_last(state_of(37), run_at(2.0))
    assert disk.written == [(37, 2.0)]


def test_checkpoint_is_written_without_a_second_thread(writer, disk, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    writer.start(state_of(35), run_at(1.0), 35)
    writer.wait()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer.start(state_of(40), run_at(2.0), 40)
    assert disk.written == [(35, 1.0), (40, 2.0)]
    assert disk.threads[1] == threading.current_thread().name


@POSIX
def test_a_forked_child_leaves_the_file_to_its_parent(writer, disk):
    child = os.fork()
    if not child:
        due = writer.due(99, 1e9)
        writer.write_last(state_of(37), run_at(2.0))
        os._exit(due or bool(disk.written))
    assert os.waitpid(child, 0)[1] == 0
    assert writer.due(99, 1e9)


def test_intervals_are_steps_or_seconds():
    for every, seconds, interval in (
        (np.int64(7), None, Interval(steps=7)),
        (None, 60, Interval(seconds=60.0)),
        (None, np.float32(2), Interval(seconds=2.0)),
        (None, None, Interval(seconds=CHECKPOINT_SECONDS)),
    ):
        assert checkpoint_interval(every, seconds) == interval
    with pytest.raises(InvalidInputError, match=r"^checkpoint_every is 7 and checkpoint_seconds is 3, but only one"):
        checkpoint_interval(7, 3)


FIRST, DONE, STEPS = 7, 41, 60  # steps before the call, and in it until it is interrupted, of those it may take


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """What the checkpoint of an interrupted call says, and the model in it."""
    path = tmp_path_factory.mktemp("run") / "checkpoint"
    model = CharRNN(5, seq_length=3, max_steps=FIRST, random_state=0).fit(TEXT).set_params(max_steps=STEPS)
    with pytest.MonkeyPatch.context() as patch:
        train_until(DONE, model, patch, path, TEXT, "partial_fit", epochs=99)
    _, state, run = read_run(path, CharRNN._defaults())
    assert (run.first_step, state.n_steps, run.max_steps) == (FIRST, FIRST + DONE, STEPS)
    return run.to_dict(), run.arrays(), state


def changed(stored, place, value):
    """Return the run that a file would describe if one number were another; a place is the names on the way to it."""
    document, arrays, state = stored
    document = copy.deepcopy(document)
    *way, name = place.split(".")
    inner = document
    for key in way:
        inner = inner[key]
    assert name in inner
    inner[name] = value
    return RunState.from_dict(document, arrays, state)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("polled.recorded_step", FIRST + DONE), ("polled.recorded_step", 0), ("polled.step", DONE), ("polled.step", 0),
        ("max_steps", DONE), ("block_step", FIRST), ("block_step", FIRST + DONE),
        ("dropout_seed", 0), ("dropout_seed", 2**63 - 1), ("seconds", 0), ("seconds", 1e300), ("last_loss", -1.0),
        ("polled.validation.last_step", -1), ("polled.validation.since_best", 0), ("polled.stopped", True),
        ("texts.X.symbols", 0),
        ("texts.X.documents", 0), ("checkpoint_every", 3), ("checkpoint_seconds", 3.0), ("max_steps", 2**63 - 1),
        ("first_step", 0), ("max_seconds", 0.0), ("polled.recorded_seconds", 0), ("polled.validation.cost", 0),
        ("polled.validation.last_seconds", 0), ("checkpoint_seconds", 0.0),
    ],
)  # fmt: skip
def test_extreme_numbers_are_read(stored, place, value):
    found = changed(stored, place, value)
    for name in place.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert found == value


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("polled.recorded_step", FIRST + DONE + 1, "its last record comes after its last step"),
        ("polled.step", DONE + 1, "its last poll comes after its last step"),
        ("max_steps", DONE - 1, "it has taken more than max_steps steps"), ("max_steps", None, "it has no limit"),
        ("first_step", FIRST + DONE + 1, "its step counts are not in order"),
        ("block_step", FIRST - 1, "its step counts are not in order"),
        ("block_step", FIRST + DONE + 1, "its step counts are not in order"),
        ("dropout_seed", 2**63, "its dropout_seed is 9"), ("dropout_seed", 1.0, "its dropout_seed is 1.0"),
        *(("seconds", value, f"its seconds is {value}") for value in (-0.1, None, math.inf)),
        ("last_loss", math.nan, "its last_loss is nan"), ("last_loss", True, "its last_loss is True"),
        ("polled.validation.last_step", -2, "its last_step is -2"), ("polled.stopped", 1, "its stopped is 1"),
        ("outcome", "begun", "its outcome is unknown"), ("polled", [], "its polls are missing or incomplete"),
        *(("polled.validation", value, "its validation is missing") for value in ({}, [])),
        *(("texts", value, "it must name the text X, and may name the text validation") for value in ({}, [])),
        *((place, value, "its text X has no fingerprint") for place, value in (
            ("texts.X", {}), ("texts", {"X": 3}), ("texts.X.symbols", -1), ("texts.X.symbols", 1.0),
            ("texts.X.symbols", None), ("texts.X.documents", -1), ("texts.X.kind", "words"), ("texts.X.sha256", 7))),
        *((place, -1, f"its {place.rpartition('.')[2]} is -1") for place in (
            "dropout_seed", "first_step", "polled.step", "checkpoint_every", "polled.validation.since_best",
            "polled.validation.cost", "max_steps", "block_step", "polled.recorded_step")),
        *((place, -0.1, f"its {place.rpartition('.')[2]} is -0.1") for place in (
            "max_seconds", "polled.recorded_seconds", "polled.validation.last_seconds")),
    ],
)  # fmt: skip
def test_numbers_beyond_their_limits(stored, place, value, message):
    with pytest.raises(InvalidInputError, match=f"^its training run cannot be resumed: {message}"):
        changed(stored, place, value)


def test_a_run_as_json_leads_to_the_same_run(stored):
    document, arrays, state = stored
    document = {**document, "texts": dict.fromkeys(("X", "validation"), document["texts"]["X"])}
    assert json.dumps(RunState.from_dict(document, arrays, state).to_dict()) == json.dumps(document)  # 3 is not 3.0


def test_non_finite_numbers_are_stored_as_none(stored):
    assert math.isnan(changed(stored, "last_loss", None).last_loss)
    assert changed(stored, "polled.validation.best_loss", None).polled.validation.best_loss == math.inf


def test_refuses_missing_and_unknown_fields(stored):
    document, arrays, state = stored
    for name in document:
        with pytest.raises(InvalidInputError, match="it must have exactly the fields"):
            RunState.from_dict({key: value for key, value in document.items() if key != name}, arrays, state)
    with pytest.raises(InvalidInputError, match="it must have exactly the fields"):
        RunState.from_dict(document | {"more": 1}, arrays, state)


@pytest.mark.parametrize(("weights", "fits"), [
    ([0.0, 1e30], True), ([1e-300], True), ([-1.0], False), ([np.nan], False), ([1.1e30], False), ([[1.0]], False),
    (np.ones(2, np.float32), False),
])  # fmt: skip
def test_weights_of_documents(stored, weights, fits):
    document, arrays, state = stored
    arrays, message = arrays | {"sample_weight": np.array(weights)}, "its sample_weight must be float64 numbers from 0"
    with nullcontext() if fits else pytest.raises(InvalidInputError, match=message):
        assert RunState.from_dict(document, arrays, state).sample_weight.tolist() == weights


ORDER = np.random.default_rng(0).bit_generator.state
NUMBERS = [np.array([5, 2], np.uint32), np.array([], np.uint32), np.array([0], np.uint32)]  # of three streams' parts
POSITION = DocumentsPosition(ORDER, tuple(map(Backlog, NUMBERS, [4, 0, 2], [9, 0, 3])), 2, 13)


@pytest.fixture
def position():
    document, arrays = position_parts(POSITION)
    return json.loads(json.dumps(document)), arrays


def test_the_position_in_a_text_is_a_number():
    for n in (0, 75):
        assert position_parts(np.int64(n)) == (n, {})
        assert position_from(n, {}) == n


def test_the_position_in_documents_is_the_same_after_a_round_trip(position):
    document, arrays = position
    assert all(array.dtype == np.int64 for array in arrays.values())
    after = position_from(document, arrays)
    assert (after.order, after.shuffles, after.read) == (ORDER, 2, 13)
    for own, other in zip(POSITION.held, after.held, strict=True):
        assert (own.read, own.numbers.tolist()) == (other.read, other.numbers.tolist())
        assert other.numbers.base is None  # the arrays of the file are not kept


def test_extreme_counts_are_read(position):
    document, arrays = position
    for name, count in (("shuffles", 0), ("shuffles", MAX_SHUFFLES), ("read", 0), ("read", MAX_COUNT)):
        assert getattr(position_from(document | {name: count}, arrays), name) == count


@pytest.mark.parametrize("document", [-1, True, False, 1.0, None, "75", []])
def test_refuses_invalid_positions_in_a_text(document):
    with pytest.raises(InvalidInputError, match=r"^the checkpoint's position is invalid: "):
        position_from(document, {})


PARTS = "its counts of parts do not add up to the number of parts"
ROWS = "its arrays must be one-dimensional int64 arrays of at least 0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": 1}, "it must have exactly the fields order, shuffles and read"),
        ({"order": {**ORDER, "bit_generator": "MT19937"}}, ".*state must be for a PCG64"), ({"order": {}}, ""),
        ({"shuffles": MAX_SHUFFLES + 1}, rf".*{MAX_SHUFFLES + 1} is not .* to {MAX_SHUFFLES}$"),
        ({"shuffles": -1}, ".*-1 is not a whole number from 0 to 6"),
        ({"read": MAX_COUNT + 1}, f".*{MAX_COUNT + 1} is not a whole number"),
        ({"read": 1.0}, r".*1\.0 is not a whole number"), ({"read": True}, ".*True is not a whole number"),
        ({"weights": np.ones(3)}, "it must have exactly the arrays parts, begun and numbers$"),
        ({"begun": np.array([4, 0])}, PARTS), ({"parts": np.array([2, 0, 2])}, PARTS),
        ({"parts": np.array([MAX_COUNT, MAX_COUNT, 5])}, PARTS),  # their sum overflows to 3
        ({name: np.zeros(0, np.int64) for name in ("parts", "begun", "numbers")}, PARTS),
        ({"begun": np.array([4, 0, -1])}, ROWS), ({"begun": np.array([[4, 0, 2]])}, ROWS),
        ({"begun": np.array([4.0, 0.0, 2.0])}, ROWS), ({"numbers": np.array([5, 2, -1])}, ROWS),
    ],
)  # fmt: skip
def test_refuses_faulty_positions_in_documents(position, change, message):
    document, arrays = position
    of_arrays = isinstance(next(iter(change.values())), np.ndarray)
    with pytest.raises(InvalidInputError, match=f"^the checkpoint's position is invalid: {message}"):
        position_from(document | ({} if of_arrays else change), arrays | (change if of_arrays else {}))
