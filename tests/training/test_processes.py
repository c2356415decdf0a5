"""Which streams each process has, and what they agree on, with a communicator that is a list."""

import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import POSIX
from mpi_processes import Communicator

from crnn import CharRNN, InvalidInputError
from crnn.training.processes import Processes, processes_of


@pytest.mark.parametrize(("streams", "size"), [(7, 3), (3, 3), (5, 1), (64, 5)])
def test_streams_are_divided_among_processes(streams, size):
    parts = [Processes(Communicator(rank, size)).own_streams(streams) for rank in range(size)]
    assert [i for part in parts for i in part] == list(range(streams))
    lengths = [len(part) for part in parts]
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1


def test_refuses_a_process_without_a_stream(monkeypatch):
    processes = Processes(Communicator(1, 3))
    processes.check_batch_size(3)
    monkeypatch.setattr("crnn.training.fit.processes_of", lambda comm: processes)
    with pytest.raises(InvalidInputError, match=r"^batch_size is 2, but each of the 3 processes needs a stream"):
        CharRNN(5, batch_size=2, max_steps=1, random_state=0).fit("abc" * 9)


def test_only_the_first_process_reads():
    first, second = (Processes(Communicator(rank, 2)) for rank in (0, 1))
    assert first.from_first(5) == 5
    assert (first.all(True), first.all(False)) == (True, False)
    assert first.read_by_first(lambda: "text") == "text"
    second._comm.bcast = lambda value, root: "text" if value is None else value
    assert second.read_by_first(lambda: 1 / 0) == "text"
    with pytest.raises(ZeroDivisionError):
        first.read_by_first(lambda: 1 / 0)


def test_a_value_must_be_the_first_processs_in_all():
    processes = Processes(Communicator(1, 2))
    processes.require_same("batch_size", 5)
    for fault in (lambda value: [value, False], lambda value: [True, False]):  # here, in another process
        processes._comm.allgather = fault
        with pytest.raises(InvalidInputError, match=r"^batch_size differs between processes\. Pass the same value in"):
            processes.require_same("batch_size", 5)
    processes = Processes(Communicator(1, 2))
    processes._comm.bcast = lambda value, root: 7
    with pytest.raises(InvalidInputError, match=r"^batch_size differs"):
        processes.require_same("batch_size", 5)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_each_process_sets_its_own_rows(rank):
    processes, array = Processes(Communicator(rank, 3)), np.arange(2 * 7 * 5.0).reshape(2, 7, 5)
    wanted, parts = -array, [-array[:, 7 * r // 3 : 7 * (r + 1) // 3] for r in range(3)]
    own = processes.own_streams(7)
    array[:, own.start : own.stop] *= -1

    def gather(value):
        np.testing.assert_array_equal(value, parts[rank])
        return parts

    processes._comm.allgather = gather
    processes.share_rows(array)
    np.testing.assert_array_equal(array, wanted)


def test_gradients_are_summed_but_the_last_value_is_not(monkeypatch):
    def add(place, own):
        assert place is MPI.IN_PLACE
        own += np.array([10.0, 20.0, 5.0])

    MPI = SimpleNamespace(IN_PLACE=object())
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=MPI))
    processes, vector = Processes(Communicator(0, 2)), np.array([1.0, 2.0, 5.0])
    processes._comm.Allreduce = add
    processes.reduce(vector)
    assert vector.tolist() == [11.0, 22.0, 5.0]


def test_a_signal_of_another_process_ends_a_call_that_defers_none():
    processes = Processes(Communicator(0, 2))
    processes._comm.allgather = lambda value: [value, int(signal.SIGINT)]
    with pytest.raises(KeyboardInterrupt):
        processes.raise_signals()


def test_a_communicator_of_several_processes():
    def comm(rank, size):
        found = Communicator(rank, size)
        found.Allreduce = found.Abort = None
        return found

    assert processes_of(None) is processes_of(comm(0, 1)) is None
    found = processes_of(comm(1, 2))
    assert (found.rank, found.size) == (1, 2)


@POSIX
@pytest.mark.parametrize(("of_this", "of_others"), [(0, 0), (signal.SIGINT, 0), (0, signal.SIGTERM)])
def test_signals_wait_until_all_processes_know_them(of_this, of_others):
    processes, seen = Processes(Communicator(0, 2)), []
    processes._comm.allgather = lambda value: [value, of_others]
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append((number, frame)))
    try:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with processes.signals_deferred():
            if of_this:
                signal.raise_signal(of_this)
            assert seen == []
            if of_this or of_others:
                with pytest.raises(KeyboardInterrupt):
                    processes.raise_signals()
                # Already within the block, a second signal does at once what it does elsewhere.
                assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
            else:
                processes.raise_signals()
                assert signal.getsignal(signal.SIGTERM) != handlers[1]
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert seen == ([(signal.SIGTERM, None)] if of_others else [])
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_ends_all_processes_and_is_told(capsys):
    def abort(code):
        raise SystemExit(code)

    communicator = Communicator(1, 3)
    communicator.Abort = abort
    with pytest.raises(SystemExit) as raised:
        Processes(communicator).abort(MemoryError("no memory left"))
    assert raised.value.code == 1
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "crnn: process 1 of 3 failed; ending training in all processes:"
    assert last == "MemoryError: no memory left"


def test_failure_in_one_process_is_raised_in_all():
    communicator = Communicator(0, 3)
    communicator.allgather = lambda value: [value, None, "OSError: no such file"]
    with pytest.raises(InvalidInputError, match=r"^process 2 cannot start training: OSError: no such file$"):
        Processes(communicator).call_in_all(lambda: 5)
