"""The probability that a text will match, from every context and state of a goal, by one dense system of equations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lookahead(p: NDArray[np.float64], nexts: NDArray[np.intp], rows: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the values h (S + 2, N) with h[q, c] = sum over s of p[c, s] * h[rows[q, s], nexts[c, s]].

    h is 1 in state S, a match, and 0 in state S + 1, where nothing can match.
    """
    S, V = rows.shape
    N = len(p)
    moves = np.zeros((S, N, S, N))
    matches = np.zeros((S, N))
    for q in range(S):
        for s in range(V):
            if rows[q, s] < S:
                moves[q, np.arange(N), rows[q, s], nexts[:, s]] += p[:, s]
            elif rows[q, s] == S:
                matches[q] += p[:, s]
    values = np.linalg.solve(np.eye(S * N) - moves.reshape(S * N, S * N), matches.ravel()).reshape(S, N)
    return np.vstack([values, np.ones((1, N)), np.zeros((1, N))])
