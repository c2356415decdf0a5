"""Gates: of each that lives the locks are open in a forked child, and none runs Python code when it is deleted."""

import os
import sys

import pytest
from command_line import POSIX

from crnn.model import gate as gate_module
from crnn.model.gate import Gate


def test_no_python_code_runs_when_it_is_deleted():
    """Python ignores a KeyboardInterrupt in a function that a weak reference calls."""
    calls, gate = [], Gate()
    sys.setprofile(lambda frame, event, argument: calls.append(frame.f_code.co_name) if event == "call" else None)
    try:
        del gate
    finally:
        sys.setprofile(None)
    assert calls == []


def test_dead_ones_are_forgotten():
    kept = [Gate() for _ in range(3)]
    for _ in range(5 * gate_module.MANY):
        Gate()
    assert len(gate_module._gates) <= gate_module.MANY
    assert [gate for gate in kept if any(found() is gate for found in gate_module._gates)] == kept


@POSIX
@pytest.mark.parametrize("others", [0, 3 * gate_module.MANY])
def test_a_forked_child_finds_it_open(others):
    gate = Gate()
    for _ in range(others):
        Gate()
    with gate.copying():
        before = gate._state
        child = os.fork()
        if not child:
            os._exit(0 if gate._state is not before and gate._turn.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0
