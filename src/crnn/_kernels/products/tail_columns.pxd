"""Tail columns: those of a matrix that are left over from whole vectors; where they are few, they are packed apart."""
from ..entry.interface cimport real
from .panels cimport LANES, PER_ELEMENT, depth_of, packed_element, vectors_across

cdef extern from "tail_columns.h" nogil:
    void multiply_tail(Py_ssize_t rows, Py_ssize_t K, const real* a, Py_ssize_t lda, const real* tail,
                       Py_ssize_t count, real* c, Py_ssize_t ldc) noexcept
    void add_transposed_tail(Py_ssize_t K, Py_ssize_t M, Py_ssize_t count, const real* a, Py_ssize_t lda,
                             const real* b, Py_ssize_t ldb, real* c, Py_ssize_t ldc) noexcept


cdef inline Py_ssize_t tail_count(Py_ssize_t N) noexcept nogil:
    """Of N columns, those left over from whole vectors if they are few: a quarter of a vector at most; otherwise 0."""
    cdef Py_ssize_t lanes = LANES
    return N % lanes if N % lanes <= lanes // 4 else 0


cdef inline Py_ssize_t tail_length(Py_ssize_t K) noexcept nogil:
    """Elements of a packed column."""
    return vectors_across(depth_of(K)) * LANES


cdef inline void pack_tail(const real* W, Py_ssize_t K, Py_ssize_t count, Py_ssize_t ldw, Py_ssize_t first,
                           Py_ssize_t last, real* tail) noexcept nogil:
    """tail = W.T                                      (count, K): rows [first, last) of W, padded with zeros"""
    cdef Py_ssize_t j, k, row, length = tail_length(K)
    for j in range(count):
        for k in range(depth_of(first), depth_of(last)):
            row = k * PER_ELEMENT
            tail[j * length + k] = packed_element(W + row * ldw + j, ldw, last - row)
        for k in range(depth_of(K), length if last == K else depth_of(K)):
            tail[j * length + k] = 0
