"""Products over the rows of a chunk, streams times time steps, on the way back; and sums over rows."""
from libc.string cimport memcpy, memset
from .blas cimport transposed_product
from .interface cimport Network, real
from .panels cimport add_transposed_product, multiply_panels


cdef inline void multiply_rows_back(Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const real* a, Py_ssize_t lda,
                                    const real* panels, int max_vectors, real* c, Py_ssize_t ldc) noexcept nogil:
    """c = a @ W.T                                     (rows, N) = (rows, K) (N, K)'

    Packed whatever the number of rows: of few rows a BLAS takes twice as long.
    """
    clear_rows(rows, N, c, ldc)
    multiply_panels(rows, K, N, a, lda, panels, max_vectors, c, ldc)


cdef inline void add_weight_gradient(const Network* net, Py_ssize_t rows, Py_ssize_t M, Py_ssize_t N, const real* a,
                                     const real* d, Py_ssize_t ldd, real* scratch, real* dW,
                                     Py_ssize_t ldw) noexcept nogil:
    """dW += a.T @ d                                   (M, N) += (rows, M)' (rows, N); rows of a are H elements apart

    By the BLAS it is dW = …: its few rows are a whole chunk.
    """
    if net.gemm == NULL:
        add_transposed_product(rows, M, N, a, net.H, d, ldd, scratch, dW, ldw)
    else:
        transposed_product(net.gemm, M, N, rows, a, net.H, d, ldd, dW, ldw)


cdef inline void set_rows(const real* bias, Py_ssize_t rows, Py_ssize_t N, real* y, Py_ssize_t ldy) noexcept nogil:
    """y = bias                                        (rows, N): what a product is then added to"""
    cdef Py_ssize_t r
    for r in range(rows):
        memcpy(y + r * ldy, bias, N * sizeof(real))


cdef inline void clear_rows(Py_ssize_t rows, Py_ssize_t N, real* c, Py_ssize_t ldc) noexcept nogil:
    """c = 0                                           (rows, N)"""
    cdef Py_ssize_t r
    for r in range(rows):
        memset(c + r * ldc, 0, N * sizeof(real))


cdef inline void add_column_sums(const real* a, Py_ssize_t rows, Py_ssize_t N, Py_ssize_t lda,
                                 real* out) noexcept nogil:
    """out += a.sum(axis=0)                            (N,) += (rows, N)"""
    cdef Py_ssize_t r, j
    for r in range(rows):
        for j in range(N):
            out[j] += a[r * lda + j]
