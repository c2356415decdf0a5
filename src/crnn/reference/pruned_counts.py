"""Pruned Kneser-Ney models with Python dictionaries, straight from the definitions.

The n-grams kept are given as a set. A removed n-gram passes its count on to the n-gram without its first symbol
(Siivola, Hirsimäki and Virpioja 2007); the cost of removing one more is a relative entropy (Stolcke 1998), computed
here as a sum over all symbols.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from .kneser_ney import KneserNey, NGram


class PrunedKneserNey:
    """The model of a `KneserNey` in which only some n-grams are kept, with all those of one symbol."""

    def __init__(self, model: KneserNey, kept: Collection[NGram]) -> None:
        self.model = model
        self.kept = {*kept, *((w,) for w in range(model.symbols))}
        self.counts: dict[NGram, int] = {}
        for ngram in sorted(model.occurrences, key=len, reverse=True):
            count = model.counts[len(ngram) - 1][ngram]
            extensions = [(v, *ngram) for v in range(model.symbols) if (v, *ngram) in self.counts]
            removed = [longer for longer in extensions if longer not in self.kept]
            self.counts[ngram] = count - len(removed) + sum(self.counts[longer] for longer in removed)

    def probability(self, context: Sequence[int], symbol: int) -> float:
        """Return p(symbol | context)."""
        context = tuple(context[max(0, len(context) - self.model.order + 1) :])
        return self._probability(context, symbol, self.kept)

    def cost(self, ngram: NGram) -> float:
        """Return the relative entropy, times the occurrences of the context, of the model without an n-gram.

        The n-gram keeps its count, and other n-grams their probabilities after its context.
        """
        context = ngram[:-1]
        symbol = ngram[-1]
        symbols = range(self.model.symbols)
        before = [self.probability(context, w) for w in symbols]
        lower = [self._probability(context[1:], w, self.kept) for w in symbols]
        stays = [(*context, w) in self.kept and w != symbol for w in symbols]
        free = 1 - sum(p for p, is_kept in zip(before, stays, strict=True) if is_kept)
        rest = sum(p for p, is_kept in zip(lower, stays, strict=True) if not is_kept)
        after = [p if is_kept else free * q / rest for p, q, is_kept in zip(before, lower, stays, strict=True)]
        occurrences = sum(self.model.occurrences.get((*context, w), 0) for w in symbols)
        return occurrences * sum(p * math.log(p / q) for p, q in zip(before, after, strict=True))

    def _probability(self, context: NGram, symbol: int, kept: Collection[NGram]) -> float:
        """Return p(symbol | context) of the model that has only the n-grams `kept`."""
        lower = self._probability(context[1:], symbol, kept) if context else 1 / self.model.symbols
        D = self.model.discounts[len(context)]
        symbols = range(self.model.symbols)
        counts = [self.counts.get((*context, w), 0) for w in symbols]
        own = [n - D[min(n, 3)] if n and (*context, w) in kept else 0.0 for w, n in zip(symbols, counts, strict=True)]
        total = sum(counts)
        if not total or not any(own):
            return lower
        return own[symbol] / total + (1 - sum(own) / total) * lower
