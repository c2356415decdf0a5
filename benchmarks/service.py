"""What does a service cost? `python -m benchmarks.service [--lines 100000] [--sessions 5000] [--seconds 3]`.

A detector by counts and an LSTM of 128 units learn log lines (`benchmarks.log_lines`) and are saved. New processes load
them: the seconds that takes, those from the start of Python to the first answer, the memory of such a worker, and the
wall time (median and 99th percentile) of `predict` or `score_samples` for 1 and for 50 lines never seen before, on one
thread. Then a service by asyncio: clients send a
line to a session of their own and wait for its log-probability. Requests that arrive while a call runs are read
together by the next one (`TextStates`), or each by itself (`TextState`), in a pool of one thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import crnn
from benchmarks.log_lines import masked, usual_lines
from benchmarks.report import machine
from crnn import AnomalyDetector, CharRNN

CALLS = 300


def resident() -> float:
    """Return the memory of this process in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6


def first_answer(path: Path, kind: str, call: str) -> float:
    """Return the seconds from the start of a process to its first answer."""
    program = f"from crnn import {kind}; {kind}.load({str(path)!r}).{call}(['x'])"
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


def percentiles(seconds: Sequence[float]) -> list[float]:
    """Return the median and the 99th percentile, in milliseconds."""
    return [float(1e3 * value) for value in np.percentile(seconds, [50, 99])]


def worker(path: str, kind: str) -> dict[str, Any]:
    """Load a model and use it, as a new process of a service does."""
    before, start = resident(), time.perf_counter()
    model: Any = getattr(crnn, kind).load(path)
    found: dict[str, Any] = {"load": time.perf_counter() - start}
    detects = kind == "AnomalyDetector"
    (model.estimator_ if detects else model).n_threads = 1
    judge = model.predict if detects else model.score_samples
    lines = (masked(line) + f" {i % 97}" for i, line in enumerate(usual_lines(seed=9)))
    for count in (1, 50):
        seconds = []
        for call in range(CALLS + 3):
            block = list(islice(lines, count))
            start = time.perf_counter()
            judge(block)
            if call >= 3:
                seconds.append(time.perf_counter() - start)
        found[str(count)] = percentiles(seconds)
    found["memory"], found["before"] = resident(), before
    return found


class Together:
    """Sessions whose waiting requests are read by one call."""

    def __init__(self, model: CharRNN, sessions: int) -> None:
        self.states, self.pool = model.start([""] * sessions), ThreadPoolExecutor(1)
        self.waiting: dict[int, tuple[str, asyncio.Future[float]]] = {}
        self.task: asyncio.Task[None] | None = None

    async def feed(self, session: int, piece: str) -> float:
        """Return log P of a piece."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting[session] = piece, future
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.read())
        return await future

    async def read(self) -> None:
        """Read until no request is waiting."""
        while self.waiting:
            waiting, self.waiting = self.waiting, {}
            pieces = [piece for piece, _ in waiting.values()]
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self.pool, self.states.feed, pieces, list(waiting))
            for (_, future), log_p in zip(waiting.values(), found.tolist(), strict=True):
                future.set_result(log_p)


class Apart:
    """Sessions with a text state each."""

    def __init__(self, model: CharRNN, sessions: int) -> None:
        self.states, self.pool = [model.start() for _ in range(sessions)], ThreadPoolExecutor(1)

    async def feed(self, session: int, piece: str) -> float:
        """Return log P of a piece."""
        state = self.states[session]
        before = state.log_prob
        await asyncio.get_running_loop().run_in_executor(self.pool, state.feed, piece)
        return state.log_prob - before


async def served(
    service: Together | Apart, lines: list[str], sessions: int, clients: int, seconds: float
) -> list[float]:
    """Return how long each request took; each client takes a session of its own for every request."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def client(first: int) -> None:
        request = 0
        while time.perf_counter() < end:
            session = (first + clients * request) % (sessions - sessions % clients)
            start = time.perf_counter()
            log_p = await service.feed(session, lines[(7 * session + request) % len(lines)])
            taken.append(time.perf_counter() - start)
            assert log_p < 0
            request += 1

    await asyncio.gather(*map(client, range(clients)))
    return taken


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each kind of service, and of training the LSTM")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.worker:
        print(json.dumps(worker(*given.worker)))
        return
    print(*machine(), sep="\n")
    lines = [masked(line) for line in islice(usual_lines(), given.lines)]
    detector = AnomalyDetector(contamination=0.005, random_state=0).fit(lines)
    options: dict[str, Any] = {"cell": "lstm", "batch_size": 32, "max_seconds": given.seconds, "random_state": 0}
    network = CharRNN(128, min_count=2, **options).fit(lines)
    print("| model | file, MB | load, s | start, s | memory, MB | before, MB | 1 line: p50, p99, ms | 50 lines |")
    print("|---" * 8 + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, model, call in (
            ("detector by counts", detector, "predict"),
            ("LSTM of 128 units", network, "score_samples"),
        ):
            path = Path(folder) / "model.crnn"
            model.save(path)
            command = [sys.executable, "-m", "benchmarks.service", "--worker", str(path), type(model).__name__]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            one, fifty = (", ".join(f"{value:.2f}" for value in found[count]) for count in ("1", "50"))
            size = path.stat().st_size / 1e6
            memories = f"{found['memory']:.0f} | {found['before']:.0f}"
            first = median(first_answer(path, type(model).__name__, call) for _ in range(5))
            print(f"| {name} | {size:.1f} | {found['load']:.2f} | {first:.2f} | {memories} | {one} | {fifty} |")
    new = [masked(line) + "\n" for line in islice(usual_lines(seed=9), 1000)]
    known = {str(symbol) for symbol in network.vocabulary_}
    new = ["".join(c for c in line if c in known) for line in new]
    print("\n| an LSTM's sessions, a line a request | requests a second | p50, p99, ms |\n|---|---|---|")
    network.set_params(n_threads=1)
    for kind in (Together, Apart):
        service = kind(network, given.sessions)
        taken = asyncio.run(served(service, new, given.sessions, given.clients, given.seconds))
        middle, last = percentiles(taken)
        print(f"| {kind.__name__.lower()} | {len(taken) / given.seconds:,.0f} | {middle:.1f}, {last:.1f} |")


if __name__ == "__main__":
    main()
