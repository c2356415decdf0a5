"""Row-major matrix products by SciPy's BLAS, which `core` finds.

The BLAS is column-major and sees a row-major matrix as its transpose; since C = A B is C' = B' A', the operands trade
places and nothing is copied. The entry point has checked that sizes fit an int.
"""
from libc.stdint cimport int64_t
from ..common.interface cimport Gemm, real


cdef inline void add_product(Gemm gemm, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* a, Py_ssize_t lda,
                             const real* b, Py_ssize_t ldb, real* c, Py_ssize_t ldc) noexcept nogil:
    """c += a @ b                                      (m, n) += (m, k) (k, n)"""
    # A BLAS uses 32-bit or 64-bit sizes. A little-endian 64-bit number starts with its lower half, and so serves both.
    cdef int64_t rows = m
    cdef int64_t columns = n
    cdef int64_t depth = k
    cdef int64_t stride_a = lda
    cdef int64_t stride_b = ldb
    cdef int64_t stride_c = ldc
    cdef real one = 1
    gemm(b"n", b"n", <int*>&columns, <int*>&rows, <int*>&depth, &one, <void*>b, <int*>&stride_b, <void*>a,
         <int*>&stride_a, &one, c, <int*>&stride_c)


cdef inline void transposed_product(Gemm gemm, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* a, Py_ssize_t lda,
                                    const real* b, Py_ssize_t ldb, real* c, Py_ssize_t ldc) noexcept nogil:
    """c = a.T @ b                                     (m, n) = (k, m)' (k, n)"""
    cdef int64_t rows = m
    cdef int64_t columns = n
    cdef int64_t depth = k
    cdef int64_t stride_a = lda
    cdef int64_t stride_b = ldb
    cdef int64_t stride_c = ldc
    cdef real one = 1
    cdef real zero = 0
    gemm(b"n", b"t", <int*>&columns, <int*>&rows, <int*>&depth, &one, <void*>b, <int*>&stride_b, <void*>a,
         <int*>&stride_a, &zero, c, <int*>&stride_c)
