"""The vanilla cell: h = tanh(z) with z = x Wx + bh + h_prev Wh.

Its z lives in h: z is stored where the state will be, and the gradient of h becomes dz in place. It saves nothing.
"""
# The same in NumPy: `reference/network.py`, `rnn_forward` and `rnn_backward`.
from libc.string cimport memcpy
from ..common.interface cimport real
from .elementwise cimport tanh_array


cdef inline void rnn_units(Py_ssize_t n, real* h) noexcept nogil:
    """h = tanh(h) for n units of one stream; h comes in as z"""
    tanh_array(h, n)


cdef inline void rnn_units_backward(Py_ssize_t n, const real* h, real* dz) noexcept nogil:
    """dz = dz * (1 - h * h); dz comes in as dh"""
    cdef Py_ssize_t j
    for j in range(n):
        dz[j] *= <real>1 - h[j] * h[j]


cdef inline void rnn_state_gradients(Py_ssize_t n, const real* dh, real* kept_dh) noexcept nogil:
    """kept_dh = dh: the gradient of the loss by h     (n,)"""
    memcpy(kept_dh, dh, n * sizeof(real))
