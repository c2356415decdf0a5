"""Can a detector of texts judge sequences of events? `python -m benchmarks.system_calls ADFA-LD.zip [--runs 25]`.

ADFA-LD (Creech and Hu 2013) has the system calls of programs on a Linux server: 5,205 normal runs and 746 attacks.
Each call becomes one character. The protocol follows Landauer, Skopik and Wurzenberger, "A critical review of common
log data sets used for evaluation of sequence-based anomaly detection techniques" (2024, arXiv 2309.02854): 1 % of the
normal sequences are learned, all others are judged, and the F1 belongs to the best threshold, as a mean over random
choices of the 1 %. Nothing is downloaded; the file is in verazuo/a-labelled-version-of-the-ADFA-LD-dataset on GitHub.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from crnn import AnomalyDetector

FIRST = 0x4E00  # characters from here on stand for calls
TRAINED = 0.01
PUBLISHED = {"edit distance, Landauer et al.": 0.343, "count vectors, Landauer et al.": 0.339}
REDUCES = ("joint", "min", "mean", "sum")


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return the normal sequences and the attacks, as texts."""
    normal = []
    attacks = []
    with zipfile.ZipFile(path) as file:
        for name in sorted(file.namelist()):
            if not name.endswith(".txt") or "_Data_Master/" not in name:
                continue
            calls = map(int, file.read(name).split())
            text = "".join(chr(FIRST + call) for call in calls)
            (attacks if "Attack_Data_Master" in name else normal).append(text)
    return normal, attacks


def best_f1(scores: NDArray[np.float64], is_attack: NDArray[np.bool_]) -> float:
    """Return the F1 of the best threshold: all below it are called attacks.

    Examples
    --------
    >>> best_f1(np.array([-3.0, -2.0, -2.0, -1.0]), np.array([True, True, False, False]))
    0.8
    """
    order = np.argsort(scores, kind="stable")
    found = np.cumsum(is_attack[order])
    f1 = 2 * found / (np.arange(1, len(scores) + 1) + is_attack.sum())
    is_last = np.append(np.diff(scores[order]) > 0, True)  # equal scores are on the same side
    return float(f1[is_last].max())


def run(reduce: str, normal: Sequence[str], attacks: Sequence[str], seed: int) -> float:
    """Learn a random part of the normal sequences; return the F1 of a detector's scores for all others."""
    order = np.random.default_rng(seed).permutation(len(normal))
    n = round(TRAINED * len(normal))
    known = [normal[i] for i in order[:n]]
    unseen = [normal[i] for i in order[n:]]
    detector = AnomalyDetector(reduce=reduce, random_state=seed).fit(known)
    scores = detector.decision_function([*unseen, *attacks])
    is_attack = np.repeat([False, True], [len(unseen), len(attacks)])
    return best_f1(scores, is_attack)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=25)
    options = parser.parse_args()
    normal, attacks = read(options.file)
    print(*machine(), "", sep="\n")
    print(f"{len(normal)} normal sequences and {len(attacks)} attacks; {options.runs} runs\n")
    print("| detector | mean F1 | greatest |\n|---|---|---|")
    for name, f1 in PUBLISHED.items():
        print(f"| {name} | {f1:.3f} | |")
    for reduce in REDUCES:
        found = list(map(partial(run, reduce, normal, attacks), range(options.runs)))
        print(f'| `AnomalyDetector(reduce="{reduce}")` | {mean(found):.3f} | {max(found):.3f} |', flush=True)


if __name__ == "__main__":
    main()
