"""What would more cores gain? `python -m benchmarks.cores [--page docs/cores.md]`.

The first table has steps of several sizes on one and two threads, measured in turns, next to what the model in
`benchmarks/core_model.py` predicts for two. The second has the model's predictions for more cores than most laptops
have. It assumes cores that are as fast together as alone, and a memory bandwidth (`--bandwidth`) and a time for passing
a cache line (`--handoff`); set both to the values of your machine. Nothing else may run at the time.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.core_model import Machine, Step, step_seconds
from benchmarks.figures import publish
from benchmarks.scaling import random_text, seconds_per_step
from crnn import CharRNN

CORES = (4, 8, 16, 32, 64)
BLOCK = 32_000_000  # elements of float32 that a thread passes over: more than its caches hold
BEGIN, END = "<!-- benchmarks.cores: begin -->", "<!-- benchmarks.cores: end -->"


class Size(NamedTuple):
    """A network and its streams."""

    cell: str
    hidden_size: int
    batch_size: int

    def model(self, n_threads: int, steps: int) -> CharRNN:
        """Return an unfitted model that trains so many steps of 50 characters."""
        return CharRNN(self.hidden_size, cell=self.cell, batch_size=self.batch_size, seq_length=50, optimizer="adam",
                       learning_rate=1e-3, clip=None, clip_norm=1.0, max_steps=steps, n_threads=n_threads,
                       random_state=0)  # fmt: skip


SIZES = (Size("rnn", 128, 64), Size("lstm", 256, 64), Size("lstm", 512, 64), Size("lstm", 512, 256))


def bytes_per_second(threads: int, elements: int = BLOCK) -> float:
    """Return how many bytes a second several threads read and write in memory, each in an array of its own."""
    arrays = [np.ones(elements, np.float32) for _ in range(threads)]
    arrived = threading.Barrier(threads + 1)

    def pass_over(array: np.ndarray) -> None:
        arrived.wait()
        for _ in range(4):
            np.negative(array, out=array)
        arrived.wait()

    workers = [threading.Thread(target=pass_over, args=(array,)) for array in arrays]
    for worker in workers:
        worker.start()
    arrived.wait()
    start = time.perf_counter()
    arrived.wait()
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.join()
    return 4 * 2 * 4 * elements * threads / seconds


def step_times(size: Size, arguments: argparse.Namespace) -> tuple[Step, list[float], list[float]]:
    """Train on one and on two threads in turns; return the step's sizes and its seconds on each."""
    times: tuple[list[float], list[float]] = [], []
    text = random_text(size.batch_size)
    for _ in range(arguments.repeats):
        for n_threads in (1, 2):
            model = size.model(n_threads, arguments.steps).fit(text)
            times[n_threads - 1].append(seconds_per_step(model))
    return Step.of(model), *times


def tables(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of both tables."""
    single = max(bytes_per_second(1, arguments.elements) for _ in range(3))
    here = Machine(single, max(bytes_per_second(2, arguments.elements) for _ in range(3)), arguments.handoff)
    yield f"Memory here: {here.core_bandwidth / 1e9:.0f} GB/s with one thread, {here.bandwidth / 1e9:.0f} GB/s with"
    yield "two. float32, Adam, chunks of 50 characters:"
    yield ""
    yield "| network | streams | shards | ms a step, one thread | two threads | predicted |"
    yield "|---|---|---|---|---|---|"
    measured = []
    for size in arguments.sizes:
        step, one, two = step_times(size, arguments)
        measured.append((size, step, median(one)))
        predicted = step_seconds(median(one), step, 2, here)
        yield (f"| {size.cell} {size.hidden_size} | {size.batch_size} | {step.shards} | {1e3 * median(one):.2f} | "
               f"{1e3 * median(two):.2f} | {1e3 * predicted:.2f} |")  # fmt: skip
    there = Machine(single, max(arguments.bandwidth * 1e9, single), arguments.handoff)
    yield ""
    yield "Predicted times as fast as one core, in parentheses the threads that crnn would use; not measured. Assumed:"
    yield f"{there.bandwidth / 1e9:.0f} GB/s for all cores together, {1e6 * there.handoff:.2f} µs to pass a cache line."
    yield ""
    yield "| network | streams | " + " | ".join(f"{cores} cores" for cores in CORES) + " |"
    yield "|---|---|" + "---|" * len(CORES)
    for size, step, one_core in measured:
        cells = [
            f"{one_core / step_seconds(one_core, step, cores, there):.1f} ({step.arrangement(cores).n_threads})"
            for cores in CORES
        ]
        yield f"| {size.cell} {size.hidden_size} | {size.batch_size} | " + " | ".join(cells) + " |"


def size(text: str) -> Size:
    """Parse CELL:UNITS:STREAMS."""
    cell, hidden_size, batch_size = text.split(":")
    return Size(cell, int(hidden_size), int(batch_size))


def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables, or write them into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=size, nargs="+", default=SIZES, metavar="CELL:UNITS:STREAMS")
    parser.add_argument("--steps", type=int, default=100, help="of each training run (default: 100)")
    parser.add_argument("--repeats", type=int, default=3, help="training runs of each kind (default: 3)")
    parser.add_argument("--elements", type=int, default=BLOCK, help=argparse.SUPPRESS)
    parser.add_argument("--bandwidth", type=float, default=200.0, help="GB/s of all cores together (default: 200)")
    parser.add_argument("--handoff", type=float, default=1.5e-7, help="seconds to pass a cache line (default: 1.5e-7)")
    parser.add_argument("--page", type=Path, help="a page to write the tables into, between its markers")
    arguments = parser.parse_args(argv)
    publish(tables(arguments), arguments.page, BEGIN, END)


if __name__ == "__main__":
    main()
