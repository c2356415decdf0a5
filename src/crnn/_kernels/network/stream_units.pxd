"""Units of one stream in a time step of inference, once z holds its products: all units, or one thread's."""
from ..cells.cells cimport cell_units
from ..common.interface cimport InputRows, Network, Weights, real
from ..products.panels cimport MAX_COLUMNS, Range
from .input_tables cimport add_input


cdef inline void finish_first_layer(const Weights* w, InputRows rows, Range own, const real* h_prev,
                                    const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell           (G H,); h is z if z lives in h"""
    add_input(w, rows, own, z)
    finish_units(w.net, own, h_prev, c_prev, z, c, h)


cdef inline void finish_units(const Network* net, Range own, const real* h_prev, const real* c_prev, real* z,
                              real* c, real* h) noexcept nogil:
    """The cell, at most MAX_COLUMNS units at a time"""
    cdef Py_ssize_t j = own.first, n, stop = own.first + own.count
    while j < stop:
        n = min(stop - j, <Py_ssize_t>MAX_COLUMNS)
        cell_units(net, n, h_prev + j, c_prev + j, z + j, c + j, h + j)
        j += n
