"""Generate domain names like those that people register, and like those that malware generates.

The names depend only on a seed. Ordinary names are one or two words of a made-up language, where the first words are
by far the most frequent; some have a common prefix or suffix. The anomalies are of five kinds:

- "random letters": every letter is equally likely;
- "frequent letters": letters have the same frequencies as in ordinary names;
- "syllables": alternating consonants and vowels, which are pronounceable;
- "words": words of another language, glued together;
- "one letter": an ordinary name with one letter replaced.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

KINDS = ("random letters", "frequent letters", "syllables", "words", "one letter")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxyz"
ONSETS = (
    "", *"bcdfghjklmnprstvwyzbcdlmnprst", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "pl", "pr", "qu", "sh",
    "sk", "sl", "sp", "st", "str", "th", "tr",
)  # fmt: skip
NUCLEI = (*"aaeeeiioou", "ai", "ea", "ee", "ie", "oo", "ou")
CODAS = ("", "", "", "", *"dlmnprstxynrst", "ck", "ll", "nd", "ng", "nt", "rd", "rt", "ss", "st", "th")
BEGINNINGS, ENDS = ("my", "the", "get", "e", "best", "go"), ("shop", "online", "24", "blog", "web", "app", "hub")
N_WORDS, N_OTHER_WORDS = 3000, 1000


@cache
def words_of(n: int, language: str) -> list[str]:
    """Return n different words of one to three syllables; each language prefers sounds of its own.

    Examples
    --------
    >>> len(set(words_of(50, "home"))), words_of(3, "home") == words_of(3, "home")
    (50, True)
    """
    rng, found = random.Random(language), dict[str, None]()
    sounds = [(part, [rng.random() ** 2 for _ in part]) for part in (ONSETS, NUCLEI, CODAS)]
    while len(found) < n:
        syllables = range(rng.choice((1, 2, 2, 3)))
        found["".join(rng.choices(part, weights)[0] for _ in syllables for part, weights in sounds)] = None
    return list(found)


def ordinary_names(seed: int = 0, n_words: tuple[int, ...] | None = None) -> Iterator[str]:
    """Yield ordinary names without end, of one of these numbers of words; some occur again."""
    rng, words = random.Random(f"names {seed}"), words_of(N_WORDS, "home")

    def word() -> str:
        return words[int(len(words) ** rng.random()) - 1]

    while True:
        name = rng.choice(("", "", "-")).join(word() for _ in range(rng.choice(n_words or (1, 2, 2))))
        if rng.random() < 0.2:
            name = rng.choice(BEGINNINGS) + name
        yield name + rng.choice(ENDS) if rng.random() < 0.2 else name


def odd_names(kind: str, seed: int = 0, n_words: tuple[int, ...] | None = None) -> Iterator[str]:
    """Yield names of a kind endlessly, with the lengths of ordinary names.

    Examples
    --------
    >>> name = next(odd_names("syllables"))
    >>> all((letter in VOWELS) == (i % 2 == 1) for i, letter in enumerate(name))
    True
    """
    rng, ordinary = random.Random(f"{kind} {seed}"), ordinary_names(seed + 1000, n_words)
    other = words_of(N_OTHER_WORDS, "abroad")
    letters = "".join(next(ordinary) for _ in range(1000))
    for name in ordinary:
        if kind == "random letters":
            yield "".join(rng.choice(LETTERS) for _ in name)
        elif kind == "frequent letters":
            yield "".join(rng.choice(letters) for _ in name)
        elif kind == "syllables":
            yield "".join(rng.choice((CONSONANTS, VOWELS)[i % 2]) for i in range(len(name)))
        elif kind == "words":
            yield "".join(rng.choice(other) for _ in range(max((2, *(n_words or ()))) + 1))[: len(name)]
        else:  # one letter
            i = rng.randrange(len(name))
            yield name[:i] + rng.choice(LETTERS.replace(name[i], "")) + name[i + 1 :]
