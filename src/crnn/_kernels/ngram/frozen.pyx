"""Contexts of n-grams that no longer change, as sorted arrays: the probability of a symbol, or of all symbols.

A context has an entry for each kept symbol, with p(symbol | context) and the next context. Another symbol has the
context's scale times its probability after the suffix, and the same next context as there. The empty context has an
entry for every symbol. See `ngrams.unroll`; here the suffix is the longest shorter context that was kept.

The functions have the arguments of the functions of `ngrams` with the same names.
"""
# The same in Python: `reference/pruned_counts.py`.
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.math cimport log
from libc.string cimport memcpy
from ..common.row_source cimport RowSource
from ..entry.core import require_size
from .trie cimport first_not_below


cdef struct Arrays:
    int symbols
    int context  # symbols of the longest context
    const int* suffixes
    const int* firsts
    const int* entry_symbols
    const int* nexts
    const double* scales
    const double* p


cdef class FrozenContexts:
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
    cdef RowSource source

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
            raise ValueError("the arrays are no contexts of n-grams")
        self.suffixes, self.scales, self.firsts, self.symbols = suffixes, scales, firsts, symbols
        self.nexts, self.p = nexts, p
        self.a.symbols, self.a.context = firsts[1], context
        self.a.suffixes, self.a.firsts, self.a.entry_symbols = &suffixes[0], &firsts[0], &symbols[0]
        self.a.nexts, self.a.scales, self.a.p = &nexts[0], &scales[0], &p[0]

    def row_source(self):
        """Return a capsule with a function that fills rows of logits, see `row_source.pxd`; it keeps this alive."""
        self.source.source, self.source.fill = &self.a, fill_after
        self.source.symbols, self.source.context = self.a.symbols, self.a.context
        capsule = PyCapsule_New(&self.source, "crnn._kernels.RowSource", release_contexts)
        Py_INCREF(self)
        PyCapsule_SetContext(capsule, <void*>self)
        return capsule


cdef void release_contexts(object capsule) noexcept:
    cdef PyObject* contexts = <PyObject*>PyCapsule_GetContext(capsule)
    if contexts != NULL:
        Py_DECREF(<object>contexts)


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


cdef inline int context_after(const Arrays* a, const int* symbols, Py_ssize_t n) noexcept nogil:
    """The longest context at the end of n symbols; negative symbols stand for what comes before a text."""
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
    fill_row(a, context_after(a, symbols, n), row)


cdef int _check(FrozenContexts contexts, const int* ids, Py_ssize_t n, int least=0) except -1:
    """Raise an error unless all ids are symbols, or possibly -1 in a context."""
    cdef Py_ssize_t i
    cdef bint good = True
    for i in range(n):
        good &= least <= ids[i] < contexts.a.symbols
    if not good:
        raise ValueError(f"ids must be from {least} to {contexts.a.symbols - 1}, below the vocabulary's size "
                         f"{contexts.a.symbols}")
    return 0


cdef int _check_string(FrozenContexts contexts, const int[::1] ids, Py_ssize_t start, Py_ssize_t length) except -1:
    """Raise an error unless a string of symbols is within `ids`."""
    if start < 0 or length < 0 or length > ids.shape[0] - start:
        raise ValueError(f"a string is not within the {ids.shape[0]} symbols")
    return _check(contexts, &ids[start] if length else NULL, length)


