"""The LSTM: c = f c_prev + i g, h = o tanh(c), gates from z, the input part with the bias, plus h_prev Wh.

A row of the gates' array is [i f g o tanh(c)], H columns each: before the step the first four blocks hold z, after it
the gates, and after the backward step the gradients by the arguments of the non-linearities.
"""
# The same in NumPy: `reference/network.py`, `lstm_forward` and `lstm_backward`.
from libc.string cimport memcpy
from ..common.interface cimport real
from ..products.panels cimport MAX_COLUMNS
from .elementwise cimport sigmoid_, tanh_


cdef inline void lstm_units(Py_ssize_t n, Py_ssize_t H, const real* c_prev, real* gates, real* c,
                            real* h) noexcept nogil:
    """i, f, o = sigmoid(i, f, o); g = tanh(g); c = f c_prev + i g; h = o tanh(c)          n units of one stream

    Results go through local arrays, so that the compiler sees that nothing overlaps with them. With one loop per gate,
    its constants stay in registers.
    """
    cdef real i[MAX_COLUMNS]
    cdef real f[MAX_COLUMNS]
    cdef real g[MAX_COLUMNS]
    cdef real o[MAX_COLUMNS]
    cdef real cell[MAX_COLUMNS]
    cdef real top[MAX_COLUMNS]
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        i[j] = sigmoid_(gates[j])
    for j in range(n):
        f[j] = sigmoid_(gates[H + j])
    for j in range(n):
        g[j] = tanh_(gates[2 * H + j])
    for j in range(n):
        cell[j] = f[j] * c_prev[j] + i[j] * g[j]
        top[j] = tanh_(cell[j])
    for j in range(n):
        o[j] = sigmoid_(gates[3 * H + j])
    memcpy(gates, i, size)
    memcpy(gates + H, f, size)
    memcpy(gates + 2 * H, g, size)
    memcpy(gates + 3 * H, o, size)
    memcpy(gates + 4 * H, top, size)
    memcpy(c, cell, size)
    for j in range(n):
        h[j] = o[j] * top[j]


cdef inline void lstm_units_backward(Py_ssize_t n, Py_ssize_t H, const real* c_prev, real* gates, real* dh,
                                     real* dc) noexcept nogil:
    """The backward of `lstm_units`; dc is the next step's gradient of c, replaced by the gradient of c_prev.

    d = dc + dh o (1 - tanh(c)^2); di = d g i (1 - i); df = d c_prev f (1 - f); dg = d i (1 - g^2);
    do = dh tanh(c) o (1 - o); dc_prev = d f
    """
    cdef real di[MAX_COLUMNS]
    cdef real df[MAX_COLUMNS]
    cdef real dg[MAX_COLUMNS]
    cdef real do_[MAX_COLUMNS]
    cdef real dc_prev[MAX_COLUMNS]
    cdef real i, f, g, o, top, d
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t j
    for j in range(n):
        i = gates[j]
        f = gates[H + j]
        g = gates[2 * H + j]
        o = gates[3 * H + j]
        top = gates[4 * H + j]
        d = dc[j] + dh[j] * o * (1 - top * top)
        di[j] = d * g * i * (1 - i)
        df[j] = d * c_prev[j] * f * (1 - f)
        dg[j] = d * i * (1 - g * g)
        do_[j] = dh[j] * top * o * (1 - o)
        dc_prev[j] = d * f
    memcpy(gates, di, size)
    memcpy(gates + H, df, size)
    memcpy(gates + 2 * H, dg, size)
    memcpy(gates + 3 * H, do_, size)
    memcpy(dc, dc_prev, size)


cdef inline void lstm_state_gradients(Py_ssize_t n, const real* o, const real* top, const real* dh, const real* dc,
                                      real* kept_dh, real* kept_dc) noexcept nogil:
    """The gradients of the loss by h = o top and by c, with top = tanh(c), for coupled gates, too."""
    cdef Py_ssize_t j
    for j in range(n):
        kept_dh[j] = dh[j]
        kept_dc[j] = dc[j] + dh[j] * o[j] * (1 - top[j] * top[j])
