"""Weights of several models, fitted to held-out texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..text.vocabulary import Ids
from .mixed_network import MixedNetwork
from .network import SCORE_ROWS, log_softmax, rows_of_call

MAX_BYTES = 1 << 27  # of log-probabilities: two models of 65 symbols take 1 kB per symbol, so 130,000 symbols are read
MAX_SYMBOLS = 1 << 17


def fitted_weights(network: MixedNetwork, ids: Ids, given: int) -> NDArray[np.float64]:
    """Return the weights, each at least 0, with the lowest loss on (the beginning of) a text.

    The first `given` symbols are read but not predicted.
    """
    K, V = len(network.members), network.symbols
    n = int(min(len(ids), MAX_SYMBOLS, max(SCORE_ROWS, MAX_BYTES // (8 * K * V))))
    x, steps = ids[:n].astype(np.int32), min(SCORE_ROWS, rows_of_call(V))
    rows = np.empty((K, n, V))
    for of_member, member in zip(rows, network.members, strict=True):
        state = member.zero_state(1)
        for i in range(0, n, steps):
            y = member.logits_before(x[i : i + steps, None], state)[:, 0, :V]
            of_member[i : i + steps] = log_softmax(y)
    rows, x = rows[:, given:], x[given:]
    at_targets = np.take_along_axis(rows, x[None, :, None].astype(np.intp), axis=2)[..., 0].mean(axis=1)  # (K,)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the mean of -log p and its gradient: the mean of log p_k under p, minus its mean over the text."""
        total, gradient = 0.0, np.zeros(K)
        for i in range(0, len(x), steps):
            part = rows[:, i : i + steps]
            y = np.tensordot(weights, part, axes=1)
            largest = y.max(axis=1, keepdims=True)
            p = np.exp(y - largest)
            sums = p.sum(axis=1, keepdims=True)
            total += float((largest + np.log(sums)).sum())
            gradient += np.tensordot(part, p / sums, axes=2)
        return total / len(x) - float(weights @ at_targets), gradient / len(x) - at_targets

    return best_weights(loss, K)


def best_weights(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]], K: int
) -> NDArray[np.float64]:
    """Return K weights, each at least 0, with the lowest loss; `loss` returns it with its gradient.

    The loss of a log-linear mixture is convex in the weights, so there is a single minimum. L-BFGS-B finds it from
    equal weights; the same texts give the same weights.
    """
    from scipy.optimize import minimize  # here, since importing it takes a while

    minimum = minimize(loss, np.full(K, 1 / K), jac=True, method="L-BFGS-B", bounds=[(0, None)] * K)
    return np.asarray(minimum.x)
