"""Interpolated modified Kneser-Ney with Python dictionaries, straight from its definition: n-grams are counted text by
text, and each one's predecessors are collected in a set.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

NGram = tuple[int, ...]


class KneserNey:
    """A model of n-grams of up to `order` symbols, counted in a fixed list of texts.

    Each text starts with an empty context or, if there is a boundary, with the boundary. `counts` has the count of each
    n-gram of 1, …, `order` symbols: the number of occurrences for the longest; for a shorter one, the number of
    different symbols before it plus the number of times it begins a text. `discounts` are 0, D1, D2 and D3+ for each
    length, and `occurrences` how often each n-gram occurred.
    """

    def __init__(self, texts: Sequence[Sequence[int]], order: int, symbols: int, boundary: int | None = None) -> None:
        self.order = order
        self.symbols = symbols
        self.boundary = boundary
        self.occurrences = occurrences = Counter[NGram]()
        before = defaultdict[NGram, set[int]](set)
        beginning = Counter[NGram]()
        for text in texts:
            for ngram, left in self._ngrams(text):
                occurrences[ngram] += 1
                if left is None:
                    beginning[ngram] += 1
                else:
                    before[ngram].add(left)
        self.counts: list[dict[NGram, int]] = [{} for _ in range(order)]
        for ngram, n in occurrences.items():
            count = n if len(ngram) == order else len(before[ngram]) + beginning[ngram]
            self.counts[len(ngram) - 1][ngram] = count
        self.discounts = [discounts(list(of_length.values())) for of_length in self.counts]

    def probability(self, context: Sequence[int], symbol: int) -> float:
        """Return p(symbol | context); only the last order - 1 symbols of a context count."""
        # No n-gram reaches beyond a boundary, so no context needs to.
        return self._probability(tuple(context[max(0, len(context) - self.order + 1) :]), symbol)

    def probabilities(self, context: Sequence[int]) -> list[float]:
        """Return p(symbol | context) of all symbols."""
        return [self.probability(context, w) for w in range(self.symbols)]

    def log_probability(self, text: Sequence[int]) -> float:
        """Return log P of a text, which starts like the counted texts."""
        start = [] if self.boundary is None else [self.boundary]
        return sum(math.log(self.probability([*start, *text[:i]], w)) for i, w in enumerate(text))

    def _probability(self, context: NGram, symbol: int) -> float:
        """Return p(symbol | context), interpolated with the context without its first symbol."""
        shorter = self._probability(context[1:], symbol) if context else 1 / self.symbols
        counts = self.counts[len(context)]
        D = self.discounts[len(context)]
        following = [counts.get((*context, w), 0) for w in range(self.symbols)]
        total = sum(following)
        if not total:
            return shorter
        count = following[symbol]
        back_off = sum(D[min(n, 3)] for n in following) / total
        return (count - D[min(count, 3)]) / total + back_off * shorter

    def _ngrams(self, text: Sequence[int]) -> list[tuple[NGram, int | None]]:
        """Return a text's n-grams, each with the symbol before it, or None at the start of a text or document."""
        found: list[tuple[NGram, int | None]] = []
        known = [] if self.boundary is None else [self.boundary]  # before the first symbol that counts
        text = [*known, *text]
        for i in range(len(known), len(text)):
            begin = max([j for j in range(i) if text[j] == self.boundary], default=0)
            for n in range(1, min(self.order, i - begin + 1) + 1):
                first = i - n + 1
                ngram = tuple(text[first : i + 1])
                found.append((ngram, text[first - 1] if first > begin else None))
        return found


def discounts(counts: Sequence[int]) -> list[float]:
    """Return 0, D1, D2 and D3+ from the counts of all n-grams of a length.

    If small counts are too rare to estimate a discount, it is half the count.
    """
    n = [counts.count(k) for k in range(5)]
    found = [0.0, 0.5, 1.0, 1.5]
    if all(n[1:]):
        Y = n[1] / (n[1] + 2 * n[2])
        for k in (1, 2, 3):
            D = k - (k + 1) * Y * n[k + 1] / n[k]
            if D > 0:
                found[k] = D
    return found
