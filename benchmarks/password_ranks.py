"""Does the guess number rank passwords as a real list does? `python -m benchmarks.password_ranks FILE`.

FILE has common passwords, one per line, the most frequent first, such as the list in the package zxcvbn: with `zxcvbn`
in place of FILE, it is taken from there. Frequencies are not in such lists; they follow Zipf's law, one over the rank.
400 passwords are held out. Models of the others, with their frequencies as weights, with square roots of them, and
without weights, estimate the held-out passwords' numbers of guesses. The table has the rank correlation (Spearman's) of
the estimates with the ranks in the list; 1 would be the same order.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from crnn import CharNGram

HELD_OUT = 400
MOST = 1_000_000  # the frequency of the first password


def read_passwords(source: str) -> list[str]:
    """Return a list of passwords, the most frequent first."""
    if source == "zxcvbn":
        from zxcvbn.frequency_lists import FREQUENCY_LISTS

        return list(FREQUENCY_LISTS["passwords"])
    return Path(source).read_text(encoding="utf-8").splitlines()


def correlations(passwords: list[str], seed: int = 0, held_out: int = HELD_OUT) -> dict[str, float]:
    """Return the rank correlation for each kind of weights."""
    rng = np.random.default_rng(seed)
    unseen = np.sort(rng.choice(len(passwords), held_out, replace=False))
    learned: NDArray[np.int64] = np.setdiff1d(np.arange(len(passwords)), unseen)
    frequencies = [MOST // (rank + 1) + 1 for rank in learned.tolist()]
    weights = {
        "square roots": [math.isqrt(frequency) for frequency in frequencies],
        "frequencies": frequencies,
        "none": None,
    }
    vocabulary = sorted(set("".join(passwords)))
    found = {}
    for name, sample_weight in weights.items():
        model = CharNGram(vocabulary=vocabulary, n_threads=1)
        model.fit([passwords[i] for i in learned], sample_weight=sample_weight)
        guesses = model.guess_number([passwords[i] for i in unseen], random_state=seed).estimate
        found[name] = float(spearmanr(guesses, unseen).statistic)
    return found


def main() -> None:
    """Print the table of a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="FILE", help="passwords, one per line, the most frequent first; or zxcvbn")
    parser.add_argument("--seeds", type=int, default=5, help="how many choices of held-out passwords (default: 5)")
    options = parser.parse_args()
    passwords = read_passwords(options.source)
    found = [correlations(passwords, seed) for seed in range(options.seeds)]
    print(f"{len(passwords):,} passwords, {HELD_OUT} held out, {options.seeds} choices\n")
    print("| weights | rank correlation | lowest | highest |\n|---|---|---|---|")
    for name in found[0]:
        values = [each[name] for each in found]
        print(f"| {name} | {np.mean(values):.2f} | {min(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
