"""Gates: of each that lives the locks are open in a forked child, and Ctrl-C leaves them open."""

import contextlib
import copy
import os
import pickle
import threading

import pytest
from command_line import POSIX
from interrupted_runs import interrupted_everywhere

from crnn.model import state as gate_module
from crnn.model.state import Gate


def steps(gate):
    with gate.steps():
        pass


def copying(gate):
    with gate.turn, gate.steps():
        pass


@pytest.mark.parametrize("use", [steps, copying])
def test_ctrl_c_anywhere_leaves_the_gate_open(use):
    def work():
        try:
            use(gate)
        except KeyboardInterrupt as error:
            kept.append(error)  # with all frames, as an interactive session keeps it
            raise

    def see():
        found.append([lock.acquire(blocking=False) and (lock.release(), True)[1] for lock in (gate.turn, gate.arrays)])

    gate, kept, found, places = Gate(), [], [], []
    files = {__file__, gate_module.__file__, contextlib.__file__}
    for place in interrupted_everywhere(work, lambda code: code.co_filename in files and code.co_name != "work"):
        thread = threading.Thread(target=see)
        thread.start()
        thread.join()
        assert found.pop() == [True, True], place
        places.append(place)
    assert len(kept) == len(places) > 3


def test_new_gates_and_copies_count_no_changes():
    gate = Gate()
    assert gate.changes == 0
    gate.changes = 7
    assert pickle.loads(pickle.dumps(gate)).changes == copy.copy(gate).changes == 0
    with gate.arrays, gate.steps():
        assert gate.arrays is gate.steps() is not gate.turn


def test_deleted_gates_are_forgotten():
    kept = [Gate() for _ in range(3)]
    for _ in range(5 * gate_module.MAX_REFERENCES):
        Gate()
    assert len(gate_module._gates) <= gate_module.MAX_REFERENCES
    assert [gate for gate in kept if any(found() is gate for found in gate_module._gates)] == kept


@POSIX
def test_gate_is_open_in_a_forked_child():
    gate = Gate()
    for _ in range(3 * gate_module.MAX_REFERENCES):
        Gate()
    with gate.turn, gate.steps():
        before = gate.arrays
        child = os.fork()
        if not child:
            os._exit(0 if gate.arrays is not before and gate.turn.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0


@POSIX
def test_a_change_that_a_fork_cut_short_counts_in_the_child():
    def fork():
        child = os.fork()
        if not child:
            os._exit(gate.changes)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    gate, found = Gate(), []
    gate.changes = 7
    assert fork() == 7
    with gate.steps():
        thread = threading.Thread(target=lambda: found.append(fork()))  # the holder is not in the child
        thread.start()
        thread.join()
    assert found == [8]
    assert gate.changes == 7
