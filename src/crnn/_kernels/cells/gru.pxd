"""The GRU: h = (1 - z) n + z h_prev with n = tanh(x Wx_n + bh_n + r (h_prev Wh_n + bn)), as PyTorch defines it.

A row of the gates' array is [r z m n], H columns each, m = h_prev Wh_n + bn. Before the step r, z and n hold the input
part with the bias, and m holds bn; after it the gates; after the backward step the gradients by the arguments of the
non-linearities, and by m. So the first three blocks belong to Wh, and r, z, n to Wx: the gate n keeps
its two parts separate.
"""
# The same in NumPy: `reference/network.py`, `gru_forward` and `gru_backward`.
from libc.string cimport memcpy
from ..common.interface cimport real
from ..products.panels cimport MAX_COLUMNS
from .elementwise cimport sigmoid_, tanh_


cdef inline void gru_units(Py_ssize_t n, Py_ssize_t H, const real* h_prev, real* gates, real* unused,
                           real* h) noexcept nogil:
    """r, z, n = sigmoid(r), sigmoid(z), tanh(n + r m); h = n + z (h_prev - n)          n units of one stream

    Results go through local arrays, see `lstm_units`.
    """
    cdef real r[MAX_COLUMNS]
    cdef real z[MAX_COLUMNS]
    cdef real new[MAX_COLUMNS]
    cdef real out[MAX_COLUMNS]
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        r[j] = sigmoid_(gates[j])
    for j in range(n):
        z[j] = sigmoid_(gates[H + j])
    for j in range(n):
        new[j] = tanh_(gates[3 * H + j] + r[j] * gates[2 * H + j])
        out[j] = new[j] + z[j] * (h_prev[j] - new[j])
    memcpy(gates, r, size)
    memcpy(gates + H, z, size)
    memcpy(gates + 3 * H, new, size)
    memcpy(h, out, size)


cdef inline void gru_units_backward(Py_ssize_t n, Py_ssize_t H, const real* h_prev, real* gates, real* dh,
                                    real* direct) noexcept nogil:
    """The backward of `gru_units`; `direct` comes in as what reaches h past the products, and leaves as dh z.

    d = dh + direct; dn = d (1 - z) (1 - n^2); dz = d (h_prev - n) z (1 - z); dr = dn m r (1 - r); dm = dn r
    """
    cdef real dr[MAX_COLUMNS]
    cdef real dz[MAX_COLUMNS]
    cdef real dm[MAX_COLUMNS]
    cdef real dn[MAX_COLUMNS]
    cdef real past[MAX_COLUMNS]
    cdef real r, z, m, new, d
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        r = gates[j]
        z = gates[H + j]
        m = gates[2 * H + j]
        new = gates[3 * H + j]
        d = dh[j] + direct[j]
        dn[j] = d * (1 - z) * (1 - new * new)
        dz[j] = d * (h_prev[j] - new) * z * (1 - z)
        dr[j] = dn[j] * m * r * (1 - r)
        dm[j] = dn[j] * r
        past[j] = d * z
    memcpy(gates, dr, size)
    memcpy(gates + H, dz, size)
    memcpy(gates + 2 * H, dm, size)
    memcpy(gates + 3 * H, dn, size)
    memcpy(direct, past, size)


cdef inline void gru_state_gradients(Py_ssize_t n, const real* dh, const real* direct, real* kept_dh) noexcept nogil:
    """The gradient of the loss by h: through the products, and past them."""
    cdef Py_ssize_t j
    for j in range(n):
        kept_dh[j] = dh[j] + direct[j]
