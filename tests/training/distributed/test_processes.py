"""Which streams each process has, and what they agree on, with a communicator that is a list."""

from __future__ import annotations

import pytest

from crnn import InvalidInputError
from crnn.training.distributed.processes import Processes, processes_of


class Communicator:
    """A communicator from one rank's point of view, where all processes pass the same values."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.size

    def allgather(self, value):
        return [value] * self.size

    def bcast(self, value, root):
        assert root == 0
        return value


@pytest.mark.parametrize(("streams", "size"), [(7, 3), (3, 3), (5, 1), (64, 5)])
def test_streams_are_divided_among_processes(streams, size):
    parts = [Processes(Communicator(rank, size)).own(streams) for rank in range(size)]
    assert [i for part in parts for i in part] == list(range(streams))
    lengths = [len(part) for part in parts]
    assert min(lengths) >= 1
    assert max(lengths) - min(lengths) <= 1


def test_a_process_without_a_stream_is_refused():
    processes = Processes(Communicator(1, 3))
    processes.check_batch_size(3)
    with pytest.raises(InvalidInputError, match=r"^batch_size is 2, but each of the 3 processes needs a stream"):
        processes.check_batch_size(2)


def test_what_processes_agree_on():
    processes = Processes(Communicator(2, 3))
    assert processes.gathered("a") == ["a", "a", "a"]
    assert processes.of_first(5) == 5
    assert processes.all(True)
    assert not processes.all(False)


def test_what_fails_in_another_process_is_raised_in_all():
    communicator = Communicator(0, 3)
    communicator.allgather = lambda value: [value, None, "OSError: no such file"]
    with pytest.raises(InvalidInputError, match=r"^process 2 cannot start training: OSError: no such file$"):
        Processes(communicator).agreed(lambda: 5)


@pytest.mark.parametrize("comm", [3, "world", [], object()])
def test_what_is_no_communicator(comm):
    with pytest.raises(InvalidInputError, match=r"^comm "):
        processes_of(comm)


def test_one_process_needs_no_communicator():
    assert processes_of(None) is None
