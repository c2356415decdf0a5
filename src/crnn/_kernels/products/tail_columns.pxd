"""Tail columns: the columns of a matrix left over from whole vectors; if there are few, they are packed separately."""
from ..common.interface cimport real
from .panels cimport LANES, PER_ELEMENT, elements_of, packed_element, vectors_across

cdef extern from "tail_columns.h" nogil:
    const Py_ssize_t TAIL_HEAD  # elements of a packed column before its numbers, see `operands.h`
    void set_tail_head(Py_ssize_t K, const real* scale, real* column) noexcept
    void multiply_tail(Py_ssize_t rows, Py_ssize_t K, const real* a, Py_ssize_t lda, const real* tail,
                       Py_ssize_t count, real* c, Py_ssize_t ldc) noexcept
    void add_transposed_tail(Py_ssize_t K, Py_ssize_t M, Py_ssize_t count, const real* a, Py_ssize_t lda,
                             const real* b, Py_ssize_t ldb, real* c, Py_ssize_t ldc) noexcept


cdef inline Py_ssize_t tail_count(Py_ssize_t N) noexcept nogil:
    """Return the number of N columns left over from whole vectors if at most a quarter of a vector; otherwise 0."""
    cdef Py_ssize_t lanes = LANES
    return N % lanes if N % lanes <= lanes // 4 else 0


cdef inline Py_ssize_t tail_length(Py_ssize_t K) noexcept nogil:
    """Return the elements of a packed column."""
    return TAIL_HEAD + vectors_across(elements_of(K)) * LANES


cdef inline void pack_tail(const real* W, Py_ssize_t K, Py_ssize_t count, Py_ssize_t ldw, Py_ssize_t first,
                           Py_ssize_t last, real* tail) noexcept nogil:
    """tail = W.T                                      (count, K): rows [first, last) of W, padded with zeros"""
    cdef Py_ssize_t length = tail_length(K)
    cdef Py_ssize_t padded = elements_of(K)
    cdef Py_ssize_t j, k, row
    cdef real* column
    if last == K:
        padded = length - TAIL_HEAD
    for j in range(count):
        column = tail + j * length + TAIL_HEAD
        for k in range(elements_of(first), elements_of(last)):
            row = k * PER_ELEMENT
            column[k] = packed_element(W + row * ldw + j, ldw, last - row)
        for k in range(elements_of(K), padded):
            column[k] = 0


cdef inline void head_tail(Py_ssize_t K, Py_ssize_t count, const real* scales, real* tail) noexcept nogil:
    """Set the heads, if any, of packed columns, from the scales (count,)."""
    cdef Py_ssize_t j
    for j in range(count):
        set_tail_head(K, scales + j, tail + j * tail_length(K))
