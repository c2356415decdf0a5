"""What do bigrams cost? `python -m benchmarks.bigrams FILE [--n-bigrams 512 1024] [--repeats 15]`.

A training step of CharRNN(cell="cifg") on 16 streams of 24 characters, as `CharRNN.recommended` has it, with and
without `n_bigrams`, one thread; and scoring and sampling of 200 texts side by side. The models take turns, and the
medians of the processor's time count. What bigrams gain is said by `benchmarks.recipes --n-bigrams`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import CORE, machine
from crnn import CharRNN

SIZES = (128, 256, 384)  # units
T, B = 24, 16
STEPS = 60  # of a turn
TEXTS, LENGTH = 200, 50
OPTIONS = {"cell": "cifg", "optimizer": "adam", "clip": None, "clip_norm": 1.0, "beta_2": 0.99, "weight_decay": 0.02}


def models(text: str, hidden_size: int, counts: Sequence[int], precision: str) -> list[CharRNN]:
    """Return a model without bigrams and one for each count, all slightly trained."""
    given: dict[str, Any] = {**OPTIONS, "matmul_precision": precision, "n_threads": 1, "random_state": 0}
    return [
        CharRNN(hidden_size, n_bigrams=n, seq_length=T, batch_size=B, max_steps=STEPS, learning_rate=0.01, **given)
        .fit(text)
        for n in (None, *counts)
    ]  # fmt: skip


def turns(text: str) -> dict[str, Callable[[CharRNN], object]]:
    """By name: what is timed."""
    part, texts = text[: B * (STEPS * T + 1) + 1], [text[i * LENGTH : (i + 1) * LENGTH] for i in range(TEXTS)]
    return {
        "training": lambda model: model.partial_fit(part),
        "scoring": lambda model: model.score_samples(texts),
        "sampling": lambda model: model.sample(LENGTH, num_samples=TEXTS, random_state=0),
    }


def seconds(fitted: Sequence[CharRNN], turn: Callable[[CharRNN], object], repeats: int) -> list[float]:
    """Return the median of the processor's time for each of the models."""
    spent: list[list[float]] = [[] for _ in fitted]
    for _ in range(1 + repeats):
        for model, times in zip(fitted, spent, strict=True):
            start = time.process_time()
            turn(model)
            times.append(time.process_time() - start)
    return [statistics.median(times[1:]) for times in spent]


def table(text: str, counts: Sequence[int], precision: str, repeats: int) -> Iterable[str]:
    """A row for each size and count: weights, and the factors of the time without bigrams."""
    yield "| units | `n_bigrams` | weights | training step, ms | training | scoring | sampling |"
    yield "|---|---|---|---|---|---|---|"
    for H in SIZES:
        fitted = models(text, H, counts, precision)
        found = {name: seconds(fitted, turn, repeats) for name, turn in turns(text).items()}
        for i, model in enumerate(fitted):
            weights = sum(array.size for array in model.params_.values())
            factors = " | ".join(f"{times[i] / times[0]:.2f}×" for times in found.values())
            step = 1000 * found["training"][i] / STEPS
            yield f"| {H} | {model.n_bigrams or 'none'} | {weights:,} | {step:.2f} | {factors} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a UTF-8 file")
    parser.add_argument("--n-bigrams", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--matmul-precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    if CORE is not None:
        os.sched_setaffinity(0, {CORE})
    text = options.text.read_bytes().decode("utf-8")
    lines = table(text, options.n_bigrams, options.matmul_precision, options.repeats)
    print("\n".join([*machine(), "", *lines]))


if __name__ == "__main__":
    main()
