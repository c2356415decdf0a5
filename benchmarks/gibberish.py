"""Which random strings stand out among words, identifiers and user names? `python -m benchmarks.gibberish`.

It needs `pip install faker`; `pip install gibberish-detector detect-secrets` adds these peers. Nothing is downloaded:
100,000 characters are learned, a third each of words of Python's manual, identifiers of the standard library, and user
names that Faker makes. Judged are words of NumPy's docstrings, identifiers of NumPy and
SciPy, and other user names, all unseen and of 8 to 40 characters, and random strings of seven kinds. Each row flags one
in a hundred of the ordinary strings, except those of detect-secrets, which has thresholds of its own.
"""

from __future__ import annotations

import base64
import math
import random
import re
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from benchmarks.pages import print_tables
from crnn import AnomalyDetector, CharNGram
from crnn.datasets import python_manual
from crnn.scoring.string_scores import Reduce

LEARNED = 100_000  # characters
N_ORDINARY = 1500  # strings of each kind
N_RANDOM = 500  # strings of each kind
SHORTEST, LONGEST = 8, 40  # characters of a judged string
RATE = 0.01  # of false alarms
FILE_SIZE = 100_000  # bytes of the small model
IDENTIFIER = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]+\b")
WORD = re.compile(r"\b[A-Za-z][a-z]+\b")
CONSONANTS = "bcdfghjklmnpqrstvwxz"
HOME_ROW = "asdfghjkl"

Scores = NDArray[np.float64]
Score = Callable[[list[str]], Scores]  # the lowest for the strings that look most random


# -------------------------------------------------------------------- strings


def distinct(texts: Iterable[str], rng: random.Random) -> list[str]:
    """Return the different texts in random order."""
    found = sorted(set(texts))
    rng.shuffle(found)
    return found


def standard_library() -> Iterator[str]:
    """Yield the sources of the standard library's modules."""
    for path in sorted(Path(random.__file__).parent.glob("*.py")):
        yield path.read_text(encoding="utf-8", errors="replace")


def package_sources(name: str) -> Iterator[str]:
    """Yield the sources of an installed package, without its tests."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    for path in sorted(Path(spec.origin).parent.rglob("*.py")):
        if "tests" not in path.parts:
            yield path.read_text(encoding="utf-8", errors="replace")


def docstring_words(sources: Iterable[str]) -> Iterator[str]:
    """Yield the words between triple quotes."""
    for source in sources:
        for docstring in re.findall(r'"""(.*?)"""', source, flags=re.DOTALL):
            yield from WORD.findall(docstring)


def identifiers(sources: Iterable[str]) -> Iterator[str]:
    """Yield the names outside of triple quotes, other quotes and comments."""
    for source in sources:
        code = re.sub(r'""".*?"""|"[^"\n]*"|\'[^\'\n]*\'|#[^\n]*', " ", source, flags=re.DOTALL)
        yield from IDENTIFIER.findall(code)


def user_names(n: int, seed: int) -> Iterator[str]:
    """Yield user names of four countries."""
    from faker import Faker

    fakers = [Faker(locale) for locale in ("en_US", "de_DE", "fr_FR", "es_ES")]
    for fake in fakers:
        fake.seed_instance(seed)
    for i in range(n):
        yield fakers[i % len(fakers)].user_name()


def learned_strings(rng: random.Random) -> list[str]:
    """Return strings of about `LEARNED` characters, a third of each kind."""
    kinds = [WORD.findall(python_manual()), identifiers(standard_library()), user_names(10_000, 0)]
    learned = list[str]()
    for texts in kinds:
        size = 0
        for text in distinct(texts, rng):
            if size >= LEARNED / len(kinds):
                break
            learned.append(text)
            size += len(text)
    return learned


def ordinary_strings(learned: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Return unseen strings of each kind."""
    known = set(learned)
    kinds = {
        "words": docstring_words(package_sources("numpy")),
        "identifiers": (name for package in ("numpy", "scipy") for name in identifiers(package_sources(package))),
        "user names": user_names(20_000, 1),
    }
    return {
        kind: [text for text in distinct(texts, rng) if text not in known and SHORTEST <= len(text) <= LONGEST][
            :N_ORDINARY
        ]
        for kind, texts in kinds.items()
    }


