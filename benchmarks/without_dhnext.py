"""Does min-char-rnn need `dhnext`? `python -m benchmarks.without_dhnext input.txt [--steps 44000] [--seeds 3]`.

The gist is trained in NumPy on the first nine tenths of a text, with and without the gradient that comes back from the
next step, at its own learning rate and at a lower one. Printed are nats per chunk of 25 characters: the smoothed
training loss, and the loss of the last tenth. Each of the runs takes a minute.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.peers.numpy_rnn import hoisted_gradients
from benchmarks.quality import split
from crnn.classic import MinCharRNN

RATES = (0.1, 0.03)
T = 25


def train(text: str, steps: int, rate: float, seed: int, carries: bool) -> MinCharRNN:
    """Return a model trained in NumPy, with the gist's smoothed loss."""
    model = MinCharRNN(learning_rate=rate, seq_length=T, random_state=seed).train(text, 0)
    ids = np.searchsorted(model.chars, list(text))
    W = {name: array.reshape(len(array), -1).copy() for name, array in model.params.items()}
    memory = {name: np.zeros_like(array) for name, array in W.items()}
    h = np.zeros(model.hidden_size)
    smooth = T * np.log(len(model.chars))
    place = 0
    for _ in range(steps):
        if place + T + 1 >= len(ids):
            place = 0
            h = np.zeros_like(h)
        chunk = ids[place : place + T + 1]
        loss, states, found = hoisted_gradients(W, h, chunk[:-1], chunk[1:], carries=carries)
        h = states[:, -1]
        smooth = 0.999 * smooth + 0.001 * loss
        for name, gradient in found.items():
            d = np.clip(gradient, -5, 5)
            memory[name] += d * d
            W[name] -= rate * d / np.sqrt(memory[name] + 1e-8)
        place += T
    for name, array in model.params.items():
        array[...] = W[name].reshape(array.shape)
    model.smooth_loss = float(smooth)
    return model


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--steps", type=int, default=44_000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    head, tail = split(options.text.read_text(encoding="utf-8"))
    print(*machine(), "", "| rate | `dhnext` | seed | training | held out |", "|---" * 5 + "|", sep="\n")
    for rate, carries, seed in product(RATES, (True, False), range(options.seeds)):
        model = train(head, options.steps, rate, seed, carries)
        kind = "whole" if carries else "cut"
        print(f"| {rate} | {kind} | {seed} | {model.smooth_loss:.1f} | {T * model.loss(tail):.1f} |", flush=True)


if __name__ == "__main__":
    main()
