"""The weights of a mixture that predict a held-out text best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..text.vocabulary import Ids
from .mixed_network import letters_before
from .network import SCORE_ROWS, InferenceNetwork, log_softmax, rows_of_call

MAX_BYTES = 1 << 27  # of log-probabilities: two models of 65 symbols take 1 kB per symbol, so 130,000 symbols are read
MAX_SYMBOLS = 1 << 17
MAX_SYMBOLS_OF_ROW = 256  # of larger alphabets, the likeliest symbols are summed, and others sampled
N_LIKELIEST = 160
CLASSES = 4  # of weights: after 0, 1, 2, and 3 or more letters since the start of a word
MIN_CLASS = 500  # held-out symbols that a class needs for weights of its own


class HeldOutText:
    """Texts to fit weights to, each of them read from its start; of long ones, the beginning.

    `texts` are ids (n,) with the number of first symbols that are read but not predicted. `max_logits` limits the
    number of symbols times the size of the alphabet.

    With more than `MAX_SYMBOLS_OF_ROW` symbols, the probabilities of the likeliest are summed at each place, and those
    of some other symbols stand for the rest: C columns instead of V. Each of them stands for `exp(log_times)` symbols.
    """

    def __init__(
        self,
        texts: Sequence[tuple[Ids, int]],
        letters: NDArray[np.uint8],
        n_members: int,
        *,
        max_logits: float = math.inf,
    ) -> None:
        self._symbols = len(letters) - 1
        columns = min(self._symbols, MAX_SYMBOLS_OF_ROW)
        left = min(MAX_SYMBOLS, max(SCORE_ROWS, MAX_BYTES // (8 * n_members * columns)))
        left = int(min(left, max(SCORE_ROWS, max_logits / self._symbols)))
        self._texts: list[tuple[NDArray[np.int32], int]] = []
        for ids, given in texts:
            if left > given:
                self._texts.append((ids[:left].astype(np.int32), given))
                left -= len(self._texts[-1][0])
        classes = []
        for x, given in self._texts:
            before = np.full((1, CLASSES - 1), -1, np.int32)
            classes.append(letters_before(letters, x[:, None], before)[given:-1, 0])
        self._classes = np.concatenate(classes)
        self._ids = np.concatenate([x[given:] for x, given in self._texts]).astype(np.intp)
        self._steps = min(SCORE_ROWS, rows_of_call(self._symbols))
        self._columns: NDArray[np.intp] | None = None  # the symbols of each row (n, C), the target first; None: all
        self._log_times: NDArray[np.float64] | None = None  # (n, C)

    def all_rows(self, members: Sequence[Sequence[InferenceNetwork]]) -> list[NDArray[np.float64]]:
        """Return the `rows` of all members, whose likeliest symbols become the columns of a large alphabet."""
        if self._symbols <= MAX_SYMBOLS_OF_ROW:
            return [self.rows(networks) for networks in members]
        rng = np.random.default_rng(0)
        columns = []
        log_times = []
        rows: list[list[NDArray[np.float64]]] = [[] for _ in members]
        for place, *blocks in zip(self._places(), *map(self._blocks, members), strict=True):
            chosen, times = self._choose(self._ids[place], sum(blocks), rng)
            columns.append(chosen)
            log_times.append(times)
            for of_member, block in zip(rows, blocks, strict=True):
                of_member.append(np.take_along_axis(block, chosen, axis=1))
        self._columns = np.concatenate(columns)
        self._log_times = np.concatenate(log_times)
        return [np.concatenate(of_member) for of_member in rows]

    def rows(self, networks: Sequence[InferenceNetwork]) -> NDArray[np.float64]:
        """Return log P of the columns' symbols at each predicted place, (n, C), by a member's network for each text."""
        found = []
        for place, block in zip(self._places(), self._blocks(networks), strict=True):
            found.append(block if self._columns is None else np.take_along_axis(block, self._columns[place], axis=1))
        return np.concatenate(found)

    def _places(self) -> Iterator[slice]:
        """Yield the predicted places of each block."""
        start = 0
        for x, given in self._texts:
            for i in range(0, len(x), self._steps):
                n = max(0, min(len(x), i + self._steps) - max(i, given))
                yield slice(start, start + n)
                start += n

    def _blocks(self, networks: Sequence[InferenceNetwork]) -> Iterator[NDArray[np.float64]]:
        """Yield log P of all symbols at the predicted places of each block, (n, V)."""
        for (x, given), network in zip(self._texts, networks, strict=False):  # a text may have been left out
            state = network.zero_state(1)
            for i in range(0, len(x), self._steps):
                y = network.logits_before(x[i : i + self._steps, None], state)[:, 0, : self._symbols]
                yield log_softmax(y)[max(0, given - i) :]

    def _choose(
        self, targets: NDArray[np.intp], log_p: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return some symbols for each row, the target first, and the logarithm of how many symbols each stands for."""
        n, V = log_p.shape
        at = np.arange(n)[:, None]
        likeliest = np.argpartition(log_p, V - N_LIKELIEST, axis=1)[:, V - N_LIKELIEST :]
        others = rng.integers(V, size=(n, MAX_SYMBOLS_OF_ROW - 1 - N_LIKELIEST))
        chosen = np.hstack([targets[:, None], likeliest, others])
        is_known = np.zeros((n, V), bool)
        is_known[at, chosen[:, : 1 + N_LIKELIEST]] = True
        n_others = V - is_known.sum(axis=1, keepdims=True)
        is_other = ~is_known[at, others]
        times = np.zeros(chosen.shape)
        times[:, 0] = 1
        times[:, 1 : 1 + N_LIKELIEST] = likeliest != targets[:, None]
        times[:, 1 + N_LIKELIEST :] = is_other * (n_others / np.maximum(is_other.sum(axis=1, keepdims=True), 1))
        with np.errstate(divide="ignore"):
            return chosen, np.log(times)

    def fit(self, rows: Sequence[Array], *, sum_to_one: bool = False) -> tuple[NDArray[np.float64], float]:
        """Return the members' weights, each at least 0, with the lowest loss, and that loss, given their `rows`.

        The weights are (C, K), or (K,) if no class has enough symbols; such a class gets those for the whole text. With
        `sum_to_one`, those of each class are divided by their sum, and are equal if all are 0.
        """
        every = np.arange(len(self._ids))
        whole = self._fit(rows, every, sum_to_one)
        weights = list[NDArray[np.float64]]()
        total = 0.0
        places = [np.flatnonzero(self._classes == c) for c in range(CLASSES)]
        for of_class in places:
            part = [of_member[of_class] for of_member in rows]
            found = self._fit(part, of_class, sum_to_one) if len(of_class) >= MIN_CLASS else whole
            weights.append(found)
            total += self._loss(part, of_class, found)[0]
        return np.array(weights) if max(map(len, places)) >= MIN_CLASS else whole, total / len(every)

    def loss(self, rows: Array) -> float:
        """Return the mean of -log p of the texts' symbols by one member, given its rows."""
        return -float(self._at_targets(rows, np.arange(len(self._ids))).mean())

    def _at_targets(self, rows: Array, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the log-probabilities of the symbols at some places, whose `rows` are given."""
        column = self._ids[places] if self._columns is None else np.zeros(len(places), np.intp)
        return np.take_along_axis(rows, column[:, None], axis=1)[:, 0]

    def _fit(self, rows: Sequence[Array], places: NDArray[np.intp], sum_to_one: bool) -> NDArray[np.float64]:
        """Find the best weights at some places; with a sum of 1, not worse than the best member alone."""

        def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            total, gradient = self._loss(rows, places, weights)
            return total / len(places), gradient / len(places)

        weights = best_weights(loss, len(rows))
        if not sum_to_one:
            return weights
        weights = weights / weights.sum() if weights.any() else np.full(len(rows), 1 / len(rows))
        alone = [-float(self._at_targets(of_member, places).sum()) for of_member in rows]
        if min(alone) < self._loss(rows, places, weights)[0]:
            return np.where(np.arange(len(rows)) == np.argmin(alone), 1.0, 0.0)
        return weights

    def _loss(
        self, rows: Sequence[Array], places: NDArray[np.intp], weights: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the sum of -log p of the symbols at some places, whose `rows` are given, and its gradient.

        The gradient is log p_k under p, minus the symbols'.
        """
        at_targets = np.array([self._at_targets(part, places).sum() for part in rows])
        total = -float(weights @ at_targets)
        gradient = -at_targets
        for i in range(0, len(places), self._steps):
            parts = [part[i : i + self._steps] for part in rows]
            y = np.zeros_like(parts[0])
            for weight, part in zip(weights, parts, strict=True):
                y += weight * part
            if self._log_times is not None:
                y += self._log_times[places[i : i + self._steps]]
            largest = y.max(axis=1, keepdims=True)
            p = np.exp(y - largest)
            sums = p.sum(axis=1, keepdims=True)
            total += float((largest + np.log(sums)).sum())
            p /= sums
            # Not np.vdot: a BLAS splits it among its threads, which takes up to 20 ms if they are busy.
            gradient += [float(np.einsum("ij,ij->", part, p)) for part in parts]
        return total, gradient


def import_minimizer() -> None:
    """Import what `best_weights` needs, which takes about half a second, ahead of its call."""
    import scipy.optimize  # noqa: F401


def best_weights(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]], K: int
) -> NDArray[np.float64]:
    """Return K weights, each at least 0, with the lowest loss, which is convex; `loss` returns it with its gradient."""
    from scipy.optimize import minimize  # here, since importing it takes a while

    minimum = minimize(loss, np.full(K, 1 / K), jac=True, method="L-BFGS-B", bounds=[(0, None)] * K)
    return np.asarray(minimum.x)
