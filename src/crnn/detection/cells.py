"""Judge the values of a table's column: what makes a value strange besides its characters' probabilities.

A value is strange if its characters are improbable, if its shape is rare, or if a word of it is nearly a common word.
All three are logarithms of probabilities or of ratios, so they are added.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WORD = re.compile(r"[^\W\d_]+")
DIGITS = re.compile(r"[0-9]")
RUNS = re.compile(r"[0-9]+")
MIN_LENGTH = 4  # of a word that may be a typo: nearly every shorter one is a letter away from another
MIN_COMMON = 3  # occurrences of a word of which others may be typos
SHAPE_WEIGHT = 0.5  # of the shape, whose symbols the characters' probabilities have judged, too
CODES = 0.5  # share of values with a digit above which which digit it is tells nothing
NUMBERS = 0.95  # share of numbers above which a column is one of numbers
FIXED_LENGTH = 0.95  # share of numbers of the same form above which a missing digit is an error
LOW = 0.02  # the quantile that measures how far a column's usual values spread
LEAST_SPREAD = 2.0  # nats, added: a column whose values are all alike has no spread


class Similar(NamedTuple):
    """A rare word, and a common word that differs from it by one letter."""

    word: str
    n_word: int
    common: str
    n_common: int

    @property
    def log_ratio(self) -> float:
        """How much more often the common word occurs than one would expect if both were words."""
        return math.log(self.n_common) - 2 * math.log(self.n_word)


class Evidence(NamedTuple):
    """What is known about the different values of a column, each array (n,), in nats; lower is stranger."""

    characters: NDArray[np.float64]  # the score of the characters
    shapes: NDArray[np.float64]  # the logarithm of the share of values with the same shape
    words: NDArray[np.float64]  # 0, or the negative logarithm of how much more common a similar word is

    @property
    def total(self) -> NDArray[np.float64]:
        """The sum, which ranks the values of a column."""
        return self.characters + SHAPE_WEIGHT * self.shapes + self.words

    def parts(self, counts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how much lower each part of the sum is than the column's median, (3, n)."""
        weighted = (self.characters, SHAPE_WEIGHT * self.shapes, self.words)
        return np.stack([part - weighted_quantile(part, counts, 0.5) for part in weighted])


def collapsed_shape(text: str) -> str:
    """Return a text with digits as 0, letters as a or A, and runs of the same symbol as one.

    Examples
    --------
    >>> from crnn.detection.cells import collapsed_shape
    >>> collapsed_shape("Saint  Hartton 17b")
    'Aa Aa 0a'
    """
    symbols = "".join(_kind(symbol) for symbol in text)
    return "".join(symbol for symbol, _ in groupby(symbols))


def _kind(symbol: str) -> str:
    if symbol.isdigit():
        return "0"
    if symbol.isupper():
        return "A"
    return "a" if symbol.isalpha() else symbol


def has_codes(counts: Counter[str]) -> bool:
    """Return whether most values have a digit, so that which digit it is tells nothing."""
    n_with_digits = sum(n for value, n in counts.items() if DIGITS.search(value))
    return n_with_digits >= CODES * counts.total()


def has_numbers(counts: Counter[str]) -> bool:
    """Return whether nearly all values are numbers of no fixed length, so that the number of digits tells nothing."""
    n_numbers = sum(n for value, n in counts.items() if _is_number(value))
    if n_numbers < NUMBERS * counts.total():
        return False
    n_of_form = Counter[str]()
    for value, n in counts.items():
        n_of_form[DIGITS.sub("0", value)] += n
    return max(n_of_form.values()) < FIXED_LENGTH * counts.total()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def masked_digits(text: str, *, runs: bool = False) -> str:
    """Return a text with each digit as 0, so that their number stays, or with `runs` each run of digits.

    Examples
    --------
    >>> from crnn.detection.cells import masked_digits
    >>> masked_digits("GB42-7"), masked_digits("42.17", runs=True)
    ('GB00-0', '0.0')
    """
    return (RUNS if runs else DIGITS).sub("0", text)


