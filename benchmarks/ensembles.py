"""How much better are ensembles of 2, 4 and 8 seeds? `python -m benchmarks.ensembles [FILE] [--steps 3000]`.

Models that differ in their seeds alone learn the first nine tenths of FILE, by default the text of `crnn demo`. Printed
are the bits per character of the last tenth: the mean of the models, the ensembles of the first 2, 4 and 8, and one
model of about as many weights as 4 of them that has learned for 4 times as many steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from crnn import CharRNN, Ensemble
from crnn.cli import demo

OPTIONS = {"cell": "gru", "seq_length": 50, "batch_size": 32, "optimizer": "adam", "schedule": "cosine"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--hidden-size", type=int, default=96)
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    text = demo.text() if arguments.file is None else arguments.file.read_text(encoding="utf-8")
    cut = len(text) * 9 // 10
    known, held_out = text[:cut], text[cut:]
    held_out = "".join(symbol for symbol in held_out if symbol in set(known))
    start, options = time.perf_counter(), OPTIONS | {"max_steps": arguments.steps}
    models = [
        CharRNN(arguments.hidden_size, random_state=seed, **options).fit(known) for seed in range(arguments.seeds)
    ]
    bits = [model.bits_per_char(held_out, exact=False) for model in models]
    print(f"{len(text):,} characters, {arguments.seeds} models, {time.perf_counter() - start:.0f} s")
    print(f"| | bits per character |\n|---|---|\n| one model, mean of {len(bits)} | {np.mean(bits):.4f} |")
    print(f"| the best of {len(bits)} models | {min(bits):.4f} |")
    for k in (2, 4, 8):
        if k <= len(models):
            print(f"| ensemble of {k} | {Ensemble(models[:k]).bits_per_char(held_out, exact=False):.4f} |", flush=True)
    large = CharRNN(2 * arguments.hidden_size, random_state=0, **(options | {"max_steps": 4 * arguments.steps}))
    of_large = large.fit(known).bits_per_char(held_out, exact=False)
    print(f"| one model, twice as wide, 4 times the steps | {of_large:.4f} |")


if __name__ == "__main__":
    main()
