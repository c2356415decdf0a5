"""The forked processes of the promises."""

import gc
import os

from command_line import POSIX
from trials import forked


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
