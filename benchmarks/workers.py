"""Processes that do the work of contenders, one for each framework, so that no settings reach another contender.

A worker runs `python -m benchmarks.work`. It makes a work ready, and then does it once more for each call of `repeat`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

CORE = sorted(os.sched_getaffinity(0))[-1] if hasattr(os, "sched_getaffinity") else None
PIN = f"import os, sys; os.sched_setaffinity(0, {{{CORE}}}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
PINNED = ("jax", "numpy")  # affinity is the only way to hold XLA to one thread, and the simplest for NumPy's BLAS


class Worker:
    """A process that waits for work.

    Parameters
    ----------
    pinned : bool, default False
        Whether it runs on one core.
    environment : dict, optional
        Its environment; by default this process's own.
    """

    def __init__(self, *, pinned: bool = False, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "benchmarks.work"]
        if pinned and CORE is not None:
            command = [sys.executable, "-c", PIN, *command[1:]]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def prepare(self, kind: str, *arguments: object) -> float:
        """Make a work ready, do it once, and return what it found; see `benchmarks.work.KINDS`."""
        self._tell({"kind": kind, "arguments": [str(argument) for argument in arguments]})
        return self._answer()

    def repeat(self) -> float:
        """Do the work once more, and return what it found."""
        self.ask()
        return self.take()

    def ask(self) -> None:
        """Let the process do the work once more, without waiting for it."""
        self._tell({})

    def take(self) -> float:
        """Wait until the work is done, and return what it found."""
        return self._answer()

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()  # closes both pipes: at the end of its input the worker ends

    def _tell(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the worker ended without an answer; its error is printed above")
        return float(json.loads(line))


class Workers:
    """One worker for each framework and number of threads, started when it is first needed."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, bool], Worker] = {}

    def of(self, contender: str, n_threads: int) -> Worker:
        """Return the worker of a contender, such as "jax-by-hand", with so many threads."""
        framework = contender.partition("-")[0]
        key = framework, framework in PINNED and n_threads == 1
        if key not in self._running:
            self._running[key] = Worker(pinned=key[1])
        return self._running[key]

    def stop(self) -> None:
        """End all processes."""
        for worker in self._running.values():
            worker.stop()
        self._running.clear()
