"""Rows of a table that are added to the input of the first layer, and their gradient.

A row has G H columns, gates side by side; z has them where the input part of each gate is. Row NO_ROW adds nothing.
"""
from ..entry.interface cimport Network, real
from .network cimport input_block
from .pair_slots cimport NO_ROW
from ..products.panels cimport Columns


cdef inline void add_row(const Network* net, const real* table, int row, Columns own, real* z) noexcept nogil:
    """z += table[row]                                 (G H,): the input of one stream"""
    cdef Py_ssize_t j, g, H = net.H
    cdef const real* gate
    cdef real* out
    if row == NO_ROW:
        return
    for g in range(net.G):
        gate = table + (row * net.G + g) * H + own.first
        out = z + input_block(net, g) * H + own.first
        for j in range(own.count):
            out[j] += gate[j]


cdef inline void add_row_gradients(const Network* net, const real* dz, const int* rows, Columns own, Py_ssize_t B,
                                   real* dtable) noexcept nogil:
    """dtable[rows] += dz                              (B, G H): of all streams, while dz is in the cache"""
    cdef Py_ssize_t b, j, g, H = net.H
    cdef const real* out
    cdef real* row
    for b in range(B):
        for g in range(net.G if rows[b] != NO_ROW else 0):
            row = dtable + (rows[b] * net.G + g) * H + own.first
            out = dz + b * net.ldg + input_block(net, g) * H + own.first
            for j in range(own.count):
                row[j] += out[j]
