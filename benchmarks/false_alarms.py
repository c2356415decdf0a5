"""How often `rate_interval_` holds the true false-positive rate: `python -m benchmarks.false_alarms`.

For each kind of text and each seed, a detector learns 1,000 texts and judges 8,000 others of the same kind. The
interval should contain the share flagged in at least 93 of 100 detectors: it is an interval of 95 %, and the share of
8,000 texts is not quite the true rate. `crnn.AnomalyDetector.rate_interval_` quotes this table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from benchmarks import domain_names, log_lines
from benchmarks.machine import machine
from benchmarks.pages import print_tables
from crnn import AnomalyDetector

N_TEXTS = 1000
N_JUDGED = 8000
SYLLABLES = ("ka", "no", "mi", "ru", "te", "sol", "va", "en", "dis", "qu")

Make = Callable[[np.random.Generator, int], list[str]]


class Kind(NamedTuple):
    """A kind of text, and the rate at which it is judged."""

    make: Make
    contamination: float


class Covered(NamedTuple):
    """The rates of several detectors."""

    inside: float  # the share of the detectors whose interval contains the rate
    rate: float  # the mean rate, relative to the contamination
    width: float  # the mean ratio of the interval's ends


def chinese_names(rng: np.random.Generator, n: int) -> list[str]:
    """Return names of one to five characters, some of which are very frequent: many names are equal."""
    ranks = [np.minimum(rng.zipf(1.2, rng.integers(1, 6)), 20_000) for _ in range(n)]
    return ["".join(chr(0x4E00 + rank) for rank in name.tolist()) for name in ranks]


def masked_lines(rng: np.random.Generator, n: int) -> list[str]:
    """Return log lines whose numbers are masked."""
    return [log_lines.masked(line) for line in islice(log_lines.usual_lines(int(rng.integers(9000))), n)]


def random_letters(rng: np.random.Generator, n: int) -> list[str]:
    """Return words of three to eight random letters."""
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    return ["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(n)]


def names(rng: np.random.Generator, n: int) -> list[str]:
    """Return names of domains."""
    return [*islice(domain_names.ordinary_names(int(rng.integers(9000))), n)]


def repeated_words(rng: np.random.Generator, n: int) -> list[str]:
    """Return words, four in five of which are one of a hundred."""
    frequent = ["".join(word) for word in np.random.default_rng(99).choice(SYLLABLES, (100, 3))]
    found = []
    for often in (rng.random(n) < 0.8).tolist():
        rank = int(len(frequent) ** rng.random()) - 1
        found.append(frequent[rank] if often else "".join(rng.choice(SYLLABLES, 5)))
    return found


KINDS = {
    "names in Chinese characters": Kind(chinese_names, 0.1),
    "log lines": Kind(masked_lines, 0.02),
    "random letters": Kind(random_letters, 0.05),
    "names of domains": Kind(names, 0.05),
    "repeated words": Kind(repeated_words, 0.05),
}


def coverage(kind: Kind, n_seeds: int, n_judged: int = N_JUDGED) -> Covered:
    """Return how often the interval contains the rate."""
    inside, rates, widths = list[bool](), list[float](), list[float]()
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        detector = AnomalyDetector(contamination=kind.contamination, random_state=seed).fit(kind.make(rng, N_TEXTS))
        low, high = detector.rate_interval_
        rate = float(np.mean(detector.predict(kind.make(rng, n_judged)) == -1))
        inside.append(low <= rate <= high)
        rates.append(rate)
        widths.append(high / low)
    return Covered(float(np.mean(inside)), float(np.mean(rates)) / kind.contamination, float(np.mean(widths)))


def table(n_seeds: int) -> Iterator[str]:
    """Yield the table."""
    yield f"| {n_seeds} detectors of each kind | contamination | inside | mean rate / contamination | high / low |"
    yield "|---" * 5 + "|"
    for name, kind in KINDS.items():
        found = coverage(kind, n_seeds)
        numbers = f"{found.inside:.2f} | {found.rate:.2f} | {found.width:.1f}"
        yield f"| {name} | {kind.contamination} | {numbers} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=17)
    print("\n".join(machine()), flush=True)
    print_tables([table(parser.parse_args().seeds)])


if __name__ == "__main__":
    main()
