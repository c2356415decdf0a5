"""Weights of a mixture that follow the text, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]


def move_weights(
    logits: Sequence[Rows],
    weights: Rows,
    classes: NDArray[np.int32],
    x: NDArray[np.int32],
    rate: float,
    limit: float,
) -> tuple[Rows, Rows, Rows]:
    """Return log P of symbols x (n,), the weights (n, K) that predicted them, and those (C, K) after the text.

    `logits` are K arrays (n, V); `classes` (n,) choose the rows of `weights` (C, K). The loss -log p(x) of
    p = softmax(sum_k w_k y_k) has the derivative E_p[y_k] - y_k(x) by w_k. A step is `rate` times that, within
    `limit`. Weights stay at least 0, and an infinite derivative leaves its weight.
    """
    moved = weights.copy()
    log_p = np.empty(len(x))
    used = np.empty((len(x), len(logits)))
    for i, (c, symbol) in enumerate(zip(classes, x, strict=True)):
        used[i] = moved[c]
        rows = np.array([y[i] for y in logits])
        mixed = used[i][used[i] != 0] @ rows[used[i] != 0]
        largest = mixed.max()
        log_p[i] = mixed[symbol] - largest - np.log(np.exp(mixed - largest).sum())
        p = np.exp(mixed - largest) / np.exp(mixed - largest).sum()
        for k, row in enumerate(rows):
            derivative = float(p[p != 0] @ (row[p != 0] - row[symbol]))
            if np.isfinite(derivative):
                moved[c, k] = max(0.0, moved[c, k] - rate * float(np.clip(derivative, -limit, limit)))
    return log_p, used, moved
