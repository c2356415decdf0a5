"""The processes of the promises."""

import gc
import os
import signal

from command_line import POSIX
from trials import forked, run_cases


@POSIX
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


@POSIX
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
