"""Several processes on the command line: what is seen of their launcher, and how one of them ends all."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from command_line import error

from crnn.cli.training import mpi


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    for name in mpi.SIZES:
        monkeypatch.delenv(name, raising=False)


class Processes:
    """A communicator that notes how it was ended."""

    def __init__(self, n=2):
        self.n, self.aborted = n, []

    def Get_size(self):
        return self.n

    def Get_rank(self):
        return 1

    def Abort(self, code):
        self.aborted.append(code)


@pytest.mark.parametrize("name", mpi.SIZES)
@pytest.mark.parametrize("size", ["", "1", "2"])
def test_several_processes_need_mpi4py(folder, capsys, monkeypatch, name, size):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv(name, size)
    if size != "2":
        assert mpi.communicator() is None
        return
    message = error(capsys, "train", "text.txt", "-o", "new.crnn")
    assert "training with several processes needs mpi4py (" in message
    assert message.endswith("Install it with pip install 'crnn[mpi]'.\n")


def test_one_process_has_no_communicator(monkeypatch):
    monkeypatch.setenv(mpi.SIZES[0], "2")
    for world in (Processes(1), Processes(2)):
        monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=SimpleNamespace(COMM_WORLD=world)))
        assert mpi.communicator() is (world if world.n > 1 else None)


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (ValueError("X is\nodd"), 1, "crnn: error: process 1: X is odd\n"),
        (SystemExit(2), 2, ""),
        (KeyboardInterrupt(), None, ""),
    ],
)
def test_a_process_that_fails_ends_all(capsys, raised, code, told):
    comm = Processes()

    def fail():
        with mpi.aborting(comm):
            raise raised

    with pytest.raises(type(raised)) as caught:
        fail()
    assert caught.value is raised
    assert comm.aborted == ([] if code is None else [code])
    assert capsys.readouterr().err == told
    with mpi.aborting(comm):
        pass
    assert comm.aborted == ([] if code is None else [code])
