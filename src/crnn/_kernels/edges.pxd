"""Columns of a matrix that are left over from whole vectors; where they are few, a packed matrix has them apart."""
from cython cimport floating
from .panels cimport VECTOR_BYTES, vectors_across

cdef extern from "edge_columns.h" nogil:
    void multiply_edge_float(Py_ssize_t rows, Py_ssize_t K, const float* a, Py_ssize_t lda, const float* edge,
                             Py_ssize_t count, float* c, Py_ssize_t ldc) noexcept
    void multiply_edge_double(Py_ssize_t rows, Py_ssize_t K, const double* a, Py_ssize_t lda, const double* edge,
                              Py_ssize_t count, double* c, Py_ssize_t ldc) noexcept
    void add_transposed_edge_float(Py_ssize_t K, Py_ssize_t M, Py_ssize_t count, const float* a, Py_ssize_t lda,
                                   const float* b, Py_ssize_t ldb, float* c, Py_ssize_t ldc) noexcept
    void add_transposed_edge_double(Py_ssize_t K, Py_ssize_t M, Py_ssize_t count, const double* a, Py_ssize_t lda,
                                    const double* b, Py_ssize_t ldb, double* c, Py_ssize_t ldc) noexcept


cdef inline Py_ssize_t edge_columns(const floating* w, Py_ssize_t N) noexcept nogil:
    """How many of N columns are left over and few: a quarter of a vector at most. `w` only tells the dtype."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    return N % lanes if N % lanes <= lanes // 4 else 0


cdef inline Py_ssize_t edge_length(const floating* w, Py_ssize_t K) noexcept nogil:
    """Elements of a packed column."""
    return vectors_across(w, K) * <Py_ssize_t>(VECTOR_BYTES // sizeof(floating))


cdef inline void pack_edge(const floating* W, Py_ssize_t K, Py_ssize_t count, Py_ssize_t ldw, Py_ssize_t first,
                           Py_ssize_t last, floating* edge) noexcept nogil:
    """Pack rows [first, last) of so many columns of K rows, one column after the other, padded with zeros."""
    cdef Py_ssize_t j, k, length = edge_length(W, K)
    for j in range(count):
        for k in range(first, last):
            edge[j * length + k] = W[k * ldw + j]
        for k in range(K, length if last == K else K):
            edge[j * length + k] = 0


cdef inline void multiply_edge(Py_ssize_t rows, Py_ssize_t K, const floating* a, Py_ssize_t lda, const floating* edge,
                               Py_ssize_t count, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a @ edge.T                                 (rows, count) += (rows, K) (count, K)'"""
    if floating is float:
        multiply_edge_float(rows, K, a, lda, edge, count, c, ldc)
    else:
        multiply_edge_double(rows, K, a, lda, edge, count, c, ldc)


cdef inline void add_transposed_edge(Py_ssize_t K, Py_ssize_t M, Py_ssize_t count, const floating* a, Py_ssize_t lda,
                                     const floating* b, Py_ssize_t ldb, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a.T @ b                                    (M, count) += (K, M)' (K, count)"""
    if floating is float:
        add_transposed_edge_float(K, M, count, a, lda, b, ldb, c, ldc)
    else:
        add_transposed_edge_double(K, M, count, a, lda, b, ldb, c, ldc)
