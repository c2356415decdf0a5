"""How fast is training when the machine is not idle? `python -m benchmarks.busy [--seconds 3] [--repeats 5]`.

Each figure is a ratio of characters per second within one run: every contender trains in a process of its own, all take
turns, and medians are compared. The cases are an idle machine, one whose cores all run a busy loop at normal priority,
and two fits at once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.machine import machine
from benchmarks.workers import Worker


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run `count` busy loops, as programs of normal priority."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def ratio(hidden_size: int, *, seconds: float, repeats: int, at_once: int = 1) -> float:
    """Return how many times as fast the default number of threads is as one thread, for some fits at once."""
    threads = ("default", "1")
    groups = [[Worker() for _ in range(at_once)] for _ in threads]
    speeds: list[list[float]] = [[] for _ in groups]
    for n, group in zip(threads, groups, strict=True):
        for trainer in group:
            trainer.prepare("train_for", hidden_size, n, seconds)
    for _ in range(repeats):
        for group, found in zip(groups, speeds, strict=True):
            for trainer in group:
                trainer.ask()
            found.append(sum(trainer.take() for trainer in group))
    for trainer in (*groups[0], *groups[1]):
        trainer.stop()
    return statistics.median(speeds[0]) / statistics.median(speeds[1])


def rows(hidden_sizes: Sequence[int], *, seconds: float, repeats: int) -> Iterator[str]:
    """Yield the rows of the table."""
    cores = os.cpu_count() or 1
    for H in hidden_sizes:
        name = f"LSTM, H = {H}"
        idle = ratio(H, seconds=seconds, repeats=repeats)
        yield f"| {name}: default / one thread, idle | {idle:.2f} |"
        with busy_loops(cores):
            busy = ratio(H, seconds=seconds, repeats=repeats)
        yield f"| {name}: default / one thread, {cores} busy loops | {busy:.2f} |"
        two = ratio(H, at_once=2, seconds=seconds, repeats=repeats)
        yield f"| {name}: two default fits at once / two with one thread | {two:.2f} |"


def main() -> None:
    """Print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hidden-sizes", type=int, nargs="+", default=[128, 512])
    options = parser.parse_args()
    print(*machine(), "\n| characters per second | ratio |\n|---|---|", sep="\n")
    for row in rows(options.hidden_sizes, seconds=options.seconds, repeats=options.repeats):
        print(row, flush=True)


if __name__ == "__main__":
    main()
