"""Which real malware domains are found? `python -m benchmarks.dga_families FAMILIES.csv [--top TOP.csv]`.

FAMILIES.csv has lines "dga,family,domain", such as the 25 families of github.com/chrmor/DGA_domains_dataset (also its
sample), and lines "legit,alexa,domain". TOP.csv has lines "rank,domain" of the most visited domains, which take the
place of the legitimate ones. Of each domain, the part before the last dot is used. Three fifths of the ordinary domains
are learned; the others set the thresholds. The classifier also learns the
generated names of all families but one, in turn, or half of each family. Recalls are means over the families.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from crnn import AnomalyDetector, CharNGram, TextClassifier

RATES = (1e-2, 1e-3, 1e-4)
Score = Callable[[list[str]], NDArray[np.float64]]


def name_of(domain: str) -> str:
    """Return a domain without its last part.

    Examples
    --------
    >>> name_of("www.example.org")
    'www.example'
    """
    return domain.rpartition(".")[0] or domain


def classifier(good: list[str], bad: list[str]) -> Score:
    """Return the log odds of being ordinary, from counts of both kinds of names."""
    model = TextClassifier(CharNGram(order=5, min_count=2), class_weight="balanced")
    model.fit(good + bad, [True] * len(good) + [False] * len(bad))
    return lambda names: np.diff(model.predict_log_proba(names), axis=1)[:, 0]


def recalls(score: Score, clean: list[str], found: list[str]) -> list[float]:
    """Return the share of names found at each rate of false alarms among clean names."""
    ordinary, generated = np.sort(score(clean)), score(found)
    return [float(np.mean(generated < ordinary[int(rate * len(ordinary))])) for rate in RATES]


def read(path: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Return the ordinary names of a file with lines "kind,family,domain", and the generated ones of each family."""
    ordinary = []
    families: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").split():
        kind, family, domain = line.split(",")
        if kind == "dga":
            families.setdefault(family, []).append(name_of(domain))
        else:
            ordinary.append(name_of(domain))
    return ordinary, families


def main() -> None:
    """Print a table of recalls, and the speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", type=Path)
    parser.add_argument("--top", type=Path, metavar="TOP.csv")
    options = parser.parse_args()
    ordinary, families = read(options.families)
    if options.top:
        lines = options.top.read_text(encoding="utf-8").split()
        ordinary = [name_of(line.partition(",")[2]) for line in lines]
    names = np.random.default_rng(0).permutation(list(dict.fromkeys(ordinary))).tolist()
    n = len(names) * 3 // 5
    known, clean = names[:n], names[n:]
    start = time.process_time()
    detector = AnomalyDetector(contamination=0.01, random_state=0).fit(known)
    fitted = time.process_time() - start
    start = time.process_time()
    detector.decision_function(clean)
    speed = len(clean) / (time.process_time() - start)
    print(*machine(), "", sep="\n")
    print(f"{len(known):,} names learned in {fitted:.1f} s, {len(clean):,} scored, {speed:,.0f} a second\n")
    halves = [name for found in families.values() for name in found[::2]]
    seen = classifier(known, halves)
    columns: dict[str, dict[str, list[float]]] = {"detector": {}, "classifier": {}, "without this family": {}}
    for family, found in families.items():
        others = [name for other, some in families.items() if other != family for name in some]
        columns["detector"][family] = recalls(detector.decision_function, clean, found)
        columns["classifier"][family] = recalls(seen, clean, found[1::2])
        columns["without this family"][family] = recalls(classifier(known, others), clean, found)
    print(f"| | {' | '.join(f'1 in {1 / rate:,.0f}' for rate in RATES)} |")
    print("|---" * (1 + len(RATES)) + "|")
    for name, recall in columns.items():
        mean = np.mean(list(recall.values()), axis=0)
        print(f"| {name} | {' | '.join(f'{share:.2f}' for share in mean)} |")
    print("\n| family, 1 in 100 | detector | classifier | without this family |\n|---|---|---|---|")
    for family in families:
        print(f"| {family} | {' | '.join(f'{recall[family][0]:.2f}' for recall in columns.values())} |")


if __name__ == "__main__":
    main()
