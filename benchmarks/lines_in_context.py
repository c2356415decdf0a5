"""Does a state per host find lines in the wrong order? `python -m benchmarks.lines_in_context [--steps 1500]`.

Hosts write lines of sessions: one opens, reads and writes, and closes; a disk is mounted before it is checked. In new
logs, one line in a hundred is in the wrong place, such as a write after the close: each line alone is usual, and only
the order shows the anomaly. A GRU learns the clean logs of many hosts as documents. Every line is then judged by
itself (`score_samples`), and in context: each host has a session of `TextStates`, and is fed the host's lines as they
arrive, and the log-probability of the line counts. Printed are the recall at 1 % and 0.1 % of false
alarms and the AUC.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import machine
from crnn import CharNGram, CharRNN

USERS = ("anna", "bob", "eve", "root")
STEPS = {"out": ("open", "mount"), "in": ("read", "write", "close"), "disk": ("check", "unmount")}
NEXT = {"open": "in", "read": "in", "write": "in", "close": "out", "mount": "disk", "check": "disk", "unmount": "out"}
LINES_OF_HOST = 60


def host_log(rng: random.Random, anomalies: float) -> list[tuple[str, bool]]:
    """Return a host's lines, each with whether it is in the wrong place."""
    lines: list[tuple[str, bool]] = []
    place = "out"
    while len(lines) < LINES_OF_HOST:
        wrong = rng.random() < anomalies
        words = [word for name, of_place in STEPS.items() if (name != place) == wrong for word in of_place]
        word = rng.choice(words)
        lines.append((f"{word} {rng.choice(USERS)}\n", wrong))
        if not wrong:
            place = NEXT[word]
    return lines


def recall(usual: NDArray[Any], odd: NDArray[Any], rate: float) -> float:
    """Return the share of anomalies below the threshold that flags this share of the usual lines."""
    return float(np.mean(odd < np.quantile(usual, rate)))


def auc(usual: NDArray[Any], odd: NDArray[Any]) -> float:
    """Return the probability that a usual line has a higher score than an anomaly; equal scores count half."""
    ranks = np.searchsorted(np.sort(usual), odd, side="left") + np.searchsorted(np.sort(usual), odd, side="right")
    return 1 - float(np.mean(ranks)) / (2 * len(usual))


def in_context(model: CharRNN | CharNGram, logs: list[list[tuple[str, bool]]]) -> list[NDArray[np.float64]]:
    """Return the scores (hosts,) of each round of lines, one from every host, read in the hosts' sessions."""
    states, found = model.start([""] * len(logs)), []
    for k in range(LINES_OF_HOST):
        found.append(states.feed([log[k][0] for log in logs]))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1500, help="of training")
    parser.add_argument("--hosts", type=int, default=500, help="whose logs are judged")
    given = parser.parse_args(arguments)
    rng = random.Random(0)
    clean = ["".join(line for line, _ in host_log(rng, 0)) for _ in range(1000)]
    options: dict[str, Any] = {"cell": "gru", "batch_size": 32, "seq_length": 100, "optimizer": "adam"}
    model = CharRNN(64, **options, learning_rate=3e-3, max_steps=given.steps, random_state=0).fit(clean)
    logs = [host_log(rng, 0.01) for _ in range(given.hosts)]
    wrong = np.array([[log[k][1] for log in logs] for k in range(LINES_OF_HOST)]).ravel()
    alone = model.score_samples([log[k][0] for k in range(LINES_OF_HOST) for log in logs])
    together = np.concatenate(in_context(model, logs))
    print(*machine(), sep="\n")
    print(f"{len(wrong):,} lines of {given.hosts} hosts, {wrong.sum():,} of them in the wrong place")
    print("| | recall at 1 % | at 0.1 % | AUC |\n|---|---|---|---|")
    for name, scores in (("each line alone", alone), ("a state per host", together)):
        parts = scores[~wrong], scores[wrong]
        print(f"| {name} | {recall(*parts, 0.01):.3f} | {recall(*parts, 0.001):.3f} | {auc(*parts):.3f} |")


if __name__ == "__main__":
    main()
