"""The dispatch to the cells: the only place, besides its own file and `parameters/kinds.py`, to touch for a new cell.

Everything else that kernels need to know about a cell is in the Network: its number of gates and of saved blocks,
whether z lives in h, whether it has a state c, whether a gate keeps its two parts separate.
"""
from ..common.interface cimport Network, real
from .cifg cimport cifg_units, cifg_units_backward
from .gru cimport gru_state_gradients, gru_units, gru_units_backward
from .lstm cimport lstm_state_gradients, lstm_units, lstm_units_backward
from .rnn cimport rnn_state_gradients, rnn_units, rnn_units_backward

cdef enum:  # the numbers assigned in `parameters/kinds.py`
    RNN = 0
    GRU = 1
    LSTM = 2
    CIFG = 3

ctypedef void (*Units)(Py_ssize_t n, Py_ssize_t H, const real* before, real* gates, real* first,
                       real* second) noexcept nogil

cdef extern from "tiles.h" nogil:
    void AT_KNOWN_WIDTH(Units function, Py_ssize_t n, Py_ssize_t H, const real* before, real* gates, real* first,
                        real* second) noexcept


cdef inline void cell_units(const Network* net, Py_ssize_t n, const real* h_prev, const real* c_prev, real* z, real* c,
                            real* h) noexcept nogil:
    """c, h = cell(z, h_prev, c_prev) for n units of one stream; z becomes what the backward pass needs."""
    if net.cell.number == RNN:
        rnn_units(n, h)
    elif net.cell.number == GRU:
        AT_KNOWN_WIDTH(gru_units, n, net.dims.H, h_prev, z, NULL, h)
    elif net.cell.number == LSTM:
        AT_KNOWN_WIDTH(lstm_units, n, net.dims.H, c_prev, z, c, h)
    elif net.cell.number == CIFG:
        AT_KNOWN_WIDTH(cifg_units, n, net.dims.H, c_prev, z, c, h)


cdef inline void cell_units_backward(const Network* net, Py_ssize_t n, const real* h_prev, const real* c_prev,
                                     const real* h, real* z, real* dh, real* carry) noexcept nogil:
    """The backward of `cell_units`: z becomes dz, `carry` what reaches the previous state past the products."""
    if net.cell.number == RNN:
        rnn_units_backward(n, h, z)
    elif net.cell.number == GRU:
        AT_KNOWN_WIDTH(gru_units_backward, n, net.dims.H, h_prev, z, dh, carry)
    elif net.cell.number == LSTM:
        AT_KNOWN_WIDTH(lstm_units_backward, n, net.dims.H, c_prev, z, dh, carry)
    elif net.cell.number == CIFG:
        AT_KNOWN_WIDTH(cifg_units_backward, n, net.dims.H, c_prev, z, dh, carry)


cdef inline void cell_state_gradients(const Network* net, Py_ssize_t n, const real* z, const real* dh,
                                      const real* carry, real* kept_dh, real* kept_dc) noexcept nogil:
    """Compute the gradients of the loss by h and c after the step, before `cell_units_backward` overwrites inputs."""
    if net.cell.number == RNN:
        rnn_state_gradients(n, dh, kept_dh)
    elif net.cell.number == GRU:
        gru_state_gradients(n, dh, carry, kept_dh)
    elif net.cell.number == LSTM:
        lstm_state_gradients(n, z + 3 * net.dims.H, z + 4 * net.dims.H, dh, carry, kept_dh, kept_dc)
    elif net.cell.number == CIFG:
        lstm_state_gradients(n, z + 2 * net.dims.H, z + 3 * net.dims.H, dh, carry, kept_dh, kept_dc)
