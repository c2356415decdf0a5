"""Speed compared with the peers: `python -m benchmarks.report [--only SECTION] [--repeats N] [--update [FILE]]`.

Every figure is a ratio of medians over interleaved repeats in one run: each contender has its own process, and they
take turns. Missing peers are left out, with a message. `--update` writes the tables between the markers of
docs/performance.md. Where the environment holds OpenBLAS at an older kernel, run this with OPENBLAS_CORETYPE and
OPENBLAS_L2_SIZE unset; the kernel in use is printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peers
from benchmarks.cases import VOCAB_SIZE, Case
from benchmarks.machine import machine
from benchmarks.pages import PERFORMANCE, check_markers, replace_between

CORE = sorted(os.sched_getaffinity(0))[-1] if hasattr(os, "sched_getaffinity") else None
PAUSE_SECONDS = 0.1  # before a repeat: the threads of the BLAS or of OpenMP spin for a while after their work
BEGIN, END = "<!-- benchmarks.report: begin -->", "<!-- benchmarks.report: end -->"


@dataclass
class Timed:
    """One contender's process and what it has answered."""

    name: str
    arguments: Sequence[str]
    threads: int = 1
    pinned: bool = False  # to one core: the only way to hold XLA to one thread
    environment: dict[str, str] | None = None  # None: this process's own
    seconds: list[float] = field(default_factory=list)
    first: float = float("nan")
    value: float = float("nan")

    def start(self) -> None:
        """Start the process and wait until it has done its work once."""
        command = [sys.executable, "-m", "benchmarks.work", *self.arguments]
        if self.pinned and CORE is not None:
            command = [sys.executable, "-c", PINNED.format(CORE), *command[1:]]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment
        )
        self.first = self._answer()["first"]

    def repeat(self) -> None:
        """Do the work once more."""
        self.ask()
        self.take()

    def ask(self) -> None:
        """Let the process do the work once more."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def take(self) -> None:
        """Wait until the work is done."""
        answer = self._answer()
        self.seconds.append(answer["seconds"])
        self.value = answer["value"]

    def stop(self) -> None:
        """End the process."""
        self.process.communicate()  # closes both pipes: at the end of its input the worker ends

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name}: the worker ended without an answer: {' '.join(self.arguments)}")
        answer: dict[str, float] = json.loads(line)
        return answer

    @property
    def median(self) -> float:
        """Median seconds of a repeat."""
        return statistics.median(self.seconds)


PINNED = "import os, sys; os.sched_setaffinity(0, {{{}}}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


def race(contenders: Iterable[Timed], repeats: int) -> dict[str, Timed]:
    """Let contenders take turns; return them by name."""
    running = list(contenders)
    for contender in running:
        contender.start()
    for _ in range(repeats):
        for contender in running:
            time.sleep(PAUSE_SECONDS)
            contender.repeat()
    for contender in running:
        contender.stop()
    return {contender.name: contender for contender in running}


def present(*names: str) -> list[str]:
    """Return the installed contenders; print which are missing."""
    found = []
    for name in names:
        framework = name.partition("-")[0]
        if framework == "crnn" or peers.available(framework):
            found.append(name)
        else:
            print(peers.reason(framework), file=sys.stderr)
    return found


def contenders(kind: str, names: Sequence[str], arguments: Sequence[str], threads: Sequence[int]) -> list[Timed]:
    """Return every named contender with every number of threads that it can be given."""
    out = []
    for name in present(*names):
        for n in threads:
            pinned = name.startswith("jax") and n == 1
            out.append(Timed(f"{name}/{n}", (kind, name, *arguments, str(n)), n, pinned))
    return out


def ratio(timed: dict[str, Timed], slow: str, fast: str) -> str:
    """Return how many times longer `slow` takes than `fast`, or a dash if one was not run."""
    return f"{timed[slow].median / timed[fast].median:.2f}" if slow in timed and fast in timed else "–"


def best_ratio(timed: dict[str, Timed], slow: str, max_threads: int, fast: str) -> str:
    """Return the like of `ratio` for the best setting of `slow` with at most so many threads."""
    settings = [name for name in (f"{slow}/{n}" for n in range(1, max_threads + 1)) if name in timed]
    return ratio(timed, min(settings, key=lambda name: timed[name].median), fast) if settings else "–"


def online(repeats: int) -> list[str]:
    """One stream, T = 25: microseconds a step, and times faster than each peer."""
    lines = [
        "| online step, T = 25, one thread | µs | NumPy float64 | PyTorch | JAX | JAX, gradient by hand |",
        "|---|---|---|---|---|---|",
    ]
    for H, K in ((100, 1500), (256, 400), (512, 150)):
        arguments, slower = (["rnn", *(str(v) for v in (1, H, 25, 1, steps))] for steps in (K, max(20, K // 20)))
        runs = contenders("train", ["crnn", "crnn-float64"], arguments, [1])
        runs += contenders("train", ["numpy"], slower, [1]) + contenders("train", ["torch"], slower, [1, 2])
        runs += contenders("train", ["jax", "jax-by-hand"], arguments, [1])
        timed = race(runs, repeats)
        check_losses(timed, 25)
        step = {name: t.median / int(t.arguments[7]) for name, t in timed.items()}
        torch = min((step[n] for n in ("torch/1", "torch/2") if n in step), default=None)
        for mine, label in (("crnn/1", "float32"), ("crnn-float64/1", "float64")):
            others = [step.get("numpy/1"), torch, step.get("jax/1"), step.get("jax-by-hand/1")]
            if label == "float64":
                others = [others[0], None, None, None]
            cells = [f"{other / step[mine]:.1f}×" if other else "–" for other in others]
            lines.append(f"| H = {H}, {label} | {step[mine] * 1e6:.1f} | {' | '.join(cells)} |")
    return lines


def check_losses(timed: dict[str, Timed], seq_length: int) -> None:
    """Every contender's loss must be of the size of guessing or less: nobody has blown up or done nothing.

    That they take the same steps is tested over a few of them (`benchmarks/test_work.py`); over hundreds, training
    is chaotic and two right programs part.
    """
    losses = {name: t.first for name, t in timed.items() if not name.startswith("sgemm")}
    assert all(0 < loss < 1.5 * seq_length * math.log(VOCAB_SIZE) for loss in losses.values()), losses


def batched(repeats: int) -> list[str]:
    """Many streams: milliseconds a step and ratios, on one thread and on two, and the share of the sgemm peak."""
    lines = [
        "| batched step | threads | ms | PyTorch | JAX | JAX, gradient by hand | of sgemm 1024³ | 2 threads / 1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for H, K in ((128, 100), (256, 40), (512, 20)):
        lines += step_rows(Case(H, 50, 50, K), ("torch", "jax", "jax-by-hand"), repeats)
    return lines


def gated(repeats: int) -> list[str]:
    """The like of `batched` for LSTMs and a GRU."""
    lines = [
        "| gated batched step | threads | ms | PyTorch | JAX | of sgemm 1024³ | 2 threads / 1 |",
        "|---|---|---|---|---|---|---|",
    ]
    # enough steps a call that what a call makes ready (room for 20 to 60 MB of states and gates) does not count
    for cell, H, K in (("lstm", 128, 80), ("lstm", 256, 40), ("lstm", 512, 15), ("gru", 256, 50)):
        lines += step_rows(Case(H, 50, 50, K, cell=cell), ("torch", "jax"), repeats)
    return lines


def step_rows(case: Case, others: Sequence[str], repeats: int) -> list[str]:
    """Race one size on one and two threads, and time sgemm; return its two rows."""
    H, T, B = case.hidden_size, case.seq_length, case.batch_size
    arguments = [case.cell, *(str(v) for v in (1, H, T, B, case.steps))]
    runs = contenders("train", ["crnn", *others], arguments, [1, 2])
    label = f"{case.cell.upper()}, " * (not case.plain) + f"H = {H}, T = {T}, B = {B}"
    timed = race(runs + [Timed(f"sgemm/{n}", ("sgemm", str(n)), n) for n in (1, 2)], repeats)
    check_losses(timed, case.seq_length)
    rows = []
    for n in (1, 2):
        mine = f"crnn/{n}"
        peak = 2 * 1024**3 / min(timed[f"sgemm/{n}"].seconds)
        share = case.flops * case.steps / timed[mine].median / peak
        cells = [best_ratio(timed, name, n, mine) for name in others]
        gain = "" if n == 1 else ratio(timed, "crnn/1", mine)
        ms = timed[mine].median / case.steps * 1e3
        rows.append(f"| {label} | {n} | {ms:.2f} | {' | '.join(cells)} | {share:.0%} | {gain} |")
    return rows


def sampling(repeats: int) -> list[str]:
    """Characters per second of one stream and of 64."""
    lines = [
        "| sampling, one thread | µs a character | NumPy | PyTorch | JAX | 64 streams / 1 |",
        "|---|---|---|---|---|---|",
    ]
    for H in (100, 512):
        n = 160000 if H == 100 else 12000  # a tenth of a second for crnn: as long as a slow peer's turn
        runs = contenders("sample", ["crnn", "jax"], ["rnn", str(H), str(n), "1"], [1])
        runs += contenders("sample", ["numpy", "torch"], ["rnn", str(H), str(n // 16), "1"], [1])
        runs += [Timed("64", ("sample", "crnn", "rnn", str(H), str(n // 16), "64", "1"))]
        timed = race(runs, repeats)
        each = {name: t.median / t.value for name, t in timed.items()}
        mine = each["crnn/1"]
        cells = [f"{each[name] / mine:.1f}×" if name in each else "–" for name in ("numpy/1", "torch/1", "jax/1")]
        lines.append(f"| H = {H} | {mine * 1e6:.2f} | {' | '.join(cells)} | {mine / each['64']:.2f} |")
    return lines


def scoring(repeats: int) -> list[str]:
    """One MB of text, H = 256, cut in as many streams as crnn cuts it."""
    H, n, streams = "256", "1000000", "64"
    runs = contenders("score", ["crnn", "torch", "jax"], [H, n, streams], [1, 2])
    runs += contenders("score", ["crnn-exact"], [H, n, streams], [1])
    timed = race(runs, repeats)
    values = [t.value for t in timed.values()]
    assert max(values) / min(values) < 1.001, values
    lines = ["| scoring 1 MB, H = 256 | s | PyTorch | JAX | 2 threads / 1 |", "|---|---|---|---|---|"]
    for name, label in (("crnn/1", "64 streams, one thread"), ("crnn/2", "64 streams, two threads")):
        n_threads = name[-1]
        cells = [best_ratio(timed, peer, int(n_threads), name) for peer in ("torch", "jax")]
        gain = ratio(timed, "crnn/1", "crnn/2") if n_threads == "2" else ""
        lines.append(f"| {label} | {timed[name].median:.2f} | {' | '.join(cells)} | {gain} |")
    lines.append(f"| exact: one state through the whole text | {timed['crnn-exact/1'].median:.2f} | | | |")
    return lines


SECTIONS = {
    "online": online,
    "batched": batched,
    "gated": gated,
    "sampling": sampling,
    "scoring": scoring,
}


def main() -> None:
    """Run the sections, print them, and put them into a file if asked to."""
    parser = argparse.ArgumentParser(description="Measure speed compared with the peers and print the tables.")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="run this section only (may be repeated)")
    parser.add_argument("--repeats", type=int, default=7, help="interleaved repeats of every contender (default: 7)")
    parser.add_argument(
        "--update", type=Path, nargs="?", const=PERFORMANCE, metavar="FILE",
        help="replace the tables in this file (default: docs/performance.md)",
    )  # fmt: skip
    options = parser.parse_args()
    if options.update and options.only:
        parser.error("--update replaces all tables: leave out --only")
    if options.update:
        check_markers(options.update, BEGIN, END)
    lines = machine()
    print("\n".join(lines), flush=True)
    for name in options.only or SECTIONS:
        section = ["", *SECTIONS[name](options.repeats)]
        print("\n".join(section), flush=True)
        lines += section
    if options.update:
        replace_between(options.update, BEGIN, END, lines)


if __name__ == "__main__":
    main()
