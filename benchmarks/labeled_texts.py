"""Texts with labels: surnames by country, and a mixture of generated and ordinary domains.

Everything is made on the spot, offline and from fixed seeds, from packages of the group `labels`: the surnames are
Faker's, the words wordfreq's (the most frequent words of a language).
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import cache

LOCALES = [
    "de_AT", "en_IN", "en_KE", "en_US", "es_ES", "et_EE", "fi_FI", "fr_DZ", "fr_FR",
    "ga_IE", "hr_HR", "is_IS", "it_IT", "nl_NL", "pl_PL", "sk_SK", "sv_SE", "zu_ZA",
]  # fmt: skip
DRAWS = 20_000  # of each locale: nearly all of its surnames occur in them
MIN_LENGTH, MAX_LENGTH = 5, 24  # of a domain
DICTIONARY = 400  # words that the generator "dictionary" knows
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Texts = tuple[list[str], list[str]]


@cache
def surnames() -> Texts:
    """Return the surnames of 18 countries whose script is Latin, each once for a country, and the countries."""
    from faker import Faker

    texts, labels = [], []
    for locale in LOCALES:
        fake = Faker(locale)
        fake.seed_instance(0)
        found = sorted({fake.last_name() for _ in range(DRAWS)})
        texts += found
        labels += [locale] * len(found)
    return texts, labels


@cache
def domains(n_ordinary: int = 16_000, n_generated: int = 2_000) -> Texts:
    """Return ordinary domains and domains of eight generators, without their endings, and the kind of each.

    No domain occurs twice; one that two kinds would make belongs to the kind that comes first.
    """
    texts: list[str] = []
    labels: list[str] = []
    seen: set[str] = set()
    for kind, generate in KINDS.items():
        count = n_ordinary if kind == "ordinary" else n_generated
        domains = generate(random.Random(f"domains: {kind}"))
        while count:
            domain = next(domains)
            if MIN_LENGTH <= len(domain) <= MAX_LENGTH and domain not in seen:
                seen.add(domain)
                texts.append(domain)
                labels.append(kind)
                count -= 1
    return texts, labels


# ------------------------------------------------------------------ ordinary


@cache
def _words(language: str, n: int) -> list[str]:
    """Return frequent words of a language, the most frequent first, of 3 or more plain letters."""
    from wordfreq import top_n_list

    words: list[str] = top_n_list(language, n)
    return [word for word in words if len(word) > 2 and word.isascii() and word.isalpha()]


@cache
def _names() -> list[str]:
    """Return the plain surnames of all countries in small letters."""
    return sorted({name.lower() for name in surnames()[0] if name.isascii() and name.isalpha()})


def _word(rng: random.Random) -> str:
    """Return a word, mostly English; a frequent one is likelier, but far less so than in a text."""
    words = _words(rng.choices(["en", "de", "fr", "es"], [7, 1, 1, 1])[0], 20_000)
    return words[int(len(words) * rng.random() ** 2)]


def _ordinary(rng: random.Random) -> Iterator[str]:
    """Words and names, alone or two together, now and then with a hyphen, a number or an abbreviation."""
    while True:
        name = rng.choice(_names())
        parts = rng.choices(
            [[_word(rng)], [_word(rng), _word(rng)], [name], [name, _word(rng)], [_word(rng), name]],
            [30, 45, 8, 9, 8],
        )[0]  # fmt: skip
        domain = ("-" if rng.random() < 0.1 else "").join(parts)
        ending = rng.random()
        if ending < 0.04:
            domain += str(rng.choice([1, 2, 4, 7, 24, 365, rng.randrange(1950, 2026)]))
        elif ending < 0.08:
            domain += "".join(rng.choices(LETTERS, k=2))
        yield domain


# ---------------------------------------------------------------- generators


def _digests(rng: random.Random) -> Iterator[bytes]:
    """The digests of a seed and a counter, as a generator that asks the date for its seed has them."""
    seed, i = rng.getrandbits(32), 0
    while True:
        yield hashlib.sha256(f"{seed}-{i}".encode()).digest()
        i += 1


def _arithmetic(rng: random.Random) -> Iterator[str]:
    """Letters by the low bits of a linear congruential generator, which alternate between odd and even."""
    state = rng.getrandbits(32)
    while True:
        letters = []
        for _ in range(8 + (state >> 16) % 8):
            state = (1_664_525 * state + 1_013_904_223) % 2**32
            letters.append(LETTERS[state % 26])
        state = (state >> 7) ^ rng.getrandbits(32)
        yield "".join(letters)


def _hash(rng: random.Random) -> Iterator[str]:
    """Letters by the bytes of a digest; the last letters of the alphabet are rarer."""
    for digest in _digests(rng):
        yield "".join(LETTERS[byte % 26 if byte < 240 else byte % 16] for byte in digest[: 8 + digest[-1] % 8])


def _hexadecimal(rng: random.Random) -> Iterator[str]:
    """The beginning of a digest in hexadecimal digits."""
    for digest in _digests(rng):
        yield digest.hex()[: 8 + digest[-1] % 9]


def _letters_and_digits(rng: random.Random) -> Iterator[str]:
    """Letters and digits by a shift register."""
    state, symbols = rng.getrandbits(32) | 1, LETTERS + "0123456789"
    while True:
        chosen = []
        for _ in range(8 + state % 7):
            for shift in (13, -17, 5):
                state ^= state << shift if shift > 0 else state >> -shift
                state &= 0xFFFFFFFF
            chosen.append(symbols[state % 36])
        yield "".join(chosen)


def _pronounceable(rng: random.Random) -> Iterator[str]:
    """Syllables of a consonant, a vowel and now and then another consonant."""
    while True:
        syllables = [
            rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") + rng.choice([*"lmnrst", *[""] * 14])
            for _ in range(rng.randint(3, 5))
        ]
        yield "".join(syllables)


@cache
def _followers() -> dict[str, tuple[list[str], list[int]]]:
    """Return the letters that follow each two letters in English words, and how often they do."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for word in _words("en", 20_000):
        padded = f"^^{word}$"
        for i in range(len(padded) - 2):
            counts[padded[i : i + 2]][padded[i + 2]] += 1
    return {pair: (list(found), list(found.values())) for pair, found in counts.items()}


def _markov(rng: random.Random) -> Iterator[str]:
    """Made-up words: each letter depends on the two before it as it does in English words."""
    while True:
        text = "^^"
        while not text.endswith("$"):
            text += rng.choices(*_followers()[text[-2:]])[0]
        yield text[2:-1]


def _dictionary(rng: random.Random) -> Iterator[str]:
    """Two or three words of a short list."""
    words = rng.sample(_words("en", 8_000), DICTIONARY)
    while True:
        yield "".join(rng.choices(words, k=2 if rng.random() < 0.9 else 3))


def _permuted(rng: random.Random) -> Iterator[str]:
    """The letters of an ordinary domain in another order."""
    for domain in _ordinary(rng):
        letters = list(domain.replace("-", ""))
        rng.shuffle(letters)
        yield "".join(letters)


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "ordinary": _ordinary,
    "arithmetic": _arithmetic,
    "hash": _hash,
    "hexadecimal": _hexadecimal,
    "letters and digits": _letters_and_digits,
    "pronounceable": _pronounceable,
    "Markov chain": _markov,
    "dictionary": _dictionary,
    "permuted": _permuted,
}
