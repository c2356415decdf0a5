"""Counts of words with Python dictionaries, straight from their definition, without hashes or rounding."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from .kneser_ney import discounts

Context = tuple[tuple[int, ...], ...]
WINDOW = 48  # the symbols that a context depends on


def contexts(
    text: Sequence[int], letters: Sequence[bool], folds: Sequence[int], boundary: int | None = None
) -> list[Context]:
    """Return the contexts at the end of a text: the letters so far, then also one previous word, then two.

    If the last symbol is not a letter, the symbols since the last letter take the place of the letters. Nothing before
    the last boundary, or before the last `WINDOW` symbols, counts.
    """
    text = list(text[-WINDOW:])
    if boundary in text:
        text = text[len(text) - text[::-1].index(boundary) :]
    runs: list[list[int]] = []  # of letters and of other symbols in turn, the last one first
    for symbol in reversed(text):
        if not runs or letters[symbol] != letters[runs[-1][-1]]:
            runs.append([])
        runs[-1].append(symbol)
    so_far = [folds[symbol] for symbol in runs[0]] if runs else []
    kind = (int(bool(runs) and not letters[runs[0][0]]),)
    words = [tuple(folds[symbol] for symbol in run) for run in runs[1:] if letters[run[0]]]
    words += [(), ()]
    return [(kind, tuple(so_far), *words[:n]) for n in range(3)]


class WordCounts:
    """Kneser-Ney counts of folded symbols after the contexts of one text, or of documents that end with a boundary.

    N-grams with 0, 1 and 2 previous words whose count is below `least` are left out after counting; what they had goes
    to the shorter contexts. Tables store `rounded` shares, after which the probabilities no longer sum to 1.
    """

    def __init__(
        self,
        text: Sequence[int],
        letters: Sequence[bool],
        folds: Sequence[int],
        boundary: int | None = None,
        least: Sequence[int] = (1, 1, 2),
        rounded: Callable[[float], float] = float,
    ) -> None:
        self.least = least
        self.rounded = rounded
        self.letters = letters
        self.folds = folds
        self.boundary = boundary
        start = 0 if boundary is None else 1
        occurrences = Counter[tuple[Context, int]]()
        longer: list[defaultdict[tuple[Context, int], set[Context]]] = [defaultdict(set), defaultdict(set)]
        for i in range(start, len(text)):
            found = contexts(text[:i], letters, folds, boundary)
            symbol = folds[text[i]]
            occurrences[found[2], symbol] += 1
            longer[1][found[1], symbol].add(found[2])
            longer[0][found[0], symbol].add(found[1])
        self.counts: list[dict[tuple[Context, int], int]] = [
            *({n_gram: len(found) for n_gram, found in level.items()} for level in longer),
            dict(occurrences),
        ]
        self.discounts = [discounts(list(level.values())) for level in self.counts]
        n_contexts = Counter(symbol for _, symbol in self.counts[0])
        D = discounts(list(n_contexts.values()))
        total = sum(n_contexts.values())
        folded = [symbol for symbol, fold in enumerate(folds) if symbol == fold]
        left = sum(D[min(n, 3)] for n in n_contexts.values()) / len(folded)
        self.base = {symbol: (n_contexts[symbol] - D[min(n_contexts[symbol], 3)] + left) / total for symbol in folded}

    def folded(self, text: Sequence[int]) -> dict[int, float]:
        """Return the probability of each folded symbol after a text."""
        p = dict(self.base)
        found = contexts(text, self.letters, self.folds, self.boundary)
        for counts, D, context, least in zip(self.counts, self.discounts, found, self.least, strict=True):
            following = {symbol: n for (known, symbol), n in counts.items() if known == context}
            total = sum(following.values())
            kept = {symbol: (n - D[min(n, 3)]) / total for symbol, n in following.items() if n >= least}
            if not kept:
                continue
            back_off = self.rounded(1 - sum(kept.values()))
            shares = {symbol: self.rounded(share) for symbol, share in kept.items()}
            p = {symbol: back_off * shorter + shares.get(symbol, 0) for symbol, shorter in p.items()}
        return p

    def probabilities(self, text: Sequence[int], others: Sequence[float]) -> list[float]:
        """Return the probability of each symbol after a text; `others`, by another model, tell the cases apart."""
        folded = self.folded(text)
        sums = defaultdict[int, float](float)
        for symbol, p in enumerate(others):
            sums[self.folds[symbol]] += p
        return [folded[fold] * p / sums[fold] for fold, p in zip(self.folds, others, strict=True)]
