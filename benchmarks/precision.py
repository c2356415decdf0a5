"""What do products in bfloat16 gain, and cost? `python -m benchmarks.precision [FILE] [--repeats 7] [--steps 2000]`.

Three tables: a training step, one sampled stream, and the loss of held-out text while models of three seeds learn FILE
(by default the text of `crnn demo`) with products in float32 and in bfloat16. Every time is a median over repeats in
which the contenders, each a process on one core, take turns. crnn runs on every instruction set that this machine has
for bfloat16. PyTorch, by itself and with autocast, is left out with a message where it is not installed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import Timed, machine, present, race
from crnn import CharRNN, _kernels
from crnn.cli import demo

STEPS = (("lstm", 256, 40), ("lstm", 512, 15), ("gru", 256, 50))  # cell, hidden units, steps of a turn
SAMPLES = (("lstm", 512, 10_000), ("rnn", 512, 20_000))  # cell, hidden units, characters of a turn
SEEDS = 3
MODEL: dict[str, Any] = {
    "cell": "lstm", "seq_length": 24, "batch_size": 16, "optimizer": "adam", "beta_2": 0.99, "weight_decay": 0.02,
    "learning_rate": 0.03, "schedule": "cosine", "warmup": 0.02, "clip": None, "clip_norm": 1.0, "init_scale": 0.1,
}  # fmt: skip  # of the loss curves: as `CharRNN.recommended` trains


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
        timed = race(contenders("train_stacked", arguments, peers=True), repeats)
        losses = [run.first for run in timed.values()]
        assert max(losses) < 1.05 * min(losses), losses
        columns[f"{cell.upper()}, H = {H}"] = {name: 1e3 * run.median / K for name, run in timed.items()}
    return table(columns, "a training step, ms")


def sampling(repeats: int) -> list[str]:
    """Microseconds of a character of one sampled stream."""
    columns = {}
    for cell, H, n in SAMPLES:
        timed = race(contenders("sample_stacked", [cell, str(H), str(n)], peers=False), repeats)
        columns[f"{cell.upper()}, H = {H}"] = {name: 1e6 * run.median / n for name, run in timed.items()}
    return table(columns, "a sampled character, µs")


def losses(text: str, precision: str, seed: int, hidden_size: int, steps: int) -> NDArray[np.float64]:
    """Return the validation losses at ten points of a training run, in nats per character."""
    model = CharRNN(
        hidden_size, max_steps=steps, eval_every=max(1, steps // 10), validation_fraction=0.1, restore_best=False,
        matmul_precision=precision, random_state=seed, **MODEL,
    ).fit(text)  # fmt: skip
    return np.array([record["validation_loss"] for record in model.history_ if record["validation_loss"] is not None])


def curves(text: str, hidden_size: int, steps: int) -> list[str]:
    """Validation losses over the same steps, means over seeds; and how far a seed's two losses are apart."""
    found = {}
    for precision in ("float32", "bfloat16"):
        found[precision] = np.stack([losses(text, precision, seed, hidden_size, steps) for seed in range(SEEDS)])
    means = {precision: of_seeds.mean(axis=0) for precision, of_seeds in found.items()}
    between_seeds = found["float32"].std(axis=0, ddof=1)
    lines = [f"| step of {steps}, LSTM, H = {hidden_size} | float32 | bfloat16 | difference | between seeds |"]
    lines.append("|---|---|---|---|---|")
    at = np.linspace(0, steps, len(between_seeds) + 1)[1:].round().astype(int)
    for step, single, half, spread in zip(at, *means.values(), between_seeds, strict=True):
        lines.append(f"| {step} | {single:.4f} | {half:.4f} | {half - single:+.4f} | {spread:.4f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2000, help="of the loss curves; 0: none")
    parser.add_argument("--hidden-size", type=int, default=256)
    arguments = parser.parse_args()
    lines = [*machine(), f"Products in bfloat16: {', '.join(_kernels.available('bfloat16'))}."]
    print("\n".join(lines), flush=True)
    for section in (training, sampling):
        print("\n".join(["", *section(arguments.repeats)]), flush=True)
    if arguments.steps:
        text = demo.text() if arguments.file is None else arguments.file.read_text(encoding="utf-8")
        print("\n".join(["", *curves(text, arguments.hidden_size, arguments.steps)]), flush=True)


if __name__ == "__main__":
    main()
