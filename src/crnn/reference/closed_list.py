"""The reference implementation of the search among the texts of a list: every text, with Python's lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def alignment_log_p(original: list[int], tables: Any) -> float:
    """Return the log-probability of the best alignment of an original with a damaged text; see `ListSearch`."""
    reads, plain, skips, inserts, swap, (replacements, replacement_costs, replacing) = tables
    n = len(skips)
    rows = np.full((len(original) + 1, n + 1), -np.inf)
    rows[0, 0] = 0.0
    for d in range(len(original) + 1):
        c = original[d - 1] if d else -1
        for j in range(n + 1):
            ways = [rows[d, j]]
            if d and j:
                ways.append(rows[d - 1, j - 1] + reads[c, j - 1])
            if d:
                ways.append(rows[d - 1, j] + inserts[c])
            if j:
                ways.append(rows[d, j - 1] + skips[j - 1])
            if d > 1 and j > 1:
                ways.append(rows[d - 2, j - 2] + swap + plain[c, j - 2] + plain[original[d - 2], j - 1])
            for (place, taken, first, stop), cost in zip(replacements.tolist(), replacement_costs, strict=True):
                symbols = replacing[first:stop].tolist()
                before = d - len(symbols)
                if place + taken == j and before >= 0 and original[before:d] == symbols:
                    ways.append(rows[before, place] + cost)
            rows[d, j] = max(ways)
    return float(rows[-1, -1])


def best_texts(texts: list[list[int]], log_p: NDArray[np.float64], tables: Any, count: int) -> list[tuple[int, float]]:
    """Return the numbers and scores of the `count` best originals, the best first, ties in order."""
    scores = [alignment_log_p(text, tables) + float(p) for text, p in zip(texts, log_p, strict=True)]
    order = sorted(range(len(texts)), key=lambda i: -scores[i])
    return [(i, scores[i]) for i in order[:count] if scores[i] > -np.inf]