def log_probabilities(FrozenContexts contexts not None, const int[:, ::1] x not None, const int[:, ::1] before not None,
                      double[:, ::1] out not None):
    """out[t, b] = log P(x[t, b] | before[b] and the previous symbols) for x (n, B), before (B, k)."""
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], k = before.shape[1], i, b
    cdef int c
    require_size("contexts", before.shape[0], B)
    require_size("rows of output", out.shape[0], n)
    require_size("streams of output", out.shape[1], B)
    if not n * B:
        return
    _check(contexts, &x[0, 0], n * B)
    _check(contexts, &before[0, 0] if k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            c = context_after(&contexts.a, &before[b, 0] if k else NULL, k)
            for i in range(n):
                out[i, b] = log(advance(&contexts.a, &c, x[i, b]))


def log_likelihoods(FrozenContexts contexts not None, const int[::1] ids not None,
                    const Py_ssize_t[::1] starts not None,
                    const Py_ssize_t[::1] lengths not None, const int[::1] before not None, bint least,
                    double[::1] out not None):
    """out[b] = log P of string b, ids[starts[b]:starts[b] + lengths[b]], after the context; from left to right.

    With `least`, out[b] is the minimum of its symbols' log P, or 0 if it is empty.
    """
    cdef double log_p
    cdef Py_ssize_t B = lengths.shape[0], k = before.shape[0], b, i
    cdef int start, c
    require_size("starts", starts.shape[0], B)
    require_size("sums", out.shape[0], B)
    for b in range(B):
        _check_string(contexts, ids, starts[b], lengths[b])
    _check(contexts, &before[0] if k else NULL, k, -1)
    with nogil:
        start = context_after(&contexts.a, &before[0] if k else NULL, k)
        for b in range(B):
            c = start
            out[b] = 0
            for i in range(starts[b], starts[b] + lengths[b]):
                log_p = log(advance(&contexts.a, &c, ids[i]))
                out[b] = min(out[b], log_p) if least else out[b] + log_p


def read(FrozenContexts contexts not None, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
         const Py_ssize_t[::1] lengths not None, const int[:, ::1] before not None,
         const Py_ssize_t[::1] rows not None, int[:, ::1] after not None, double[:, ::1] sums not None,
         Py_ssize_t first, Py_ssize_t last):
    """Read string b, ids[starts[b]:starts[b] + lengths[b]], after before[rows[b]]; after[b] becomes its context then.

    For the strings [first, last). log P of each symbol is added to sums[0, b] and to sums[1, b], and sums[2, b] becomes
    the minimum of itself and of each log P; a NaN stays.
    """
    cdef Py_ssize_t n = lengths.shape[0], k = before.shape[1], b, i
    cdef double log_p
    cdef int c
    require_size("starts", starts.shape[0], n)
    require_size("rows", rows.shape[0], n)
    require_size("contexts after", after.shape[0], n)
    require_size("streams of sums", sums.shape[1], n)
    require_size("sums of a stream", sums.shape[0], 3)
    require_size("symbols of a context", after.shape[1], k)
    if not 0 <= first <= last <= n:
        raise ValueError(f"first and last must be from 0 to {n}, in order, not {first} and {last}")
    for b in range(first, last):
        _check_string(contexts, ids, starts[b], lengths[b])
        if not 0 <= rows[b] < before.shape[0]:
            raise ValueError(f"rows must be from 0 to {before.shape[0] - 1}, not {rows[b]}")
        _check(contexts, &before[rows[b], 0] if k else NULL, k, -1)
    with nogil:
        for b in range(first, last):
            c = context_after(&contexts.a, &before[rows[b], 0] if k else NULL, k)
            for i in range(starts[b], starts[b] + lengths[b]):
                log_p = log(advance(&contexts.a, &c, ids[i]))
                sums[0, b] += log_p
                sums[1, b] += log_p
                if log_p < sums[2, b] or log_p != log_p:
                    sums[2, b] = log_p
            i = min(k, lengths[b])
            if i < k:
                memcpy(&after[b, 0], &before[rows[b], i], (k - i) * sizeof(int))
            if i:
                memcpy(&after[b, k - i], &ids[starts[b] + lengths[b] - i], i * sizeof(int))


def rows_after(FrozenContexts contexts not None, const int[:, ::1] before not None, double[:, ::1] out not None):
    """out[b, w] = log P(w | before[b]) for contexts (B, k) and all V symbols w."""
    cdef Py_ssize_t B = before.shape[0], k = before.shape[1], b
    require_size("rows", out.shape[0], B)
    require_size("symbols of a row", out.shape[1], contexts.a.symbols)
    _check(contexts, &before[0, 0] if B and k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            fill_row(&contexts.a, context_after(&contexts.a, &before[b, 0] if k else NULL, k), &out[b, 0])


def rows_before(FrozenContexts contexts not None, const int[:, ::1] x not None, const int[:, ::1] before not None,
                double[:, :, ::1] out not None):
    """out[t, b, w] = log P(w | before[b] and x[:t, b]) for x (n, B), contexts (B, k) and all V symbols w."""
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], k = before.shape[1], i, b
    cdef int c
    require_size("contexts", before.shape[0], B)
    require_size("rows", out.shape[0], n)
    require_size("streams of rows", out.shape[1], B)
    require_size("symbols of a row", out.shape[2], contexts.a.symbols)
    if not n * B:
        return
    _check(contexts, &x[0, 0], n * B)
    _check(contexts, &before[0, 0] if k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            c = context_after(&contexts.a, &before[b, 0] if k else NULL, k)
            for i in range(n):
                fill_row(&contexts.a, c, &out[i, b, 0])
                advance(&contexts.a, &c, x[i, b])
