"""How fast is training when the machine is not idle? `python -m benchmarks.busy [--seconds 3] [--repeats 5]`.

Each figure is a ratio of characters per second within one run: every contender trains in a process of its own, all take
turns, and medians are compared. The cases are an idle machine, one whose cores all run a busy loop at normal priority,
two fits at once, and eight threads that share one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

SEQ_LENGTH, BATCH_SIZE = 24, 16

TRAIN = """
import os, sys, time
import numpy as np
from crnn import CharRNN
hidden_size, n_threads, core, seconds, T, B = sys.argv[1:]
if core != "all":
    os.sched_setaffinity(0, {int(core)})
text = "".join(map(chr, np.random.default_rng(0).integers(33, 98, 200_000)))
model = CharRNN(int(hidden_size), cell="lstm", seq_length=int(T), batch_size=int(B), optimizer="adam", random_state=0,
                n_threads=None if n_threads == "default" else int(n_threads), max_steps=2).fit(text)
print("ready", flush=True)
for _ in sys.stdin:
    model.set_params(max_steps=None, max_seconds=float(seconds))
    before, start = model.n_steps_, time.perf_counter()
    model.partial_fit(text)
    taken = time.perf_counter() - start
    print((model.n_steps_ - before) * model.seq_length * model.batch_size / taken, flush=True)
"""


class Trainer:
    """A process that trains an LSTM when it is told to, and says how many characters per second it read.

    Parameters
    ----------
    hidden_size : int
    n_threads : int or None
        None: the default of `CharRNN`.
    core : int, optional
        The one core that the process may use.
    seconds : float
        Of one turn.
    """

    def __init__(self, hidden_size: int, n_threads: int | None, *, core: int | None = None, seconds: float) -> None:
        arguments = [hidden_size, n_threads or "default", "all" if core is None else core, seconds]
        command = [sys.executable, "-c", TRAIN, *map(str, arguments), str(SEQ_LENGTH), str(BATCH_SIZE)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self._output = self.process.stdout
        self._answer()

    def start(self) -> None:
        """Begin a turn."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def finish(self) -> float:
        """Wait for the end of the turn; return characters per second."""
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._output.close()
        self.process.wait()

    def _answer(self) -> str:
        line = self._output.readline()
        if not line:
            raise RuntimeError("the training process ended without an answer")
        return line


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


def together(groups: Sequence[Sequence[Trainer]], repeats: int) -> list[float]:
    """Return the median total speed of each group of trainers; a group trains at once, groups take turns."""
    speeds: list[list[float]] = [[] for _ in groups]
    for _ in range(repeats):
        for group, found in zip(groups, speeds, strict=True):
            for trainer in group:
                trainer.start()
            found.append(sum(trainer.finish() for trainer in group))
    for group in groups:
        for trainer in group:
            trainer.close()
    return [statistics.median(found) for found in speeds]


def ratio(
    hidden_size: int,
    threads: tuple[int | None, int | None],
    *,
    seconds: float,
    repeats: int,
    at_once: int = 1,
    core: int | None = None,
) -> float:
    """Return how many times as fast the first number of threads is as the second.

    Parameters
    ----------
    hidden_size : int
    threads : tuple of two int or None
        None: the default.
    seconds, repeats
        Of each turn, and how many.
    at_once : int, default=1
        Trainers that train at the same time.
    core : int, optional
        The one core that all of them share.
    """
    groups = [[Trainer(hidden_size, n, core=core, seconds=seconds) for _ in range(at_once)] for n in threads]
    first, second = together(groups, repeats)
    return first / second


def rows(hidden_sizes: Sequence[int], *, seconds: float, repeats: int) -> Iterator[str]:
    """Yield the rows of the table."""
    cores = os.cpu_count() or 1
    for H in hidden_sizes:
        name = f"LSTM, H = {H}"
        idle = ratio(H, (None, 1), seconds=seconds, repeats=repeats)
        yield f"| {name}: default / one thread, idle | {idle:.2f} |"
        with busy_loops(cores):
            busy = ratio(H, (None, 1), seconds=seconds, repeats=repeats)
        yield f"| {name}: default / one thread, {cores} busy loops | {busy:.2f} |"
        two = ratio(H, (None, 1), at_once=2, seconds=seconds, repeats=repeats)
        yield f"| {name}: two default fits at once / two with one thread | {two:.2f} |"
        if hasattr(os, "sched_setaffinity"):
            core = min(os.sched_getaffinity(0))
            shared = ratio(H, (8, 1), core=core, seconds=seconds, repeats=repeats)
            yield f"| {name}: eight threads / one, on one core | {shared:.2f} |"


def main() -> None:
    """Print the machine and the table."""
    from benchmarks.report import machine

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
