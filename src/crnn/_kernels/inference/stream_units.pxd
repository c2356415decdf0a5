"""Units of one stream in a time step of inference, once z holds its products: all, or those of one thread."""
from ..cells.cells cimport cell_units
from ..entry.interface cimport Network, Weights, real
from ..products.panels cimport MAX_COLUMNS, Columns
from ..network.table_rows cimport add_row


cdef inline void finish_first_layer(const Weights* w, int x, int bigram_row, Columns own, const real* h_prev,
                                    const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += Wx[x] + Bigrams[bigram_row], then the cell     (G H,); h is z where that lives in h"""
    cdef const Network* net = w.net
    add_row(net, w.p + net.layer[0].Wx, x, own, z)
    if net.R:
        add_row(net, w.p + net.bigrams, bigram_row, own, z)
    finish_units(net, own, h_prev, c_prev, z, c, h)


cdef inline void finish_units(const Network* net, Columns own, const real* h_prev, const real* c_prev, real* z,
                              real* c, real* h) noexcept nogil:
    """The cell, at most MAX_COLUMNS units at a time"""
    cdef Py_ssize_t j = own.first, n, stop = own.first + own.count
    while j < stop:
        n = min(stop - j, <Py_ssize_t>MAX_COLUMNS)
        cell_units(net, n, h_prev + j, c_prev + j, z + j, c + j, h + j)
        j += n