def shape_log_shares(counts: Counter[str]) -> NDArray[np.float64]:
    """Return for each different value the logarithm of the share of values that have its shape, (n,)."""
    shapes = [collapsed_shape(value) for value in counts]
    n_of_shape = Counter[str]()
    for shape, n in zip(shapes, counts.values(), strict=True):
        n_of_shape[shape] += n
    total = counts.total()
    return np.array([math.log(n_of_shape[shape] / total) for shape in shapes])


def similar_words(counts: Counter[str]) -> list[Similar | None]:
    """Return for each different value its word that is most probably a typo of a more common word of the column.

    A typo is one letter missing, added or replaced, or two neighboring letters transposed.
    """
    words = [set(WORD.findall(value)) for value in counts]
    n_of_word = Counter[str]()
    for of_value, n in zip(words, counts.values(), strict=True):
        for word in of_value:
            n_of_word[word] += n
    nearest = _NearestCommon(n_of_word)
    similar = {word: found for word in n_of_word if (found := nearest.find(word)) is not None}
    return [_most_common(similar[word] for word in of_value if word in similar) for of_value in words]


def _most_common(found: Iterable[Similar]) -> Similar | None:
    return max(found, key=lambda similar: (similar.log_ratio, similar.word), default=None)


class _NearestCommon:
    """Finds the most common word that is one letter away from a word.

    Two words are at most one letter apart if deleting a letter of either, or of both at the same place, makes them
    equal. So each common word is entered under itself and under all that one deletion leaves of it.
    """

    def __init__(self, n_of_word: Counter[str]) -> None:
        self._n_of_word = n_of_word
        self._best = dict[str, str]()
        for word, n in n_of_word.items():
            if n < MIN_COMMON:
                continue
            for key in [word, *_deletions(word)]:
                other = self._best.get(key)
                if other is None or (n, word) > (n_of_word[other], other):
                    self._best[key] = word

    def find(self, word: str) -> Similar | None:
        """Return the most common similar word, if it is more common by far."""
        if len(word) < MIN_LENGTH:
            return None
        candidates = [self._best[key] for key in [word, *_deletions(word)] if key in self._best]
        candidates += [swapped for swapped in _transpositions(word) if self._n_of_word[swapped] >= MIN_COMMON]
        n = self._n_of_word[word]
        found = [
            Similar(word, n, other, self._n_of_word[other]) for other in candidates if is_one_typo_away(word, other)
        ]
        best = _most_common(found)
        return best if best is not None and best.log_ratio > 0 else None


def is_one_typo_away(word: str, other: str) -> bool:
    """Return whether two different words differ by one letter, or by two neighboring letters transposed.

    Examples
    --------
    >>> from crnn.detection.cells import is_one_typo_away
    >>> is_one_typo_away("hartton", "harton"), is_one_typo_away("hartno", "harton"), is_one_typo_away("art", "rto")
    (True, True, False)
    """
    n_start = _n_common(word, other)
    n_end = min(_n_common(word[::-1], other[::-1]), min(len(word), len(other)) - n_start)
    left = word[n_start : len(word) - n_end]
    right = other[n_start : len(other) - n_end]
    if max(len(left), len(right)) <= 1:
        return word != other
    return len(left) == 2 and left == right[::-1]


def _n_common(word: str, other: str) -> int:
    """Return how many symbols two words have in common at their start."""
    n = 0
    for a, b in zip(word, other, strict=False):
        if a != b:
            break
        n += 1
    return n


def _deletions(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))]


def _transpositions(word: str) -> list[str]:
    return [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]


def relative_scores(totals: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return scores that can be compared between columns, (n,): how far each value is from the column's median.

    The unit is the distance from the median to the column's lower 2 %, so that a column of names, all improbable, does
    not outrank a column of codes.
    """
    median = weighted_quantile(totals, counts, 0.5)
    spread = LEAST_SPREAD + median - weighted_quantile(totals, counts, LOW)
    return (totals - median) / spread


def weighted_quantile(values: NDArray[np.float64], counts: NDArray[np.intp], q: float) -> float:
    """Return the quantile of values that occur several times.

    Examples
    --------
    >>> import numpy as np
    >>> from crnn.detection.cells import weighted_quantile
    >>> weighted_quantile(np.array([1.0, 3.0, 2.0]), np.array([1, 1, 3]), 0.5)
    2.0
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(counts[order])
    return float(values[order[np.searchsorted(reached, q * reached[-1])]])
