"""How much faster is one text on two cores? `python -m benchmarks.shared_stream [--repeats 7] [--characters 5000]`.

Microseconds a character of sampling and of exact scoring, with one thread, with two, and with the default. They take
turns, each row in this process, and the medians of all turns are compared. The texts and scores must be the same.
`--busy-loops 2` runs two other programs on the cores meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.busy import busy_loops
from benchmarks.report import machine
from crnn import CharRNN

NETWORKS = (("lstm", 256, 1), ("lstm", 512, 1), ("gru", 512, 1), ("rnn", 1024, 1), ("lstm", 384, 2))  # cell, H, layers
PRECISIONS = ("float32", "bfloat16")
THREADS = (1, 2, None)


def seconds(model: Any, text: str, n_threads: int | None) -> tuple[tuple[float, float], tuple[str, float]]:
    """Return how long sampling and scoring take, and what they give."""
    model.set_params(n_threads=n_threads)
    start = time.perf_counter()
    drawn = model.sample(len(text), random_state=1)
    middle = time.perf_counter()
    score = model.score(text)
    return (middle - start, time.perf_counter() - middle), (drawn, score)


def row(network: tuple[str, int, int], precision: str, characters: int, repeats: int) -> str:
    """Return the row of a network, as text of a table."""
    text = "".join(map(chr, np.random.default_rng(0).integers(33, 98, characters)))
    cell, hidden_size, num_layers = network
    options: dict[str, Any] = {"cell": cell, "num_layers": num_layers, "matmul_precision": precision}
    model = CharRNN(hidden_size, batch_size=4, max_steps=1, n_threads=1, random_state=0, **options).fit(text)
    times: dict[int | None, list[tuple[float, float]]] = {n: [] for n in THREADS}
    answers = set()
    for _ in range(repeats):
        for n in THREADS:
            taken, answer = seconds(model, text, n)
            times[n].append(taken)
            answers.add(answer)
    assert len(answers) == 1, "the threads change what is computed"
    cells = []
    for of_call in range(2):
        medians = [float(np.median([taken[of_call] for taken in times[n]])) for n in THREADS]
        cells += [f"{1e6 * medians[0] / characters:.2f}", *(f"{medians[0] / other:.2f}×" for other in medians[1:])]
    layers = f"{num_layers} layers, " if num_layers > 1 else ""
    return f"| {cell.upper()}, {layers}H = {hidden_size}, {precision} | {' | '.join(cells)} |"


def table(networks: Sequence[tuple[str, int, int]], characters: int, repeats: int) -> list[str]:
    """Return the table."""
    lines = ["| one text | sampling, µs | two threads | default | exact score, µs | two threads | default |"]
    lines.append("|---|---|---|---|---|---|---|")
    for network in networks:
        lines += [row(network, precision, characters, repeats) for precision in PRECISIONS]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--characters", type=int, default=5000)
    parser.add_argument("--busy-loops", type=int, default=0)
    arguments = parser.parse_args()
    with busy_loops(arguments.busy_loops):
        lines = table(NETWORKS, arguments.characters, arguments.repeats)
    print("\n".join([*machine(), "", *lines]))


if __name__ == "__main__":
    main()
