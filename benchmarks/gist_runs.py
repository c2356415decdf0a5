"""How do whole runs of min-char-rnn end? `python -m benchmarks.gist_runs FILE [--networks 60]`.

Three answers for a text, with the gist's settings. Losses are in nats per chunk of 25 characters.

1. The mean loss of each epoch, and the seconds that an epoch takes.
2. How far two correct programs, `MinCharRNN` and `CharRNN` in float64, end apart: from the same initial weights, and
   from the same state after 3,000 steps. Printed is the difference of their smoothed losses after each epoch.
3. How many networks of 20,000 steps need at least 15 nats more for the beginning of the text when they start from a
   state of zeros, with and without `state_reset`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from crnn import CharRNN
from crnn.classic import MinCharRNN

T = 25
SETTLED = 3_000  # steps
STEPS = 20_000  # of a network whose start from zeros is tried
FAR = 15.0  # nats per chunk
BEGINNING = 20_000  # characters


def losses_by_epoch(text: str, epochs: int) -> list[tuple[float, float]]:
    """Return the mean loss per chunk and the seconds of each epoch, in float32 on one thread."""
    model = CharRNN(random_state=0, n_threads=1, epochs=1)
    found = []
    for _ in range(epochs):
        start = time.perf_counter()
        before = len(model.history_) if found else 0
        model.partial_fit(text)
        losses = [record["train_loss"] for record in model.history_[before:]]
        found.append((T * float(np.mean(losses)), time.perf_counter() - start))
    return found


def drift(text: str, seed: int, settled: int, epochs: int) -> list[float]:
    """Return the difference of two programs' smoothed losses after each epoch, from the same state."""
    other = CharRNN(dtype="float64", max_steps=settled, n_threads=1, random_state=seed).fit(text)
    with other.editing():
        other.state_[...] = 0  # where the gist starts
    gist = MinCharRNN.from_char_rnn(other)
    steps = (len(text) - 1) // T
    found = []
    for _ in range(epochs):
        gist.train(text, steps)
        other.set_params(max_steps=steps).partial_fit(text)
        found.append(gist.smooth_loss - other.smooth_loss_)
    return found


def far_from_zeros(text: str, networks: int, state_reset: float, steps: int = STEPS) -> int:
    """Return how many networks need many more nats for the beginning of the text from a state of zeros."""
    far = 0
    for seed in range(networks):
        model = CharRNN(max_steps=steps, state_reset=state_reset, n_threads=1, random_state=seed).fit(text)
        far += -model.score(text[:BEGINNING]) * T - model.smooth_loss_ >= FAR
    return far


def main() -> None:
    """Print the three answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--epochs", type=int, default=14, help="of the first answer (default: 14)")
    parser.add_argument("--seeds", type=int, default=3, help="of the second answer (default: 3)")
    parser.add_argument("--networks", type=int, default=60, help="of the third answer (default: 60)")
    options = parser.parse_args()
    text = options.file.read_text(encoding="utf-8")
    print(*machine(), f"{options.file.name}, {len(text):,} characters\n", sep="\n")
    print("| epoch | nats per chunk | nats per character | seconds |\n|---|---|---|---|")
    for epoch, (loss, seconds) in enumerate(losses_by_epoch(text, options.epochs), 1):
        print(f"| {epoch} | {loss:.1f} | {loss / T:.2f} | {seconds:.1f} |", flush=True)
    print()
    for settled in (0, SETTLED):
        for seed in range(options.seeds):
            apart = ", ".join(f"{each:+.3f}" for each in drift(text, seed, settled, 4))
            print(f"seed {seed}, the same state after {settled:,} steps; then after each epoch: {apart}", flush=True)
    print()
    for state_reset in (0.0, 0.05):
        far = far_from_zeros(text, options.networks, state_reset)
        print(f"state_reset={state_reset}: {far} of {options.networks} networks are far from zeros", flush=True)


if __name__ == "__main__":
    main()
