"""The entry points to contexts of n-grams: the probability of a symbol, or of all symbols.

Every argument is checked here, once. A class with another layout of its contexts has its own methods, which check
nothing; a context that is -1 stands before the beginning of a text.
"""
from libc.string cimport memcpy
from ..common.row_source cimport row_source_capsule
from ..entry.core import require_size
from .symbol_checks cimport check_symbols

cdef enum:
    STREAMS = 32  # strings whose contexts are looked up at a time
    SCORED = 64  # symbols scored before their log P are added up


cdef class ContextReader:
    """The contexts of a model."""

    def row_source(self):
        """Return a capsule with a function that fills rows of logits, see `row_source.pxd`; it keeps this alive."""
        return row_source_capsule(&self.source, self)

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil:
        """The longest context at the end of n symbols; negative symbols stand for what comes before a text."""
        cdef Cursor c
        c.node = c.depth = c.full = c.place = 0
        return c

    cdef void contexts_after(self, const int[:, ::1] contexts, const Py_ssize_t* rows, Py_ssize_t n, Cursor* c) \
            noexcept nogil:
        """c[b] = the longest context at the end of contexts[rows[b]]."""
        cdef Py_ssize_t k = contexts.shape[1], b
        for b in range(n):
            c[b] = self.context_after(&contexts[rows[b], 0] if k else NULL, k)

    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil:
        """out[i * stride] = log P(ids[i * stride]); the context becomes the one after the symbols."""

    cdef void fill(self, Cursor c, double* row) noexcept nogil:
        """row[w] = log p(w | context) for all symbols w."""

    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil:
        """The longest context after another symbol."""
        return c


cdef int check_ids(ContextReader reader, const int* ids, Py_ssize_t n, int least=0) except -1:
    """Raise an error unless there are contexts, and all ids are symbols, or possibly -1 in a context."""
    if reader.source.source == NULL:
        raise ValueError(reader.missing)
    return check_symbols(ids, n, reader.source.symbols, least)


cdef int check_string(ContextReader reader, const int[::1] ids, const Py_ssize_t[::1] starts,
                      const Py_ssize_t[::1] lengths, Py_ssize_t b) except -1:
    """Raise an error unless string b consists of symbols within `ids`."""
    if starts[b] < 0 or lengths[b] < 0 or lengths[b] > ids.shape[0] - starts[b]:
        raise ValueError(f"string {b} is not within the {ids.shape[0]} symbols")
    return check_ids(reader, &ids[starts[b]] if lengths[b] else NULL, lengths[b])


cdef inline void accumulate(ContextReader reader, Cursor* c, const int* ids, Py_ssize_t n, double* total,
                            double* sum, double* least) noexcept nogil:
    """Add log P of each symbol to `total` and to `sum`, unless that is NULL.

    `least` becomes the minimum of itself and of each log P; a NaN stays.
    """
    cdef double[SCORED] log_p
    cdef Py_ssize_t first = 0, count, i
    while first < n:
        count = min(SCORED, n - first)
        reader.score(c, ids + first, count, 1, log_p)
        first += count
        for i in range(count):
            total[0] += log_p[i]
            if sum != NULL:
                sum[0] += log_p[i]
            if log_p[i] < least[0] or log_p[i] != log_p[i]:
                least[0] = log_p[i]


