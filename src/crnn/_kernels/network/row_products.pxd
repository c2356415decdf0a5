"""Products over the rows of a chunk (streams times time steps) in the backward pass, and sums over rows."""
from libc.string cimport memcpy, memset
from ..common.interface cimport Network, Workspace, real
from ..products.blas cimport transposed_product
from ..products.panels cimport add_transposed_product, as_operand, multiply_panels, operand_rows, whole_panel
from ..threads.step_poll cimport is_canceled

cdef enum:
    PRODUCTS_PER_POLL = 1 << 28  # maximum multiplications from one poll to the next: about 10 ms
    MIN_ROWS_PER_POLL = 128  # of a product: with fewer, reading its weights would cost more than multiplying


cdef inline Py_ssize_t piece(Py_ssize_t n, Py_ssize_t unit, Py_ssize_t products) noexcept nogil:
    """Return how many of n rows or columns to multiply before the next poll: a multiple of `unit`, or all of them.

    Each takes so many `products`.
    """
    return min(n, max(1, PRODUCTS_PER_POLL // (unit * products)) * unit)


cdef inline void multiply_rows_back(const Workspace* work, Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const real* a,
                                    Py_ssize_t lda, const real* panels, int max_vectors, real* c,
                                    Py_ssize_t ldc) noexcept nogil:
    """c = a @ W.T                                     (rows, N) = (rows, K) (N, K)'

    Packed for any number of rows: for few rows a BLAS takes twice as long.
    """
    cdef Py_ssize_t step = piece(rows, MIN_ROWS_PER_POLL, K * N)
    cdef Py_ssize_t r = 0
    cdef Py_ssize_t count
    cdef operand_rows part
    clear_rows(rows, N, c, ldc)
    while r < rows and not is_canceled(work):
        count = min(step, rows - r)
        part = as_operand(count, K, a + r * lda, lda, work.scratch)
        multiply_panels(count, K, N, part.first, part.stride, panels, max_vectors, c + r * ldc, ldc)
        r += step


cdef inline void add_weight_gradient(const Network* net, const Workspace* work, Py_ssize_t rows, Py_ssize_t M,
                                     Py_ssize_t N, const real* a, const real* d, Py_ssize_t ldd, real* dW,
                                     Py_ssize_t ldw) noexcept nogil:
    """dW += a.T @ d                                   (M, N) += (rows, M)' (rows, N); rows of a are H elements apart

    With a BLAS it is dW = …: its few rows are a whole chunk.
    """
    if net.packing.gemm != NULL:
        transposed_product(net.packing.gemm, M, N, rows, a, net.dims.H, d, ldd, dW, ldw)
    else:
        add_packed_gradient(work, rows, M, N, a, net.dims.H, d, ldd, dW, ldw)


cdef inline void add_packed_gradient(const Workspace* work, Py_ssize_t rows, Py_ssize_t M, Py_ssize_t N, const real* a,
                                     Py_ssize_t lda, const real* d, Py_ssize_t ldd, real* dW,
                                     Py_ssize_t ldw) noexcept nogil:
    """dW += a.T @ d                                   (M, N) += (rows, M)' (rows, N), with packed operands"""
    cdef Py_ssize_t step = piece(N, whole_panel(), rows * M)
    cdef Py_ssize_t n = 0
    while n < N and not is_canceled(work):
        add_transposed_product(rows, M, min(step, N - n), a, lda, d + n, ldd, work.scratch, dW + n, ldw)
        n += step


cdef inline void set_rows(const real* bias, Py_ssize_t rows, Py_ssize_t N, real* y, Py_ssize_t ldy) noexcept nogil:
    """y = bias                                        (rows, N): to which a product is then added"""
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
