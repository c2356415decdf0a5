"""How much better are 2, 4 and 8 seeds together? `python -m benchmarks.ensembles [FILE] [--steps 5000] [--no-wide]`.

Models that differ only in their seeds train on the first nine tenths of FILE (default: the text of `crnn demo`). The
command prints bits per character on the last tenth for each model; their mean; the first 2, 4 and 8 models with their
probabilities averaged, and with their probabilities multiplied (a `Mixture`); and one model of twice the width, after
the same number of steps (the operations of four models) and after twice that number. A busy machine changes only the
time.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from crnn import CharRNN, Mixture
from crnn.cli import demo

OPTIONS = {
    "cell": "lstm", "seq_length": 24, "batch_size": 16, "optimizer": "adam", "beta_2": 0.99, "weight_decay": 0.02,
    "learning_rate": 0.03, "schedule": "cosine", "warmup": 0.02, "clip": None, "clip_norm": 1.0, "init_scale": 0.2,
}  # fmt: skip
SIZES = (2, 4, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--no-wide", action="store_true", help="leave out the models that are twice as wide")
    arguments = parser.parse_args()
    text = demo.text() if arguments.file is None else arguments.file.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    known, symbols = text[:cut], set(text[:cut])
    held_out = "".join(symbol for symbol in text[cut:] if symbol in symbols)

    def trained(seed: int, width: int, steps: int, **more: float) -> CharRNN:
        hidden_size = width * arguments.hidden_size
        options = {**OPTIONS, "max_steps": steps, "random_state": seed, **more}
        return CharRNN(hidden_size, **options).fit(known)

    def bits(model: CharRNN | Mixture) -> float:
        return float(model.bits_per_char(held_out, exact=False))

    print(f"An LSTM of {arguments.hidden_size} units, {arguments.steps:,} steps, {len(text):,} characters", flush=True)
    models, alone = [], []
    for seed in range(arguments.seeds):
        models.append(trained(seed, 1, arguments.steps))
        alone.append(bits(models[-1]))
        print(f"seed {seed}: {alone[-1]:.4f}", flush=True)
    spread = f" ± {stdev(alone):.4f}" if len(alone) > 1 else ""
    print("\n| | bits per character |\n|---|---|")
    print(f"| one model, mean of {len(alone)} | {mean(alone):.4f}{spread} |", flush=True)
    for k in SIZES:
        if k <= len(models):
            log_p = [-model.surprisal(held_out) for model in models[:k]]
            mean_p = np.logaddexp.reduce(log_p, axis=0) - math.log(k)
            print(f"| mean of {k} models' probabilities | {-mean_p.mean() / math.log(2):.4f} |")
            print(f"| mixture of {k} models | {bits(Mixture(models[:k])):.4f} |", flush=True)
    for times in () if arguments.no_wide else (1, 2):
        wide = bits(trained(0, 2, times * arguments.steps, learning_rate=0.025, init_scale=0.1))
        steps = f"{times * arguments.steps:,} steps"
        print(f"| one model, twice as wide, {steps}, operations of {4 * times} models | {wide:.4f} |", flush=True)


if __name__ == "__main__":
    main()
