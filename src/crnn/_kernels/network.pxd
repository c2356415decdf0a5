"""The network over one chunk: rows of Wx, the cell over T steps, logits, loss, and the same backwards.

Time-major arrays: h (T + 1, B, H) with the carried state in h[0], y (T, B, V) the logits and then dy, dz (T, B, H).
x (T + 1, B) holds the chunk's symbols and one more row: x[:-1] are the inputs, x[1:] the targets.
"""
from cython cimport floating
from libc.string cimport memset
from .blas cimport gemm_nn, gemm_nt, gemm_tn
from .rnn cimport rnn_backward, rnn_forward
from .softmax cimport softmax_loss


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


cdef inline void column_sums(const floating* a, Py_ssize_t rows, floating[::1] out) noexcept nogil:
    """out = a.sum(axis=0)"""
    cdef Py_ssize_t r, j, N = out.shape[0]
    for j in range(N):
        out[j] = 0
    for r in range(rows):
        for j in range(N):
            out[j] += a[r * N + j]


cdef inline void recur(const floating[:, ::1] Wx, const floating[::1] bh, const floating* Wh_panels,
                       int most, const int[:, ::1] x, floating[:, :, ::1] h, Py_ssize_t T) noexcept nogil:
    """h[t + 1] = tanh(Wx[x[t]] + bh + h[t] @ Wh) for t < T"""
    cdef Py_ssize_t t, B = h.shape[1], H = h.shape[2]
    for t in range(T):
        add_input(Wx, bh, &x[t, 0], B, &h[t + 1, 0, 0])
        rnn_forward(B, H, &h[t, 0, 0], Wh_panels, most, &h[t + 1, 0, 0])


cdef inline double loss_and_gradients(
        const floating[:, ::1] Wx, const floating[::1] bh, const floating[:, ::1] Wy, const floating[::1] by,
        const floating* Wh_panels, const floating* WhT_panels, int most, const int[:, ::1] x, floating weight,
        floating[:, :, ::1] h, floating[:, :, ::1] y, floating[:, :, ::1] dz,
        floating[:, ::1] dWx, floating[:, ::1] dWh, floating[::1] dbh, floating[:, ::1] dWy,
        floating[::1] dby) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in the d's, the states in h.

    dWx must come in as zeros in the rows of the chunk's symbols, and other rows are not touched.
    """
    cdef Py_ssize_t T = y.shape[0], B = y.shape[1], V = y.shape[2], H = h.shape[2]
    cdef Py_ssize_t t, b, j
    cdef double loss
    cdef floating* row
    recur(Wx, bh, Wh_panels, most, x, h, T)
    # y = h[1:] @ Wy + by                              (TB, V) = (TB, H) (H, V)
    add_bias(by, T * B, &y[0, 0, 0])
    gemm_nn(T * B, V, H, &h[1, 0, 0], &Wy[0, 0], 1, &y[0, 0, 0])
    loss = softmax_loss(&y[0, 0, 0], &x[1, 0], T * B, V, weight)

    # From here on y holds dy.
    # dWy = h[1:].T @ dy                               (H, V) = (TB, H)' (TB, V)
    gemm_tn(H, V, T * B, &h[1, 0, 0], &y[0, 0, 0], 0, &dWy[0, 0])
    column_sums(&y[0, 0, 0], T * B, dby)
    # dh = dy @ Wy.T                                   (TB, H) = (TB, V) (H, V)'
    gemm_nt(T * B, H, V, &y[0, 0, 0], &Wy[0, 0], 0, &dz[0, 0, 0])
    for t in range(T - 1, -1, -1):
        rnn_backward(B, H, &dz[t + 1, 0, 0] if t + 1 < T else NULL, WhT_panels, most, &h[t + 1, 0, 0], &dz[t, 0, 0])
    # dWh = h[:-1].T @ dz                              (H, H) = (TB, H)' (TB, H)
    gemm_tn(H, H, T * B, &h[0, 0, 0], &dz[0, 0, 0], 0, &dWh[0, 0])
    column_sums(&dz[0, 0, 0], T * B, dbh)
    for t in range(T):
        for b in range(B):
            row = &dWx[x[t, b], 0]
            for j in range(H):
                row[j] += dz[t, b, j]
    return loss
