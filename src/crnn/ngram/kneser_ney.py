"""The discounts of modified Kneser-Ney smoothing; `_kernels/ngram/probabilities.pxd` applies them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# For counts 1, 2 and 3 or more, if the text is too short or too regular for an estimate.
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)


def discounts(counts_of_counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the discounts subtracted from the counts 0, 1, 2 and 3 or more, for each n-gram length.

    `counts_of_counts` (order, 4) are the numbers of n-grams of each length that have count 1, 2, 3 and 4. These are
    Chen and Goodman's estimates, D_k = k - (k + 1) Y n_(k+1) / n_k with Y = n_1 / (n_1 + 2 n_2), or the
    `FALLBACK_DISCOUNTS`.
    """
    found = np.zeros((len(counts_of_counts), 4))
    found[:, 1:] = FALLBACK_DISCOUNTS
    for D, n in zip(found, counts_of_counts.astype(np.float64), strict=True):
        if n.all():
            Y = n[0] / (n[0] + 2 * n[1])
            for k in (1, 2, 3):
                estimate = k - (k + 1) * Y * n[k] / n[k - 1]
                D[k] = estimate if estimate > 0 else D[k]
    return found
