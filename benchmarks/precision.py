"""What do products in bfloat16 gain? `python -m benchmarks.precision [--repeats 7]`.

Two tables: a training step, and one sampled stream. Every time is a median over repeats in which the contenders, each a
process on one core, take turns. crnn runs on every instruction set that this machine has for bfloat16. PyTorch, by
itself and with autocast, is left out with a message where it is not installed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from benchmarks.machine import machine
from benchmarks.report import Timed, present, race
from crnn import _kernels

STEPS = (("lstm", 256, 40), ("lstm", 512, 15), ("gru", 256, 50))  # cell, hidden units, steps of a turn
SAMPLES = (("lstm", 512, 10_000), ("rnn", 512, 20_000))  # cell, hidden units, characters of a turn


def contenders(kind: str, arguments: Sequence[str], *, peers: bool) -> list[Timed]:
    """Return crnn in float32, crnn in bfloat16 on each instruction set, and PyTorch."""
    runs = [Timed("crnn, float32", (kind, "crnn", *arguments), pinned=True)]
    for name in _kernels.available("bfloat16"):
        environment = {**os.environ, "CRNN_ISA": name}
        work = (kind, "crnn-bfloat16", *arguments)
        runs.append(Timed(f"crnn, bfloat16, {name}", work, pinned=True, environment=environment))
    for name in present("torch", "torch-bfloat16") if peers else []:
        label = "PyTorch, autocast to bfloat16" if "bfloat16" in name else "PyTorch, float32"
        runs.append(Timed(label, (kind, name, *arguments), pinned=True))
    return runs


def table(columns: dict[str, dict[str, float]], unit: str) -> list[str]:
    """Return rows of contenders: each one's time, and how many times faster than crnn's float32 it is."""
    names = list(next(iter(columns.values())))
    lines = [f"| {unit}, one thread | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for name in names:
        cells = [f"{times[name]:.2f} ({times[names[0]] / times[name]:.2f}×)" for times in columns.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def training(repeats: int) -> list[str]:
    """Milliseconds of a step, T = B = 50."""
    columns = {}
    for cell, H, K in STEPS:
        arguments = [cell, "1", str(H), "50", "50", str(K), "1"]
        timed = race(contenders("train", arguments, peers=True), repeats)
        losses = [run.first for run in timed.values()]
        assert max(losses) < 1.05 * min(losses), losses
        columns[f"{cell.upper()}, H = {H}"] = {name: 1e3 * run.median / K for name, run in timed.items()}
    return table(columns, "a training step, ms")


def sampling(repeats: int) -> list[str]:
    """Microseconds of a character of one sampled stream."""
    columns = {}
    for cell, H, n in SAMPLES:
        timed = race(contenders("sample", [cell, str(H), str(n), "1", "1"], peers=False), repeats)
        columns[f"{cell.upper()}, H = {H}"] = {name: 1e6 * run.median / n for name, run in timed.items()}
    return table(columns, "a sampled character, µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    lines = [*machine(), f"Products in bfloat16: {', '.join(_kernels.available('bfloat16'))}."]
    print("\n".join(lines), flush=True)
    for section in (training, sampling):
        print("\n".join(["", *section(arguments.repeats)]), flush=True)


if __name__ == "__main__":
    main()
