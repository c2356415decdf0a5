"""Counts with a look-ahead: the probability that a text will match, and texts drawn from those that do.

A goal is an automaton: table (S, C) gives the state after a state and a class of symbols, class_of (V,) the class of
each symbol. State S is a match, and state S + 1 means that nothing matches. ahead[q, c] is at least the probability
that a text in state q and context c will match, at most 1, and 1 or 0 in the states S and S + 1. It is superharmonic:
at least the mean of its value after the next symbol. A trial draws each symbol with probability p * (ahead after it) /
(ahead before it) and fails with what is left. A text that matches is then drawn with probability p(text) / (ahead at
the start), whatever the values in between.
"""
# The same in NumPy: `reference/lookahead.py`.
from libc.stdint cimport uint64_t
import numpy as np
from ..common.interface cimport UInt128
from ..entry.core import require_size
from ..inference.pcg64 cimport next_uniform, wide
from .trie cimport first_not_below

cdef double ABOVE = 1 + 1e-14  # more than a sum's rounding error, so that rounded values stay superharmonic


cdef class Contexts:
    """Contexts of n-grams as arrays, see `ngrams.unroll`; weights of symbols take the place of probabilities.

    Parameters
    ----------
    suffixes, scales : (N,) arrays
    firsts : (N + 1,) array
    symbols, nexts, shorter, weights, lower_weights : (E,) arrays
        A symbol has its lower weight if the context has no entry for it. The weights may be any function of the
        probabilities with f(scale * p) = f(scale) * f(p), with f(scale) in place of the scales.
    """
    cdef const int[::1] suffixes, firsts, symbols, nexts
    cdef const double[::1] scales, weights
    cdef int[::1] shorter_nexts  # of each entry: the next context after the suffix,
    cdef const double[::1] shorter_weights  # and the weight there, scaled
    cdef double[::1] weight_gains  # what an entry's weight is above that one
    cdef double[::1] sums, inverse_totals
    cdef double[::1] totals
    cdef double above
    cdef Py_ssize_t longest  # the first context whose entries all have the same next context after the suffix
    cdef readonly Py_ssize_t n, V

    def __init__(self, const int[::1] suffixes not None, const double[::1] scales not None,
                 const int[::1] firsts not None, const int[::1] symbols not None, const int[::1] nexts not None,
                 const int[::1] shorter not None, const double[::1] weights not None,
                 const double[::1] lower_weights not None):
        cdef Py_ssize_t N = suffixes.shape[0], E = symbols.shape[0], i
        cdef bint good = N > 0
        require_size("scales", scales.shape[0], N)
        require_size("firsts", firsts.shape[0], N + 1)
        require_size("next contexts", nexts.shape[0], E)
        require_size("shorter entries", shorter.shape[0], E)
        require_size("weights", weights.shape[0], E)
        require_size("lower weights", lower_weights.shape[0], E)
        good = good and firsts[0] == 0 and firsts[N] == E
        for i in range(N):
            good &= firsts[i] <= firsts[i + 1] and 0 <= suffixes[i] < max(i, 1)
        self.V = firsts[1] if good else 0
        for i in range(E):
            good &= 0 <= symbols[i] < self.V and 0 <= nexts[i] < N and 0 <= shorter[i] <= i
            good &= i >= self.V or symbols[i] == i
        if not good:
            raise ValueError("the arrays do not hold contexts of n-grams")
        self.suffixes = suffixes
        self.scales = scales
        self.firsts = firsts
        self.symbols = symbols
        self.nexts = nexts
        self.weights = weights
        self.n = N
        self.shorter_nexts = np.asarray(nexts)[shorter]
        self.shorter_weights = lower_weights
        self.weight_gains = np.asarray(weights) - self.shorter_weights
        same = np.asarray(nexts) == self.shorter_nexts
        same[:self.V] = False
        self.longest = np.searchsorted(firsts, E - np.argmin(same[::-1]) - 1, side="right")
        self.sums = np.empty(N)
        self.above = 1
        self.inverse_totals = np.ones(N)
        self.sweep(np.zeros(self.V, np.int32), np.ones((1, N)), np.zeros(N), False)
        self.totals = np.array(self.sums)
        self.inverse_totals = 1 / np.asarray(self.totals)
        self.above = ABOVE

    def sweep(self, const int[::1] rows not None, double[:, ::1] ahead not None, double[::1] out not None,
              bint maximum) -> float:
        """Lower `out` (N,) to the mean of `ahead` after the next symbol, or its maximum; return the largest change.

        rows (V,) are the states after each symbol. The change is relative. `out` may be a row of `ahead`.
        """
        cdef Py_ssize_t i, e, R = ahead.shape[0]
        cdef double gain, loss, new, smallest = 1
        cdef const double* at
        require_size("rows", rows.shape[0], self.V)
        require_size("contexts", ahead.shape[1], self.n)
        for i in range(self.V):
            if not 0 <= rows[i] < R:
                raise ValueError(f"state {rows[i]} of {R}")
        require_size("values", out.shape[0], self.n)
        with nogil:
            for i in range(self.n):
                gain = self.scales[i] * self.sums[self.suffixes[i]] if i else 0
                loss = 0
                if maximum:
                    for e in range(self.firsts[i], self.firsts[i + 1]):
                        gain = max(gain, self.weights[e] * ahead[rows[self.symbols[e]], self.nexts[e]])
                elif i >= self.longest:
                    for e in range(self.firsts[i], self.firsts[i + 1]):
                        gain += self.weight_gains[e] * ahead[rows[self.symbols[e]], self.nexts[e]]
                else:
                    # The symbols' own terms take the place of those after the shorter context.
                    for e in range(self.firsts[i], self.firsts[i + 1]):
                        at = &ahead[rows[self.symbols[e]], 0]
                        gain += self.weights[e] * at[self.nexts[e]]
                        loss += self.shorter_weights[e] * at[self.shorter_nexts[e]]
                self.sums[i] = gain * self.above - loss
            for i in range(self.n):
                new = self.sums[i] * self.inverse_totals[i]
                if new < out[i]:
                    smallest = min(smallest, new / out[i])
                    out[i] = new
        return 1 - smallest

    def locate(self, const int[:, ::1] texts not None) -> object:
        """Return the context at the end of each of some rows of symbols (B, k); -1 stands before the beginning."""
        cdef Py_ssize_t B = texts.shape[0], b, i
        cdef int[::1] found = np.zeros(B, np.int32)
        for b in range(B):
            for i in range(texts.shape[1]):
                if texts[b, i] >= self.V:
                    raise ValueError(f"symbol {texts[b, i]} of {self.V}")
                if texts[b, i] >= 0:
                    found[b] = self.nexts[self.entry(found[b], texts[b, i])]
        return np.asarray(found)

    cdef Py_ssize_t entry(self, int context, int symbol) noexcept nogil:
        """The entry of a symbol in the longest suffix of a context that has one."""
        cdef Py_ssize_t first, n, i
        while context:
            first = self.firsts[context]
            n = self.firsts[context + 1] - self.firsts[context]
            i = first_not_below(&self.symbols[first], n, symbol) if n else 0
            if i < n and self.symbols[first + i] == symbol:
                return first + i
            context = self.suffixes[context]
        return symbol

    def values(self, const int[:, ::1] table not None, const int[::1] class_of not None,
               const double[:, ::1] ahead not None, const int[::1] contexts not None, const int[::1] states not None,
               double[:, ::1] out not None):
        """out[b, s] = ahead after symbol s in contexts[b] and states[b]."""
        cdef Py_ssize_t b
        cdef int s
        self.check(table, class_of, ahead)
        require_size("values", out.shape[0], contexts.shape[0])
        require_size("symbols", out.shape[1], self.V)
        for b in range(contexts.shape[0]):
            self.check_start(table, contexts[b], states[b])
            for s in range(self.V):
                out[b, s] = ahead[table[states[b], class_of[s]], self.nexts[self.entry(contexts[b], s)]]

    cdef int check(self, const int[:, ::1] table, const int[::1] class_of, const double[:, ::1] ahead) except -1:
        """Raise an error unless an automaton has this alphabet, and `ahead` its states and these contexts."""
        require_size("symbols", class_of.shape[0], self.V)
        require_size("states", ahead.shape[0], table.shape[0] + 2)
        require_size("contexts", ahead.shape[1], self.n)
        if np.min(table, initial=0) < 0 or np.max(table, initial=0) > table.shape[0] + 1:
            raise ValueError("a state is out of range")
        if np.min(class_of) < 0 or np.max(class_of) >= table.shape[1]:
            raise ValueError("a class of symbols is out of range")
        return 0

    cdef int check_start(self, const int[:, ::1] table, int context, int state) except -1:
        """Raise an error unless a context is one of these, and a state is one of the automaton's."""
        if not (0 <= context < self.n and 0 <= state < table.shape[0]):
            raise ValueError(f"context {context} of {self.n}, state {state} of {table.shape[0]}")
        return 0

    def draw(self, const int[:, ::1] table not None, const int[::1] class_of not None, const int[::1] steps not None,
             const double[:, ::1] ahead not None, int context, int state, int end, uint64_t[:, ::1] random not None,
             const uint64_t[::1] increment not None, int[:, ::1] texts not None, Py_ssize_t[::1] lengths not None):
        """Make a trial with each stream of random numbers: texts (B, n) of lengths (B,), -1 for one that failed.

        steps (S,) are the fewest symbols to a match; `end` is the symbol that ends a document, or -1.
        """
        cdef Py_ssize_t B = texts.shape[0], n = texts.shape[1], b, t, e, q, S = table.shape[0]
        cdef int c, now = 0, node, symbol, chosen
        cdef double u, cumulated, factor
        cdef UInt128 plus = wide(&increment[0])
        cdef int[::1] seen = np.zeros(self.V, np.int32)  # the number of the draw in which a symbol was last met
        self.check(table, class_of, ahead)
        self.check_start(table, context, state)
        require_size("steps", steps.shape[0], S)
        require_size("halves of an increment", increment.shape[0], 2)
        require_size("streams", random.shape[0], B)
        require_size("halves of a stream", random.shape[1], 2)
        require_size("lengths", lengths.shape[0], B)
        with nogil:
            for b in range(B):
                c = context
                q = state
                t = 0
                lengths[b] = -1
                while steps[q] <= n - t:
                    u = next_uniform(&random[b, 0], plus) * ahead[q, c] * self.totals[c]
                    now = now + 1
                    node = c
                    cumulated = 0
                    factor = 1
                    chosen = -1
                    while chosen < 0:
                        for e in range(self.firsts[node], self.firsts[node + 1]):
                            symbol = self.symbols[e]
                            if seen[symbol] != now:
                                seen[symbol] = now
                                cumulated += factor * self.weights[e] * ahead[table[q, class_of[symbol]], self.nexts[e]]
                                if cumulated > u:
                                    chosen = <int>e
                                    break
                        if not node:
                            break
                        factor *= self.scales[node]
                        node = self.suffixes[node]
                    if chosen < 0:
                        break
                    symbol = self.symbols[chosen]
                    c = self.nexts[chosen]
                    q = table[q, class_of[symbol]]
                    if symbol != end:
                        if t == n:
                            break
                        texts[b, t] = symbol
                        t += 1
                    if q == S:
                        lengths[b] = t
                        break
