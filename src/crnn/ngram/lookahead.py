"""The look-ahead of counts: from each context and state of a goal, the probability that the text will match."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram.lookahead import Contexts
from ..matching.goal import Goal
from ..runtime.machine import available_bytes
from ..runtime.signals import check_canceled
from ..sampling.controls import Uniforms
from .frozen import FrozenCounts
from .loaded_counts import LoadedCounts
from .stored_counts import AnyCounts, growing
from .unrolled import UnrolledCounts

MAX_BYTES = 1 << 30  # of a look-ahead
MAX_VISITS = 1 << 31  # of entries, which takes several seconds
CALL_VISITS = 1 << 24  # maximum of a call that draws, so that Ctrl-C gets through
TOLERANCE = 1e-12  # relative change of the values in the last sweep
# Beyond these, a weight may be too small or large for float64.
MIN_TEMPERATURE = 0.05
MAX_BIAS = 100.0


def weighted_contexts(counts: AnyCounts, temperature: float, bias: NDArray[np.float64] | None) -> Contexts | None:
    """Return the contexts, weighted by p ** (1 / temperature) * exp(bias / temperature); None if it may overflow."""
    biases = np.zeros(counts.symbols) if bias is None else bias
    if temperature < MIN_TEMPERATURE or (np.abs(biases[biases > -np.inf]) > MAX_BIAS * temperature).any():
        return None
    c = unrolled_contexts(counts)
    weights = c.p ** (1 / temperature)
    lower = c.lower ** (1 / temperature)
    if bias is not None:
        factors = np.exp(bias / temperature)[c.symbols]
        weights *= factors
        lower *= factors
    return Contexts(c.suffixes, c.scales ** (1 / temperature), c.firsts, c.symbols, c.nexts, c.shorter, weights, lower)


def unrolled_contexts(counts: AnyCounts) -> UnrolledCounts:
    """Return the contexts of counts as rows of arrays."""
    return counts.contexts if isinstance(counts, FrozenCounts) else UnrolledCounts.of(growing(counts))


def fits_memory(counts: AnyCounts, goal: Goal) -> bool:
    """Return whether a look-ahead takes a moderate part of the memory."""
    if isinstance(counts, FrozenCounts):
        contexts = len(counts.contexts.scales)
    elif isinstance(counts, LoadedCounts):
        contexts = counts.contexts
    else:
        contexts = 1 + sum(counts.n_grams[:-1]) if counts.keeps_text else counts.trie.node_count
    n_gram_bytes = 80 if counts.keeps_text else 60  # all n-grams must first be stored
    needed = 8 * (len(goal.table) + 2) * contexts + n_gram_bytes * sum(counts.n_grams)
    available = available_bytes()
    return needed <= MAX_BYTES and (available is None or needed <= available // 2)


class Lookahead:
    """The probability of a match after any text, for one goal, and samples that match."""

    lower = 0.0

    def __init__(self, contexts: Contexts, goal: Goal, state: NDArray[np.int32], *, maximum: bool = False) -> None:
        self.contexts = contexts
        self.goal = goal
        self.start = int(contexts.locate(np.ascontiguousarray(state))[0])
        self.values = _ones((len(goal.table) + 2, contexts.n))
        self.values[-1] = 0
        self._exact = self._solve(maximum)
        self.upper = float(self.values[goal.start, self.start])

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
                    check_canceled()
                    after = self.goal.after_each(state)
                    change = max(change, self.contexts.sweep(after, self.values, self.values[state], maximum=maximum))
                visits += len(cycle) * self.contexts.n
                if len(cycle) == 1 and cycle[0] not in self.goal.table[cycle[0]]:
                    break
        return True

    def probability(self, length: int | None) -> float | None:
        """Return the probability of a match, within a number of symbols if given; None if it takes too long."""
        if length is None:
            return self.upper if self._exact else None
        S = len(self.goal.table)
        steps = length + (self.goal.end >= 0)
        if S * steps * self.contexts.n > MAX_VISITS:
            return None
        values = np.zeros_like(self.values)
        values[S] = 1
        for _ in range(steps):
            following = _ones(values.shape)
            following[S + 1] = 0
            for state in range(S):
                check_canceled()
                self.contexts.sweep(self.goal.after_each(state), values, following[state], maximum=False)
            values = following
        return float(values[self.goal.start, self.start])

    def run(self, uniforms: Uniforms, n: int) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Draw a text that matches with each stream of random numbers; see `Trials.run`."""
        B = len(uniforms.states)
        goal = self.goal
        texts = np.empty((B, n), np.int32)
        lengths = np.empty(B, np.intp)
        tables = (goal.table, goal.class_of, goal.steps, self.values)
        start = (self.start, goal.start, goal.end)
        step = max(1, CALL_VISITS // (max(1, n) * self.contexts.V))
        for i in range(0, B, step):
            check_canceled()
            part = slice(i, i + step)
            random = uniforms.states[part], uniforms.increment
            self.contexts.draw(*tables, *start, *random, texts[part], lengths[part])
        return texts, lengths

    def log_values(self, state: NDArray[np.int32], q: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the logarithm of the value after each symbol (B, V), for texts' last symbols (B, k), goal states q."""
        contexts = self.contexts.locate(np.ascontiguousarray(state))
        out = np.empty((len(q), self.contexts.V))
        tables = self.goal.table, self.goal.class_of, self.values
        self.contexts.values(*tables, contexts, q.astype(np.int32), out)
        with np.errstate(divide="ignore"):
            logarithms: NDArray[np.float64] = np.log(out)
        return logarithms


def _ones(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the values before the first sweep: ones, written row by row, so that a signal need not wait."""
    ones = np.empty(shape)
    for row in ones:
        row.fill(1)
    return ones


def _cycles(goal: Goal) -> list[list[int]]:
    """Return the states in groups that reach each other, each group after the groups that it reaches (Tarjan)."""
    S = len(goal.table)
    groups = list[list[int]]()
    waiting = list[int]()
    after = [[q for q in dict.fromkeys(row.tolist()) if q < S] for row in goal.table]
    number = [0] * S  # in the order of discovery, from 1
    first = [0] * S  # the first state that a state reaches
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
