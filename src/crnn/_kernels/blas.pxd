"""Row-major matrix products by SciPy's BLAS: the only file that knows SciPy.

A row-major matrix is its transpose in the BLAS's column-major eyes, and C = A B is C' = B' A': the operands change
places and nothing is copied. Sizes must have been checked to fit an int at the door.
"""
from cython cimport floating
from scipy.linalg.cython_blas cimport dgemm, sgemm


cdef inline void gemm(char* trans_a, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
                      const floating* a, Py_ssize_t lda, const floating* b, Py_ssize_t ldb,
                      floating beta, floating* c, Py_ssize_t ldc) noexcept nogil:
    """C = op(A) B + beta C                            (m, n) = (m, k) (k, n)"""
    cdef int rows = <int>m, columns = <int>n, depth = <int>k
    cdef int stride_a = <int>lda, stride_b = <int>ldb, stride_c = <int>ldc
    cdef floating alpha = 1
    if floating is float:
        sgemm(b"n", trans_a, &columns, &rows, &depth, &alpha, <float*>b, &stride_b, <float*>a, &stride_a,
              &beta, c, &stride_c)
    else:
        dgemm(b"n", trans_a, &columns, &rows, &depth, &alpha, <double*>b, &stride_b, <double*>a, &stride_a,
              &beta, c, &stride_c)
