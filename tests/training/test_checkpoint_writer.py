"""CheckpointWriter: when a checkpoint is due, on which thread it is written, and what becomes of one that fails."""

from __future__ import annotations

import os
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import POSIX

from crnn import InvalidInputError
from crnn.parameters.checks import MAX_STEPS
from crnn.training.checkpoints import CheckpointWriter, checked_every


def state(n_steps, weight=0.5):
    return SimpleNamespace(n_steps=n_steps, params=np.array([weight]))


def run(seconds):
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
    made = CheckpointWriter(disk, "book.run", 5)
    made.begin(30, 2.0)
    return made


def test_steps_are_counted_from_the_checkpoint_before(writer, disk):
    assert [writer.due(done, 1e9) for done in (30, 34, 35, 36)] == [False, False, True, True]
    assert [writer.steps_left(done) for done in (30, 31, 34, 35, 99)] == [5, 4, 1, 1, 1]
    writer.start(state(1036), run(7.5), 36)
    writer.wait()
    assert disk.written == [(1036, 7.5)]
    assert disk.threads == ["crnn-checkpoint"]
    assert [writer.due(done, 1e9) for done in (40, 41)] == [False, True]
    assert writer.steps_left(36) == 5


def test_seconds_are_counted_from_the_checkpoint_before(disk):
    writer = CheckpointWriter(disk, "book.run", 2.5)
    writer.begin(30, 4.0)
    assert [writer.due(10**9, seconds) for seconds in (6.4, 6.5)] == [False, True]
    assert writer.steps_left(99) is None
    writer.start(state(1036), run(7.0), 36)
    writer.wait()
    assert [writer.due(10**9, seconds) for seconds in (9.4, 9.5)] == [False, True]


def test_a_new_call_counts_from_its_beginning(disk):
    assert not CheckpointWriter(disk, "book.run", 2.5).due(99, 2.4)
    assert CheckpointWriter(disk, "book.run", 2.5).due(99, 2.5)
    writer = CheckpointWriter(disk, "book.run", 5)
    assert writer.steps_left(0) == 5
    assert [writer.due(done, 1e9) for done in (4, 5)] == [False, True]


def test_no_checkpoint_is_due_while_one_is_written(writer, disk):
    disk.ready.clear()
    writer.start(state(35), run(1.0), 35)
    assert not writer.due(99, 1e9)
    disk.ready.set()
    writer.wait()
    assert writer.due(99, 1e9)


def test_last_checkpoint_waits_for_the_previous_one(writer, disk):
    disk.ready.clear()
    writer.start(state(35), run(1.0), 35)
    threading.Timer(0.05, disk.ready.set).start()
    writer.write_last(state(37), run(2.0))
    assert disk.written == [(35, 1.0), (37, 2.0)]
    assert disk.threads == ["crnn-checkpoint", threading.current_thread().name]


def test_waiting_for_nothing_returns(writer, disk):
    writer.wait()
    writer.write_last(state(37), run(2.0))
    assert disk.written == [(37, 2.0)]


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_does_not_write_non_finite_weights(writer, disk, weight):
    writer.start(state(35, weight), run(1.0), 35)
    writer.write_last(state(37, weight), run(2.0))
    assert disk.written == []


def test_failed_checkpoint_warns_once_and_the_next_is_written(writer, disk):
    disk.full, message = True, r"^the checkpoint book\.run was not written: No space left on device$"
    writer.start(state(35), run(1.0), 35)
    writer.wait()
    with pytest.warns(UserWarning, match=message) as told:
        assert not writer.due(39, 1e9)
    assert len(told) == 1
    with pytest.warns(UserWarning, match=message):
        writer.write_last(state(36), run(1.5))
    disk.full = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert writer.due(40, 1e9)
        writer.write_last(state(37), run(2.0))
    assert disk.written == [(37, 2.0)]


def test_checkpoint_is_written_without_a_second_thread(writer, disk, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    writer.start(state(35), run(1.0), 35)
    writer.wait()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer.start(state(40), run(2.0), 40)
    assert disk.written == [(35, 1.0), (40, 2.0)]
    assert disk.threads[1] == threading.current_thread().name


@POSIX
def test_a_forked_child_leaves_the_file_to_its_parent(writer, disk):
    child = os.fork()
    if not child:
        due = writer.due(99, 1e9)
        writer.write_last(state(37), run(2.0))
        os._exit(due or bool(disk.written))
    assert os.waitpid(child, 0)[1] == 0
    assert writer.due(99, 1e9)


@pytest.mark.parametrize("every", [1, np.int64(7), MAX_STEPS, 1e-9, 60.0, np.float32(2)])
def test_steps_and_seconds(every):
    found = checked_every(every)
    assert found == every
    assert type(found) is (int if isinstance(every, int | np.integer) else float)


@pytest.mark.parametrize("every", [0, -1, MAX_STEPS + 1, 0.0, -0.5, np.nan, np.inf, "60", None, True])
def test_refuses_invalid_intervals(every):
    with pytest.raises(InvalidInputError, match=r"^checkpoint_every is .*\. Pass a number of steps \(an int of"):
        checked_every(every)