def log_probabilities(ContextReader reader not None, const int[:, ::1] x not None, const int[:, ::1] contexts not None,
                      double[:, ::1] out not None):
    """out[t, b] = log P(x[t, b] | contexts[b] and the previous symbols) for x (n, B), contexts (B, k)."""
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], k = contexts.shape[1], b
    cdef Cursor c
    require_size("contexts", contexts.shape[0], B)
    require_size("rows of output", out.shape[0], n)
    require_size("streams of output", out.shape[1], B)
    if not n * B:
        return
    check_ids(reader, &x[0, 0], n * B)
    check_ids(reader, &contexts[0, 0] if k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            c = reader.context_after(&contexts[b, 0] if k else NULL, k)
            reader.score(&c, &x[0, b], n, B, &out[0, b])


def log_likelihoods(ContextReader reader not None, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
                    const Py_ssize_t[::1] lengths not None, const int[::1] context not None, bint least,
                    double[::1] out not None):
    """out[b] = log P of string b, ids[starts[b]:starts[b] + lengths[b]], after the context; from left to right.

    With `least`, out[b] is the minimum of its symbols' log P, or 0 if it is empty.
    """
    cdef Py_ssize_t B = lengths.shape[0], k = context.shape[0], b
    cdef double total, minimum
    cdef Cursor start, c
    require_size("starts", starts.shape[0], B)
    require_size("sums", out.shape[0], B)
    for b in range(B):
        check_string(reader, ids, starts, lengths, b)
    check_ids(reader, &context[0] if k else NULL, k, -1)
    with nogil:
        start = reader.context_after(&context[0] if k else NULL, k)
        for b in range(B):
            c = start
            total = minimum = 0
            if lengths[b]:
                accumulate(reader, &c, &ids[starts[b]], lengths[b], &total, NULL, &minimum)
            out[b] = minimum if least else total


def read(ContextReader reader not None, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
         const Py_ssize_t[::1] lengths not None, const int[:, ::1] contexts not None,
         const Py_ssize_t[::1] rows not None, int[:, ::1] after not None, double[:, ::1] sums not None,
         Py_ssize_t first, Py_ssize_t last):
    """Read string b, ids[starts[b]:starts[b] + lengths[b]], after contexts[rows[b]]; after[b] becomes its context then.

    For the strings [first, last). log P of each symbol is added to sums[0, b] and to sums[1, b], and sums[2, b] becomes
    the minimum of itself and of each log P; a NaN stays.
    """
    cdef Py_ssize_t n = lengths.shape[0], k = contexts.shape[1], b, i
    cdef Py_ssize_t count
    cdef Cursor[STREAMS] c
    require_size("starts", starts.shape[0], n)
    require_size("rows", rows.shape[0], n)
    require_size("contexts after", after.shape[0], n)
    require_size("streams of sums", sums.shape[1], n)
    require_size("sums of a stream", sums.shape[0], 3)
    require_size("symbols of a context", after.shape[1], k)
    if not 0 <= first <= last <= n:
        raise ValueError(f"first and last must be from 0 to {n}, in order, not {first} and {last}")
    for b in range(first, last):
        check_string(reader, ids, starts, lengths, b)
        if not 0 <= rows[b] < contexts.shape[0]:
            raise ValueError(f"rows must be from 0 to {contexts.shape[0] - 1}, not {rows[b]}")
        check_ids(reader, &contexts[rows[b], 0] if k else NULL, k, -1)
    with nogil:
        while first < last:
            count = min(STREAMS, last - first)
            reader.contexts_after(contexts, &rows[first], count, c)
            for b in range(first, first + count):
                if lengths[b]:
                    accumulate(reader, &c[b - first], &ids[starts[b]], lengths[b], &sums[0, b], &sums[1, b],
                               &sums[2, b])
                i = min(k, lengths[b])
                if i < k:
                    memcpy(&after[b, 0], &contexts[rows[b], i], (k - i) * sizeof(int))
                if i:
                    memcpy(&after[b, k - i], &ids[starts[b] + lengths[b] - i], i * sizeof(int))
            first += count


def rows_after(ContextReader reader not None, const int[:, ::1] contexts not None, double[:, ::1] out not None):
    """out[b, w] = log P(w | contexts[b]) for contexts (B, k) and all V symbols w."""
    cdef Py_ssize_t B = contexts.shape[0], k = contexts.shape[1], b
    require_size("rows", out.shape[0], B)
    require_size("symbols of a row", out.shape[1], reader.source.symbols)
    check_ids(reader, &contexts[0, 0] if B and k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            reader.fill(reader.context_after(&contexts[b, 0] if k else NULL, k), &out[b, 0])


def rows_before(ContextReader reader not None, const int[:, ::1] x not None, const int[:, ::1] contexts not None,
                double[:, :, ::1] out not None):
    """out[t, b, w] = log P(w | contexts[b] and x[:t, b]) for x (n, B), contexts (B, k) and all V symbols w."""
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], k = contexts.shape[1], i, b
    cdef Cursor c
    require_size("contexts", contexts.shape[0], B)
    require_size("rows", out.shape[0], n)
    require_size("streams of rows", out.shape[1], B)
    require_size("symbols of a row", out.shape[2], reader.source.symbols)
    if not n * B:
        return
    check_ids(reader, &x[0, 0], n * B)
    check_ids(reader, &contexts[0, 0] if k else NULL, B * k, -1)
    with nogil:
        for b in range(B):
            c = reader.context_after(&contexts[b, 0] if k else NULL, k)
            for i in range(n):
                reader.fill(c, &out[i, b, 0])
                c = reader.next_context(c, x[i, b])
