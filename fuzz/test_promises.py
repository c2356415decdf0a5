"""The promises of docs/reliability.md, tried a few times; ``python tools/reliability.py`` tries them by thousands."""

import gc
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from measurements import FIGURES
from promises import PROMISES
from trials import forked, run_cases
from write_faults import NO_COMPILER

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes and signals as Linux has them")
SLOW = {"terminate", "hashes", "soak"}  # processes that start Python anew, and time
PAGE = Path(__file__).parents[1] / "docs" / "development" / "guarantees.md"


@linux
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in PROMISES])
def test_promise(name):
    promise = PROMISES[name]
    outcome = promise.run(promise.short, seed=int(os.environ.get("CRNN_SEED", "0")))
    if outcome.failures == [NO_COMPILER]:
        pytest.skip(NO_COMPILER)
    assert outcome.tries
    assert outcome.failures == []


@linux
@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("responses", 1), ("pauses", 20), ("memory", 1), ("imports", 1)])
def test_figures(name, count):
    header, _, *rows = FIGURES[name][0](count)
    assert len(rows) > 1
    assert all(row.count("|") == header.count("|") for row in rows)


def test_every_promise_is_named_beside_a_guarantee():
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[2])} == PROMISES.keys()


@linux
def test_the_collector_calls_no_function_in_a_forked_process():
    """Python ignores a KeyboardInterrupt there; hypothesis has the collector call a function, for one."""
    calls = []

    def called(phase, info):
        calls.append(phase)

    def work():
        gc.collect()
        assert not calls

    gc.callbacks.append(called)
    try:
        child = forked(work)
        assert os.waitpid(child, 0)[1] == 0
        assert gc.callbacks[-1] is called
    finally:
        gc.callbacks.remove(called)


@linux
def test_cases_restore_ctrl_c_handling_of_background_jobs(tmp_path, monkeypatch):
    (tmp_path / "ignoring.py").write_text(
        "import signal\n"
        "def case(i, folder):\n"
        "    return 'Ctrl-C is ignored' if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else None\n"
    )
    monkeypatch.setattr("trials.HERE", tmp_path)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_cases("ignoring", 2) == (2, [])
    finally:
        signal.signal(signal.SIGINT, before)
