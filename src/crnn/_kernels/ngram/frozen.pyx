"""Contexts of n-grams that no longer change, as sorted arrays: the probability of a symbol, or of all symbols.

A context has an entry for each kept symbol, with p(symbol | context) and the next context. Another symbol has the
context's scale times its probability after the suffix, and the same next context as there. The empty context has an
entry for every symbol. See `ngrams.unroll`; here the suffix is the longest shorter context that was kept.

`reading` has the functions that read texts by them.
"""
# The same in Python: `reference/pruned_counts.py`.
from libc.math cimport log
from ..entry.core import require_size
from .reading cimport ContextReader
from .trie cimport Cursor, first_not_below


cdef struct Arrays:
    int symbols
    int context  # symbols of the longest context
    const int* suffixes
    const int* firsts
    const int* entry_symbols
    const int* nexts
    const double* scales
    const double* p


cdef class FrozenContexts(ContextReader):
    """Contexts of n-grams with their probabilities.

    Parameters
    ----------
    context : int
        The number of symbols of the longest context.
    suffixes, scales : (N,) arrays
        A suffix comes before its context.
    firsts : (N + 1,) array
    symbols, nexts, p : (E,) arrays
    """
    cdef Arrays a
    cdef const int[::1] suffixes, firsts, symbols, nexts
    cdef const double[::1] scales, p

    def __cinit__(self, int context, const int[::1] suffixes not None, const double[::1] scales not None,
                  const int[::1] firsts not None, const int[::1] symbols not None, const int[::1] nexts not None,
                  const double[::1] p not None):
        cdef Py_ssize_t N = suffixes.shape[0], E = symbols.shape[0], i
        cdef bint good = N > 0 and E > 0 and context >= 0
        require_size("scales", scales.shape[0], N)
        require_size("firsts", firsts.shape[0], N + 1)
        require_size("next contexts", nexts.shape[0], E)
        require_size("probabilities", p.shape[0], E)
        good = good and firsts[0] == 0 and firsts[N] == E
        for i in range(N if good else 0):
            good &= firsts[i] <= firsts[i + 1] and 0 <= suffixes[i] < max(i, 1)
        for i in range(E if good else 0):
            good &= 0 <= symbols[i] < firsts[1] and 0 <= nexts[i] < N and 0 < p[i] <= 1
        for i in range(firsts[1] if good else 0):
            good &= symbols[i] == i
        if not good:
            raise ValueError("the arrays do not hold contexts of n-grams")
        self.suffixes = suffixes
        self.scales = scales
        self.firsts = firsts
        self.symbols = symbols
        self.nexts = nexts
        self.p = p
        self.a.symbols = firsts[1]
        self.a.context = context
        self.a.suffixes = &suffixes[0]
        self.a.firsts = &firsts[0]
        self.a.entry_symbols = &symbols[0]
        self.a.nexts = &nexts[0]
        self.a.scales = &scales[0]
        self.a.p = &p[0]
        self.source.source = &self.a
        self.source.fill = fill_after
        self.source.symbols = self.a.symbols
        self.source.context = self.a.context

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil:
        """The longest context at the end of n symbols; negative symbols stand for what comes before a text."""
        return at_context(context_of(&self.a, symbols, n))

    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil:
        """out[i * stride] = log P(ids[i * stride]); the context becomes the one after the symbols."""
        cdef Py_ssize_t i
        for i in range(n):
            out[i * stride] = log(advance(&self.a, &c.node, ids[i * stride]))

    cdef void fill(self, Cursor c, double* row) noexcept nogil:
        """row[w] = log p(w | context) for all symbols w."""
        fill_row(&self.a, c.node, row)

    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil:
        """The longest context after another symbol."""
        advance(&self.a, &c.node, symbol)
        return c


cdef inline Cursor at_context(int context) noexcept nogil:
    """A cursor at a context, whose length does not matter here."""
    cdef Cursor c
    c.node = context
    c.depth = c.full = c.place = 0
    return c


cdef inline double advance(const Arrays* a, int* c, int symbol) noexcept nogil:
    """p(symbol | context c); c becomes the next context."""
    cdef double scale = 1
    cdef int context = c[0], first
    cdef Py_ssize_t n, i
    while context:
        first = a.firsts[context]
        n = a.firsts[context + 1] - first
        i = first_not_below(a.entry_symbols + first, n, symbol) if n else 0
        if i < n and a.entry_symbols[first + i] == symbol:
            c[0] = a.nexts[first + i]
            return scale * a.p[first + i]
        scale *= a.scales[context]
        context = a.suffixes[context]
    c[0] = a.nexts[symbol]
    return scale * a.p[symbol]


cdef inline int context_of(const Arrays* a, const int* symbols, Py_ssize_t n) noexcept nogil:
    """The number of the longest context at the end of n symbols; negative ones stand for what precedes a text."""
    cdef int c = 0
    cdef Py_ssize_t i
    for i in range(max(0, n - a.context), n):
        if symbols[i] >= 0:
            advance(a, &c, symbols[i])
    return c


cdef inline void fill_row(const Arrays* a, int c, double* row) noexcept nogil:
    """row[w] = log p(w | context c) for all symbols w."""
    cdef double scale = 1
    cdef int w, e
    for w in range(a.symbols):
        row[w] = 0
    while True:
        for e in range(a.firsts[c], a.firsts[c + 1]):
            if row[a.entry_symbols[e]] == 0:
                row[a.entry_symbols[e]] = scale * a.p[e]
        if not c:
            break
        scale *= a.scales[c]
        c = a.suffixes[c]
    for w in range(a.symbols):
        row[w] = log(row[w])


cdef inline void fill_after(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    """A row of logits for any caller, see `row_source`."""
    cdef const Arrays* a = <const Arrays*>source
    fill_row(a, context_of(a, symbols, n), row)
