"""The boundary symbol: a stream that reads it starts from the zero state, and no gradient flows back beyond it.

The same holds for the symbols of labels, which follow the boundary in the vocabulary. The states themselves are kept,
since they are also outputs of the previous step: a step that reads them as its past reads a copy with zeros.
"""
from libc.string cimport memcpy, memset
from ..common.interface cimport Network, real


cdef inline bint starts(const Network* net, int symbol) noexcept nogil:
    """Return whether a stream starts from zeros at a symbol: boundary <= symbol <= last_start, both -1 if none does."""
    return net.boundary.symbol <= symbol <= net.boundary.last_start


cdef inline bint any_starts(const Network* net, const int* x, Py_ssize_t B) noexcept nogil:
    """Return whether any of the streams x (B,) reads the boundary."""
    cdef Py_ssize_t b
    if net.boundary.symbol >= 0:
        for b in range(B):
            if starts(net, x[b]):
                return True
    return False


cdef inline void clear_starting(const Network* net, const int* x, Py_ssize_t rows, Py_ssize_t n, real* a,
                                Py_ssize_t lda) noexcept nogil:
    """a[starts(x), :n] = 0                            (rows, lda)"""
    cdef Py_ssize_t r
    if net.boundary.symbol >= 0:
        for r in range(rows):
            if starts(net, x[r]):
                memset(a + r * lda, 0, n * sizeof(real))


cdef inline const real* without_past(const Network* net, const int* x, Py_ssize_t B, Py_ssize_t n, const real* a,
                                     Py_ssize_t lda, real* cut) noexcept nogil:
    """Return a (B, n), or a copy of it in `cut` with zero rows for any streams that read the boundary."""
    if not any_starts(net, x, B):
        return a
    memcpy(cut, a, B * lda * sizeof(real))
    clear_starting(net, x, B, n, cut, lda)
    return cut
