"""Does the guess number rank passwords as a real list does? `python -m benchmarks.password_ranks FILE`.

FILE has common passwords, one per line, the most frequent first, such as the list in the package zxcvbn: with `zxcvbn`
in place of FILE, it is taken from there. Frequencies are not in such lists; they follow Zipf's law, one over the rank.
400 passwords are held out. Models of the others, with their frequencies as weights, with square roots of them, and
without weights, estimate the held-out passwords' numbers of guesses, at most those of an exhaustive search. With
`zxcvbn`, that meter judges them, too, without them in its own list. `--node FOLDER` adds zxcvbn-ts, also without them,
after `npm install @zxcvbn-ts/core @zxcvbn-ts/language-common @zxcvbn-ts/language-en` in that folder.

The table has the rank correlation (Spearman's) of the estimates with the ranks in the list; 1 would be the same order.
The other columns have the shares of passwords that are called strong, since they would take at least 10^10 guesses: of
the held-out ones, of 400 English words of 8 letters or more that are not in the list (only with `zxcvbn`, which has
words), and of 400 strings of 12 random small letters and digits. Each cell is the mean of five choices of held-out
passwords, with the least and the greatest value.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import string
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.machine import machine
from crnn import CharNGram

HELD_OUT = 400
MOST = 1_000_000  # the frequency of the first password
STRONG = 1e10  # guesses
SCRIPT = Path(__file__).parent / "peers" / "zxcvbn_ts.mjs"
COLUMNS = ("rank correlation", "strong: held out", "English words", "random")

Guesses = NDArray[np.float64]
Meter = Callable[[list[str]], Guesses]


class Choice(NamedTuple):
    """Passwords to learn, and those to judge."""

    learned: list[str]
    frequencies: list[int]  # of the learned passwords
    held_out: list[str]
    ranks: NDArray[np.int64]  # of the held-out passwords
    symbols: list[str]  # of all passwords


def read_passwords(source: str) -> list[str]:
    """Return a list of passwords, the most frequent first."""
    if source == "zxcvbn":
        from zxcvbn.frequency_lists import FREQUENCY_LISTS

        return list(FREQUENCY_LISTS["passwords"])
    return Path(source).read_text(encoding="utf-8").splitlines()


def choose(passwords: list[str], seed: int, n_held_out: int) -> Choice:
    """Hold out some passwords."""
    rng = np.random.default_rng(seed)
    unseen = np.sort(rng.choice(len(passwords), n_held_out, replace=False))
    learned: NDArray[np.int64] = np.setdiff1d(np.arange(len(passwords)), unseen)
    return Choice(
        [passwords[i] for i in learned],
        [MOST // (rank + 1) + 1 for rank in learned.tolist()],
        [passwords[i] for i in unseen],
        unseen,
        sorted({*string.ascii_lowercase, *string.digits, *"".join(passwords)}),
    )


def exhaustive(password: str) -> float:
    """Return how many strings of this length use the same kinds of characters.

    Examples
    --------
    >>> exhaustive("ab1")
    46656.0
    """
    kinds = [string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation]
    n_symbols = sum(len(kind) for kind in kinds if set(kind) & set(password))
    return float(max(n_symbols, 2)) ** len(password)


def counted(choice: Choice, weights: list[int] | None, seed: int) -> Meter:
    """Return the guess numbers of counts of the learned passwords."""
    model = CharNGram(vocabulary=choice.symbols, n_threads=1).fit(choice.learned, sample_weight=weights)

    def guesses(passwords: list[str]) -> Guesses:
        found = model.guess_number(passwords, random_state=seed).estimate
        return np.minimum(found, [exhaustive(password) for password in passwords])

    return guesses


def models(choice: Choice, seed: int) -> Iterator[tuple[str, Meter]]:
    """Yield a model for each kind of weights."""
    roots = [math.isqrt(frequency) for frequency in choice.frequencies]
    yield "square roots", counted(choice, roots, seed)
    yield "frequencies", counted(choice, choice.frequencies, seed)
    yield "none", counted(choice, None, seed)


# ---------------------------------------------------------------------- peers


def zxcvbn_without(held_out: list[str]) -> Meter:
    """Return the guesses of zxcvbn, from whose passwords some are removed; the others keep their ranks."""
    from zxcvbn import matching, zxcvbn
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    ranked = matching.build_ranked_dict(FREQUENCY_LISTS["passwords"])
    for password in held_out:
        ranked.pop(password, None)

    def guesses(passwords: list[str]) -> Guesses:
        known = matching.RANKED_DICTIONARIES["passwords"]
        matching.RANKED_DICTIONARIES["passwords"] = ranked
        try:
            return np.array([float(zxcvbn(password)["guesses"]) for password in passwords])
        finally:
            matching.RANKED_DICTIONARIES["passwords"] = known

    return guesses


def zxcvbn_ts_without(held_out: list[str], folder: Path) -> Meter:
    """Return the guesses of zxcvbn-ts, installed in a folder."""

    def guesses(passwords: list[str]) -> Guesses:
        request = json.dumps({"heldOut": held_out, "passwords": passwords})
        command = ["node", str(SCRIPT.resolve()), str(folder.resolve())]
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
        return np.array(json.loads(done.stdout), np.float64)

    return guesses


def unlisted_words(passwords: list[str]) -> list[str]:
    """Return zxcvbn's English words of 8 letters or more that are not on the list of passwords."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    known = set(passwords)
    words = FREQUENCY_LISTS["english_wikipedia"]
    return [word for word in words if re.fullmatch("[a-z]{8,}", word) and word not in known]


