"""The LSTM with coupled input and forget gates: c = f c_prev + (1 - f) g, h = o tanh(c) (Greff et al. 2017, "CIFG").

A row of the gates' array is [f g o tanh(c)], H columns each: before the step the first three blocks hold z, after it
the gates, and after the backward step the gradients by the arguments of the non-linearities.
"""
# The same in NumPy: `reference/network.py`, `lstm_forward` and `lstm_backward` with three gates.
from libc.string cimport memcpy
from ..common.interface cimport real
from ..products.panels cimport MAX_COLUMNS
from .elementwise cimport sigmoid_, tanh_


cdef inline void cifg_units(Py_ssize_t n, Py_ssize_t H, const real* c_prev, real* gates, real* c,
                            real* h) noexcept nogil:
    """f, o = sigmoid(f, o); g = tanh(g); c = g + f (c_prev - g); h = o tanh(c)         n units of one stream

    Results go through local arrays, see `lstm_units`.
    """
    cdef real f[MAX_COLUMNS]
    cdef real g[MAX_COLUMNS]
    cdef real o[MAX_COLUMNS]
    cdef real cell[MAX_COLUMNS]
    cdef real top[MAX_COLUMNS]
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        f[j] = sigmoid_(gates[j])
    for j in range(n):
        g[j] = tanh_(gates[H + j])
    for j in range(n):
        cell[j] = g[j] + f[j] * (c_prev[j] - g[j])
        top[j] = tanh_(cell[j])
    for j in range(n):
        o[j] = sigmoid_(gates[2 * H + j])
    memcpy(gates, f, size)
    memcpy(gates + H, g, size)
    memcpy(gates + 2 * H, o, size)
    memcpy(gates + 3 * H, top, size)
    memcpy(c, cell, size)
    for j in range(n):
        h[j] = o[j] * top[j]


cdef inline void cifg_units_backward(Py_ssize_t n, Py_ssize_t H, const real* c_prev, real* gates, real* dh,
                                     real* dc) noexcept nogil:
    """The backward of `cifg_units`; dc is the next step's gradient of c, replaced by the gradient of c_prev.

    d = dc + dh o (1 - tanh(c)^2); df = d (c_prev - g) f (1 - f); dg = d (1 - f) (1 - g^2);
    do = dh tanh(c) o (1 - o); dc_prev = d f
    """
    cdef real df[MAX_COLUMNS]
    cdef real dg[MAX_COLUMNS]
    cdef real do_[MAX_COLUMNS]
    cdef real dc_prev[MAX_COLUMNS]
    cdef real f, g, o, top, d
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        f = gates[j]
        g = gates[H + j]
        o = gates[2 * H + j]
        top = gates[3 * H + j]
        d = dc[j] + dh[j] * o * (1 - top * top)
        df[j] = d * (c_prev[j] - g) * f * (1 - f)
        dg[j] = d * (1 - f) * (1 - g * g)
        do_[j] = dh[j] * top * o * (1 - o)
        dc_prev[j] = d * f
    memcpy(gates, df, size)
    memcpy(gates + H, dg, size)
    memcpy(gates + 2 * H, do_, size)
    memcpy(dc, dc_prev, size)
