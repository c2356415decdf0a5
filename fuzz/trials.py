"""What trying a promise gave; cases that run in a process of their own, so that a crash is a failure like another."""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
BATCH = 5000  # cases of one process
MEMORY = "/dev/shm"  # a folder in memory, if there is one: what a disk does to files is tried elsewhere
MAX_CRASHES = 20  # then stop


class Outcome(NamedTuple):
    """How often something was tried, and what went wrong."""

    tries: int
    failures: list[str]


def environment():
    """Return the environment of a process that imports these modules and the package of this process."""
    import crnn

    source = str(Path(crnn.__file__).parents[1])
    return os.environ | {"PYTHONPATH": os.pathsep.join([source, str(HERE)]), "PYTHONWARNINGS": "ignore"}


def forked(work):
    """Call a function in a forked process, which ends with exit code 0 unless it raises; return its number.

    A fork starts a hundred times faster than Python. No other thread runs meanwhile.
    """
    ready, begun = os.pipe()
    child = os.fork()
    if child:
        os.close(begun)
        os.read(ready, 1)  # until Ctrl-C has its usual effect in the child: a job in the background ignores it
        os.close(ready)
        return child
    code = 1
    try:
        gc.callbacks.clear()  # Python ignores a KeyboardInterrupt in a function that the collector calls
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(ready)
        os.close(begun)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@contextmanager
def time_limit(seconds):
    """Interrupt what takes longer, as Ctrl-C would."""
    signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def run_cases(module: str, count: int, seed: int = 0) -> Outcome:
    """Call ``case(i, folder)`` of a module, or its function after a colon, for `count` numbers i.

    It returns a fault, or None; an exception is a fault, too. Where the process dies is a fault, and the next process
    starts with the following case.
    """
    failures, first, stop, crashes = [], seed, seed + count, 0
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crnn-reliability-", dir=place) as folder:
        progress = Path(folder) / "progress"
        while first < stop and crashes < MAX_CRASHES:
            last = min(first + BATCH, stop)
            command = [sys.executable, __file__, module, str(first), str(last), folder]
            result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=3600)
            lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
            failures += [f"{module} {line['case']}: {line['fault']}" for line in lines]
            if result.returncode:
                crashes += 1
                at = int(progress.read_text() or first) if progress.exists() else first
                failures.append(f"{module} {at}: exit code {result.returncode}, {result.stderr[-300:].strip()}")
                last = at + 1
            first = last
    return Outcome(first - seed, failures)


def main() -> None:
    """Run the cases of one process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores Ctrl-C
    module, first, last, folder = sys.argv[1:]
    name, _, function = module.partition(":")
    case = getattr(importlib.import_module(name), function or "case")
    for i in range(int(first), int(last)):
        Path(folder, "progress").write_text(str(i))
        try:
            fault = case(i, Path(folder))
        except Exception:
            fault = traceback.format_exc()[-500:]
        if fault:
            print(json.dumps({"case": i, "fault": str(fault)[:500]}), flush=True)


if __name__ == "__main__":
    main()
