"""The look-ahead of counts: from each context and state of a goal, the probability that the text will match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import ngrams
from .._kernels.ngram.lookahead import Contexts
from ..inference.matching.goal import Goal
from ..runtime.cancellation import check_cancelled
from .counts import Counts
from .occurrences import levels_of

MAX_BYTES = 1 << 30  # of a look-ahead
MAX_VISITS = 1 << 31  # of entries, which takes several seconds
TOLERANCE = 1e-12  # relative change of the values in the last sweep
MIN_TEMPERATURE, MAX_BIAS = 0.05, 100.0  # beyond these, a weight may be too small or large for float64


def contexts_of(
    counts: Counts, temperature: float = 1.0, bias: NDArray[np.float64] | None = None
) -> Contexts | None:
    """Return the contexts of counts, with p ** (1 / temperature) * exp(bias / temperature) as weights.

    None: the weights may exceed float64, or the counts come from a crafted file.
    """
    biases = np.zeros(counts.symbols) if bias is None else bias
    if temperature < MIN_TEMPERATURE or (np.abs(biases[biases > -np.inf]) > MAX_BIAS * temperature).any():
        return None
    levels = [nodes[nodes >= 0] for nodes in levels_of(counts, counts.order)]
    nodes = np.concatenate(levels)
    numbers = np.full(counts.trie.node_count, -1, np.int32)
    numbers[nodes] = np.arange(len(nodes))
    n, room = len(nodes), sum(counts.n_grams) + counts.symbols
    suffixes, scales, firsts = np.zeros(n, np.int32), np.zeros(n), np.zeros(n + 1, np.int32)
    symbols, nexts, shorter = (np.zeros(room, np.int32) for _ in range(3))
    p = np.zeros(room)
    for depth, of_level in enumerate(levels):
        check_cancelled()
        arrays = suffixes, scales, firsts, symbols, nexts, shorter, p
        if not ngrams.unroll(counts.trie, depth, of_level, numbers, *arrays):
            return None
    symbols, nexts, shorter, p = (array[: firsts[-1]] for array in (symbols, nexts, shorter, p))
    if temperature != 1:
        scales, p = scales ** (1 / temperature), p ** (1 / temperature)
    weights = p if bias is None else p * np.exp(bias / temperature)[symbols]
    return Contexts(suffixes, scales, firsts, symbols, nexts, shorter, weights)


class Lookahead:
    """The probability of a match after any text, for one goal.

    Parameters
    ----------
    contexts : Contexts
    goal : Goal
    maximum : bool, default=False
        Whether to find an upper bound of the most probable continuation's probability instead of the sum of all.

    Attributes
    ----------
    values : (S + 2, N) array
        At least the probability, at most 1, superharmonic: see `_kernels/ngram/lookahead.pyx`.
    exact : bool
        Whether the values are the probabilities up to rounding.
    """

    def __init__(self, contexts: Contexts, goal: Goal, *, maximum: bool = False) -> None:
        self.contexts, self.goal = contexts, goal
        self.values = np.ones((len(goal.rows) + 2, contexts.n))
        self.values[-1] = 0
        self.exact = self._solve(maximum)

    def _solve(self, maximum: bool) -> bool:
        """Lower the values until they no longer change, for each cycle of states after the states that follow it."""
        visits = 0
        for cycle in _cycles(self.goal):
            change = 1.0
            while change > TOLERANCE:
                if visits > MAX_VISITS:
                    return False
                change = 0.0
                for state in cycle:
                    check_cancelled()
                    change = max(change, self.contexts.sweep(self.goal.rows[state], self.values, self.values[state], maximum))
                visits += len(cycle) * self.contexts.n
                if len(cycle) == 1 and cycle[0] not in self.goal.rows[cycle[0]]:
                    break
        return True

    def value(self, state: NDArray[np.int32]) -> float:
        """Return the value at the goal's start, after the last symbols of a text, (1, k)."""
        return float(self.values[self.goal.start, self.contexts.locate(np.ascontiguousarray(state))[0]])


def _cycles(goal: Goal) -> list[list[int]]:
    """Return the states in groups that reach each other, each group after the groups that it reaches (Tarjan)."""
    S, groups, waiting = len(goal.rows), list[list[int]](), list[int]()
    after = [[q for q in dict.fromkeys(row) if q < S] for row in goal.rows.tolist()]
    number, first = [0] * S, [0] * S  # in the order of discovery, from 1; the first state that a state reaches
    path = [(goal.start, iter(after[goal.start]))] if goal.start < S else []
    while path:
        q, rest = path[-1]
        if not number[q]:
            number[q] = first[q] = len(waiting) + sum(map(len, groups)) + 1
            waiting.append(q)
        for state in rest:
            if not number[state]:
                path.append((state, iter(after[state])))
                break
            first[q] = min(first[q], first[state])
        else:
            path.pop()
            if path:
                first[path[-1][0]] = min(first[path[-1][0]], first[q])
            if first[q] == number[q]:
                cut = waiting.index(q)
                groups.append(waiting[cut:][::-1])
                del waiting[cut:]
                for state in groups[-1]:
                    first[state] = S + 1
    return groups
