"""Panel products: y += x @ W for a W that is packed once and multiplied many times.

A BLAS packs W anew at every call; the recurrence multiplies by the same W at every time step. Here W (K, N) is packed
once per update into panels of a few vectors' width, each stored row after row and padded with zeros to whole vectors,
and `register_tile.h` multiplies one panel at a time, so that a caller can finish a panel's columns (a non-linearity)
while they are in the first-level cache.

Each row of the product is added up in the same order whatever the number of rows: inference built on this gives the
same bits at every batch size, position and thread count.
"""
from cython cimport floating

cdef extern from "register_tile.h" nogil:
    const int TILE_VECTORS
    const int VECTOR_BYTES
    void multiply_panel_float(Py_ssize_t rows, Py_ssize_t K, const float* a, Py_ssize_t lda, const float* panel,
                              Py_ssize_t columns, float* c, Py_ssize_t ldc) noexcept
    void multiply_panel_double(Py_ssize_t rows, Py_ssize_t K, const double* a, Py_ssize_t lda, const double* panel,
                               Py_ssize_t columns, double* c, Py_ssize_t ldc) noexcept


cdef inline Py_ssize_t vectors_across(const floating* w, Py_ssize_t N) noexcept nogil:
    """Vectors that N columns fill, the last one perhaps in part; `w` only tells the dtype."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    return (N + lanes - 1) // lanes


cdef inline Py_ssize_t panel_count(const floating* w, Py_ssize_t N) noexcept nogil:
    return (vectors_across(w, N) + TILE_VECTORS - 1) // TILE_VECTORS


cdef inline Py_ssize_t panel_start(const floating* w, Py_ssize_t N, Py_ssize_t j) noexcept nogil:
    """First column of panel j; the vectors are dealt evenly, since a narrow panel hides less latency."""
    cdef Py_ssize_t vectors = vectors_across(w, N), panels = panel_count(w, N)
    cdef Py_ssize_t start = j * (vectors // panels) + min(j, vectors % panels)
    return min(start * <Py_ssize_t>(VECTOR_BYTES // sizeof(floating)), N)


cdef inline void pack(const floating* W, Py_ssize_t K, Py_ssize_t N, Py_ssize_t first, Py_ssize_t last,
                      floating* panels) noexcept nogil:
    """Pack rows [first, last) of W (K, N)."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    cdef Py_ssize_t j, k, n, start, columns, width
    cdef floating* row
    for j in range(panel_count(W, N)):
        start = panel_start(W, N, j)
        columns = panel_start(W, N, j + 1) - start
        width = vectors_across(W, columns) * lanes
        for k in range(first, last):
            row = panels + K * start + k * width
            for n in range(columns):
                row[n] = W[k * N + start + n]
            for n in range(columns, width):
                row[n] = 0


cdef inline void pack_transposed(const floating* W, Py_ssize_t K, Py_ssize_t N, Py_ssize_t first, Py_ssize_t last,
                                 floating* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, N), that is rows [first, last) of W (N, K)."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    cdef Py_ssize_t j, k, n, start, stop, end, width
    cdef floating* row
    for j in range(panel_count(W, N)):
        start = panel_start(W, N, j)
        stop = panel_start(W, N, j + 1)
        width = vectors_across(W, stop - start) * lanes
        end = start + width if stop == N and last == N else min(stop, last)
        for k in range(K):
            row = panels + K * start + k * width
            for n in range(max(start, first), min(stop, last)):
                row[n - start] = W[n * K + k]
            for n in range(stop, end):
                row[n - start] = 0


cdef inline void multiply_panel(Py_ssize_t rows, Py_ssize_t K, const floating* a, Py_ssize_t lda,
                                const floating* panel, Py_ssize_t columns, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a @ panel                                  (rows, columns) += (rows, K) (K, columns)"""
    if floating is float:
        multiply_panel_float(rows, K, a, lda, panel, columns, c, ldc)
    else:
        multiply_panel_double(rows, K, a, lda, panel, columns, c, ldc)


cdef inline void multiply_panels(Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a, Py_ssize_t lda,
                                 const floating* panels, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a @ W                                      (rows, N) += (rows, K) (K, N)"""
    cdef Py_ssize_t j, start
    for j in range(panel_count(a, N)):
        start = panel_start(a, N, j)
        multiply_panel(rows, K, a, lda, panels + K * start, panel_start(a, N, j + 1) - start, c + start, ldc)