def random_strings(ordinary: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Return random strings of each kind."""

    def drawn(alphabet: str, shortest: int, longest: int) -> list[str]:
        return ["".join(rng.choices(alphabet, k=rng.randint(shortest, longest))) for _ in range(N_RANDOM)]

    shuffled = ["".join(rng.sample(text, len(text))) for text in rng.sample(ordinary, N_RANDOM)]
    aws = ["AKIA" + text for text in drawn(string.ascii_uppercase + string.digits, 16, 16)]
    github = ["ghp_" + text for text in drawn(string.ascii_letters + string.digits, 36, 36)]
    return {
        "base64": [base64.b64encode(rng.randbytes(rng.randint(12, 30))).decode() for _ in range(N_RANDOM)],
        "hex": [rng.randbytes(rng.randint(6, 20)).hex() for _ in range(N_RANDOM)],
        "AWS and GitHub keys": aws[::2] + github[1::2],
        "a-z and 0-9": drawn(string.ascii_lowercase + string.digits, 8, 16),
        "a-z": drawn(string.ascii_lowercase, 8, 16),
        "consonants": drawn(CONSONANTS, 8, 16),
        "home row": drawn(HOME_ROW, 8, 16),
        "shuffled": shuffled,
    }


# -------------------------------------------------------------------- scores


def by_detector(learned: list[str], reduce: Reduce = "joint") -> Score:
    """Return the scores of a detector with its default model."""
    return AnomalyDetector(contamination=RATE, reduce=reduce, random_state=0).fit(learned).score_samples


def by_small_counts(learned: list[str]) -> Score:
    """Return the mean log-probability of a character by counts whose file has at most `FILE_SIZE` bytes."""
    model = CharNGram().fit(learned).prune(FILE_SIZE)
    return lambda texts: model.score_samples(texts, errors="replace") / np.array([len(text) + 1 for text in texts])


def entropy(text: str) -> float:
    """Return the entropy of a text's characters in bits.

    Examples
    --------
    >>> entropy("aabb")
    1.0
    """
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def by_entropy(learned: list[str]) -> Score:
    """Return the negative entropies."""
    return lambda texts: -np.array([entropy(text) for text in texts])


def by_gibberish_detector(learned: list[str]) -> Score:
    """Return the scores of gibberish-detector's pairs of letters."""
    from gibberish_detector.detector import Detector
    from gibberish_detector.trainer import train_on_content

    found = Detector(train_on_content("\n".join(learned), string.ascii_letters), 4.0)
    return lambda texts: -np.array([found.calculate_probability_of_being_gibberish(text) for text in texts])


def by_detect_secrets(learned: list[str]) -> Score:
    """Return -1 for strings that a plugin of detect-secrets finds at its own threshold, else 1."""
    from detect_secrets.settings import default_settings, get_plugins

    def is_found(text: str) -> bool:
        line = f'value = "{text}"'
        return any(plugin.analyze_line(filename="", line=line, line_number=1) for plugin in get_plugins())

    def score(texts: list[str]) -> Scores:
        with default_settings():
            return np.array([-1.0 if is_found(text) else 1.0 for text in texts])

    return score


ROWS: dict[str, Callable[[list[str]], Score]] = {
    "`AnomalyDetector()`": by_detector,
    '`AnomalyDetector(reduce="mean")`': partial(by_detector, reduce="mean"),
    "counts pruned to 100 kB, mean": by_small_counts,
    "gibberish-detector, pairs of letters": by_gibberish_detector,
    "entropy": by_entropy,
}
OWN_THRESHOLDS = {"detect-secrets": by_detect_secrets}


def threshold(scores: Scores, rate: float = RATE) -> float:
    """Return the score below which this share of ordinary strings lies."""
    return float(np.sort(scores)[int(rate * (len(scores) + 1))])


def table(learned: list[str], ordinary: dict[str, list[str]], odd: dict[str, list[str]]) -> Iterator[str]:
    """Yield the share of strings of each kind that are flagged."""
    kinds = ordinary | odd
    yield "| flagged | " + " | ".join(kinds) + " |"
    yield "|---" * (len(kinds) + 1) + "|"
    for name, fit in (ROWS | OWN_THRESHOLDS).items():
        try:
            score = fit(learned)
        except ImportError as error:
            yield f"| {name}: {error} |" + " |" * len(kinds)
            continue
        scores = {kind: score(texts) for kind, texts in kinds.items()}
        usual = np.concatenate([scores[kind] for kind in ordinary])
        limit = 0.0 if name in OWN_THRESHOLDS else threshold(usual)
        flagged = {kind: float((of_kind < limit).mean()) for kind, of_kind in scores.items()}
        cells = [f"{100 * flagged[kind]:.1f} %" if kind in ordinary else f"{flagged[kind]:.3f}" for kind in kinds]
        yield f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    if find_spec("faker") is None:
        sys.exit("Faker is not installed: pip install faker")
    print("\n".join(machine()), flush=True)
    rng = random.Random(0)
    learned = learned_strings(rng)
    ordinary = ordinary_strings(learned, rng)
    odd = random_strings([text for texts in ordinary.values() for text in texts], rng)
    n_ordinary = sum(map(len, ordinary.values()))
    print(
        f"{len(learned):,} strings learned, {n_ordinary:,} unseen ones and {N_RANDOM} random ones of each kind judged"
    )
    print_tables([table(learned, ordinary, odd)])


if __name__ == "__main__":
    main()
