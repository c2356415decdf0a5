"""The network over one chunk: rows of Wx, the cell over T steps, logits, loss, and the same backwards.

Time-major arrays: h (T + 1, B, H) with the carried state in h[0], y (T, B, V) the logits and then dy; dz
(block_steps + 1, B, H) is the gradient of what tanh is applied to, for a few time steps at a time.
x (T + 1, B) holds the chunk's symbols and one more row: x[:-1] are the inputs, x[1:] the targets.
"""
from cython cimport floating
from libc.string cimport memcpy, memset
from .blas cimport gemm_nn, gemm_nt, gemm_tn
from .panels cimport (TILE_VECTORS, add_transposed_product, multiply_panels, pack, pack_transposed, packed_elements,
                      transposed_scratch)
from .rnn cimport rnn_backward, rnn_forward
from .softmax cimport softmax_loss

cdef enum:
    BLOCK_ROWS = 512  # streams times time steps that pass through all stages before the next ones are taken
    MANY_ROWS = 64  # from so many rows on, packing a matrix for them pays


cdef inline void add_input(const floating[:, ::1] Wx, const floating[::1] bh, const int* x, Py_ssize_t B,
                           floating* z) noexcept nogil:
    """z = Wx[x] + bh                                  (B, H): a row lookup for each stream"""
    cdef Py_ssize_t b, j, H = bh.shape[0]
    cdef const floating* row
    for b in range(B):
        row = &Wx[x[b], 0]
        for j in range(H):
            z[b * H + j] = row[j] + bh[j]


cdef inline void add_bias(const floating[::1] bias, Py_ssize_t rows, floating* y) noexcept nogil:
    """y = bias                                        (rows, N): what a product is then added to"""
    cdef Py_ssize_t r, j, N = bias.shape[0]
    for r in range(rows):
        for j in range(N):
            y[r * N + j] = bias[j]


cdef inline void add_column_sums(const floating* a, Py_ssize_t rows, floating[::1] out) noexcept nogil:
    """out += a.sum(axis=0)"""
    cdef Py_ssize_t r, j, N = out.shape[0]
    for r in range(rows):
        for j in range(N):
            out[j] += a[r * N + j]


cdef inline void add_input_gradient(const floating* dz, const int* x, Py_ssize_t B, floating[:, ::1] dWx,
                                    floating[::1] dbh) noexcept nogil:
    """dWx[x] += dz; dbh += dz.sum(axis=0)             the backward of `add_input`, while dz is in the cache"""
    cdef Py_ssize_t b, j, H = dbh.shape[0]
    cdef floating* row
    cdef floating* bias = &dbh[0]
    for b in range(B):
        row = &dWx[x[b], 0]
        for j in range(H):
            row[j] += dz[b * H + j]
            bias[j] += dz[b * H + j]


cdef inline void recur(const floating[:, ::1] Wx, const floating[::1] bh, const floating* Wh_panels,
                       int most, const int[:, ::1] x, floating[:, :, ::1] h, Py_ssize_t first,
                       Py_ssize_t last) noexcept nogil:
    """h[t + 1] = tanh(Wx[x[t]] + bh + h[t] @ Wh) for first <= t < last"""
    cdef Py_ssize_t t, B = h.shape[1], H = h.shape[2]
    for t in range(first, last):
        add_input(Wx, bh, &x[t, 0], B, &h[t + 1, 0, 0])
        rnn_forward(B, H, &h[t, 0, 0], Wh_panels, most, &h[t + 1, 0, 0])


