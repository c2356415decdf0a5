"""Products over the rows of a chunk, streams times time steps: packed, but of few rows most are calls of the BLAS."""
from cython cimport floating
from libc.string cimport memcpy, memset
from .blas cimport gemm
from .panels cimport add_transposed_product, multiply_panels


cdef inline void multiply_rows(bint many, Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a,
                               Py_ssize_t lda, const floating* W, Py_ssize_t ldw, const floating* panels, int most,
                               floating* c, Py_ssize_t ldc, bint back=False) noexcept nogil:
    """c += a @ W                                      (rows, N) += (rows, K) (K, N)"""
    if many:
        multiply_panels(rows, K, N, a, lda, panels, most, c, ldc, back)
    else:
        gemm(b"n", rows, N, K, a, lda, W, ldw, <floating>1, c, ldc)


cdef inline void multiply_rows_back(Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a, Py_ssize_t lda,
                                    const floating* panels, int most, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c = a @ W.T                                     (rows, N) = (rows, K) (N, K)'

    Packed whatever the number of rows: a BLAS that is given few of them takes twice as long.
    """
    clear_rows(rows, N, c, ldc)
    multiply_panels(rows, K, N, a, lda, panels, most, c, ldc)


cdef inline void add_weight_gradient(bint many, Py_ssize_t rows, Py_ssize_t M, Py_ssize_t N, const floating* a,
                                     Py_ssize_t lda, const floating* d, Py_ssize_t ldd, floating* scratch,
                                     floating* dW, Py_ssize_t ldw) noexcept nogil:
    """dW += a.T @ d                                   (M, N) += (rows, M)' (rows, N); dW = … of few rows: a chunk's"""
    if many:
        add_transposed_product(rows, M, N, a, lda, d, ldd, scratch, dW, ldw)
    else:
        gemm(b"t", M, N, rows, a, lda, d, ldd, <floating>0, dW, ldw)


cdef inline void set_rows(const floating* bias, Py_ssize_t rows, Py_ssize_t N, floating* y,
                          Py_ssize_t ldy) noexcept nogil:
    """y = bias                                        (rows, N): what a product is then added to"""
    cdef Py_ssize_t r
    for r in range(rows):
        memcpy(y + r * ldy, bias, N * sizeof(floating))


cdef inline void clear_rows(Py_ssize_t rows, Py_ssize_t N, floating* c, Py_ssize_t ldc) noexcept nogil:
    """c = 0                                           (rows, N)"""
    cdef Py_ssize_t r
    for r in range(rows):
        memset(c + r * ldc, 0, N * sizeof(floating))


cdef inline void add_column_sums(const floating* a, Py_ssize_t rows, Py_ssize_t N, Py_ssize_t lda,
                                 floating* out) noexcept nogil:
    """out += a.sum(axis=0)"""
    cdef Py_ssize_t r, j
    for r in range(rows):
        for j in range(N):
            out[j] += a[r * lda + j]