# -------------------------------------------------------------------- results


def correlation(guess: Meter, choice: Choice) -> float:
    """Return Spearman's correlation of guesses and ranks."""
    return float(spearmanr(guess(choice.held_out), choice.ranks).statistic)


def correlations(passwords: list[str], seed: int = 0, held_out: int = HELD_OUT) -> dict[str, float]:
    """Return the rank correlation for each kind of weights."""
    choice = choose(passwords, seed, held_out)
    return {name: correlation(guess, choice) for name, guess in models(choice, seed)}


def strong_share(guess: Meter, passwords: list[str]) -> float:
    """Return the share of passwords that are called strong; NaN if there are none."""
    if not passwords:
        return math.nan
    return float((guess(passwords) >= STRONG).mean())


def results(passwords: list[str], words: list[str], seed: int, node: Path | None) -> dict[str, list[float]]:
    """Return the columns for each meter. Words are there if zxcvbn is, which then judges, too."""
    choice = choose(passwords, seed, HELD_OUT)
    rng = random.Random(seed)
    some_words = rng.sample(words, min(len(words), HELD_OUT))
    characters = string.ascii_lowercase + string.digits
    strings = ["".join(rng.choices(characters, k=12)) for _ in range(HELD_OUT)]
    meters = dict(models(choice, seed))
    if words:
        meters["zxcvbn"] = zxcvbn_without(choice.held_out)
    if node is not None:
        meters["zxcvbn-ts"] = zxcvbn_ts_without(choice.held_out, node)
    return {
        name: [
            correlation(guess, choice),
            *[strong_share(guess, texts) for texts in (choice.held_out, some_words, strings)],
        ]
        for name, guess in meters.items()
    }


def main() -> None:
    """Print the table of a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="FILE", help="passwords, one per line, the most frequent first; or zxcvbn")
    parser.add_argument("--seeds", type=int, default=5, help="how many choices of held-out passwords (default: 5)")
    parser.add_argument("--node", type=Path, metavar="FOLDER", help="where npm has installed zxcvbn-ts")
    options = parser.parse_args()
    if options.source == "zxcvbn" and find_spec("zxcvbn") is None:
        parser.error("zxcvbn is not installed, and with it the list of passwords: pip install zxcvbn")
    passwords = read_passwords(options.source)
    words = unlisted_words(passwords) if options.source == "zxcvbn" else []
    found = [results(passwords, words, seed, options.node) for seed in range(options.seeds)]
    print("\n".join(machine()))
    print(f"{len(passwords):,} passwords, {HELD_OUT} held out, {options.seeds} choices\n")
    print("| weights, or peer | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name in found[0]:
        columns = np.array([each[name] for each in found]).T
        cells = [f"{column.mean():.2f} ({column.min():.2f} to {column.max():.2f})" for column in columns]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