cdef inline Py_ssize_t block_steps(Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Time steps of a chunk that are taken at a time."""
    return min(T, max(1, BLOCK_ROWS // B))


cdef inline Py_ssize_t chunk_scratch(const floating* w, Py_ssize_t H, Py_ssize_t V) noexcept nogil:
    """Elements of the scratch of `loss_and_gradients`; `w` only tells the dtype."""
    return transposed_scratch(w, H, max(H, V)) + packed_elements(w, H, V) + packed_elements(w, V, H)


cdef inline double loss_and_gradients(
        const floating[:, ::1] Wx, const floating[::1] bh, const floating[:, ::1] Wy, const floating[::1] by,
        const floating* Wh_panels, const floating* WhT_panels, int most, const int[:, ::1] x, floating weight,
        floating[:, :, ::1] h, floating[:, :, ::1] y, floating[:, :, ::1] dz,
        floating[:, ::1] dWx, floating[:, ::1] dWh, floating[::1] dbh, floating[:, ::1] dWy,
        floating[::1] dby, floating* scratch) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in the d's, the states in h.

    dWx must come in as zeros in the rows of the chunk's symbols, and other rows are not touched. The chunk is taken
    `block_steps` time steps at a time, so that what one stage leaves in the cache the next one finds there. For the
    few rows of an online chunk the products are single calls of the BLAS; for many rows Wy is packed first.
    """
    cdef Py_ssize_t T = y.shape[0], B = y.shape[1], V = y.shape[2], H = h.shape[2]
    cdef Py_ssize_t block = block_steps(T, B), first, last, rows, t
    cdef floating* Wy_panels = scratch + transposed_scratch(scratch, H, max(H, V))
    cdef floating* WyT_panels = Wy_panels + packed_elements(scratch, H, V)
    cdef bint many = T * B >= MANY_ROWS
    cdef double loss = 0
    if many:
        pack(&Wy[0, 0], H, V, TILE_VECTORS, 0, H, Wy_panels)
        pack_transposed(&Wy[0, 0], V, H, TILE_VECTORS, 0, H, WyT_panels)
    memset(&dWh[0, 0], 0, H * H * sizeof(floating))
    memset(&dbh[0], 0, H * sizeof(floating))
    memset(&dWy[0, 0], 0, H * V * sizeof(floating))
    memset(&dby[0], 0, V * sizeof(floating))

    first = 0
    while first < T:
        last = min(first + block, T)
        rows = (last - first) * B
        recur(Wx, bh, Wh_panels, most, x, h, first, last)
        # y = h[1:] @ Wy + by                          (TB, V) = (TB, H) (H, V)
        add_bias(by, rows, &y[first, 0, 0])
        if many:
            multiply_panels(rows, H, V, &h[first + 1, 0, 0], H, Wy_panels, TILE_VECTORS, &y[first, 0, 0], V)
        else:
            gemm_nn(rows, V, H, &h[first + 1, 0, 0], &Wy[0, 0], 1, &y[first, 0, 0])
        loss += softmax_loss(&y[first, 0, 0], &x[first + 1, 0], rows, V, weight)
        first = last

    # From here on y holds dy. dz[:block] are those of the block at hand, dz[block] that of the step after it.
    last = T
    while last > 0:
        first = max(last - block, 0)
        rows = (last - first) * B
        # dWy += h[1:].T @ dy                          (H, V) = (TB, H)' (TB, V)
        # dh = dy @ Wy.T                               (TB, H) = (TB, V) (H, V)'
        if many:
            add_transposed_product(rows, H, V, &h[first + 1, 0, 0], &y[first, 0, 0], scratch, &dWy[0, 0])
            memset(&dz[0, 0, 0], 0, rows * H * sizeof(floating))
            multiply_panels(rows, V, H, &y[first, 0, 0], V, WyT_panels, TILE_VECTORS, &dz[0, 0, 0], H)
        else:
            gemm_tn(H, V, rows, &h[first + 1, 0, 0], &y[first, 0, 0], 1, &dWy[0, 0])
            gemm_nt(rows, H, V, &y[first, 0, 0], &Wy[0, 0], 0, &dz[0, 0, 0])
        add_column_sums(&y[first, 0, 0], rows, dby)
        for t in range(last - 1, first - 1, -1):
            rnn_backward(B, H, NULL if t + 1 == T else &dz[block if t + 1 == last else t + 1 - first, 0, 0],
                         WhT_panels, most, &h[t + 1, 0, 0], &dz[t - first, 0, 0])
            add_input_gradient(&dz[t - first, 0, 0], &x[t, 0], B, dWx, dbh)
        # dWh += h[:-1].T @ dz                         (H, H) = (TB, H)' (TB, H)
        if many:
            add_transposed_product(rows, H, H, &h[first, 0, 0], &dz[0, 0, 0], scratch, &dWh[0, 0])
        else:
            gemm_tn(H, H, rows, &h[first, 0, 0], &dz[0, 0, 0], 1, &dWh[0, 0])
        memcpy(&dz[block, 0, 0], &dz[0, 0, 0], B * H * sizeof(floating))
        last = first
    return loss
