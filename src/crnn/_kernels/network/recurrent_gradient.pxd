"""The gradient of unpacked recurrent weights, from a chunk of few rows, for some rows of the weights at a time.

The whole gradient would evict weights and optimizer state from the second-level cache. The update therefore computes
the rows that it is about to use (see `update`). Code that needs the whole gradient at once, such as a reducer, gets it
from the same functions, and so with the same bits.
"""
from ..common.interface cimport Network, Workspace, real
from ..products.panels cimport (GRADIENT_ROWS, TILE_VECTORS, Panel, depth_of, multiply_slivers, pack, pack_slivers,
                                packed_elements, panel_count, panel_in_turn, sliver_elements)
from .network cimport in_place
from .row_products cimport clear_rows
from .workspace cimport layer_dz, layer_h


cdef inline bint by_rows(const Network* net) noexcept nogil:
    """Return whether the gradient is computed here. Chunks of many rows are summed block by block instead."""
    return in_place(net) and net.packing.gemm != NULL


cdef inline void pack_dz(const Network* net, const Workspace* work, Py_ssize_t l) noexcept nogil:
    """Pack dz (rows, G H) of a layer's chunk into the scratch memory, for `gradient_rows`."""
    cdef Py_ssize_t rows = work.T * work.B
    pack(layer_dz(net, work, l, 0, 0), rows, net.dims.G * net.dims.H, net.dims.ldg, TILE_VECTORS, 0, rows, work.scratch)


cdef inline void gradient_rows(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                               real* d) noexcept nogil:
    """d = h[:-1, first:first + n].T @ dz              (n, G H) = (rows, n)' (rows, G H), n being GRADIENT_ROWS"""
    cdef Py_ssize_t rows = work.T * work.B
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t j
    cdef real* slivers = work.scratch + packed_elements(rows, N)
    cdef Panel panel
    clear_rows(GRADIENT_ROWS, N, d, N)
    pack_slivers(rows, GRADIENT_ROWS, layer_h(work, l, 0) + first, net.dims.H, slivers)
    for j in range(panel_count(N, TILE_VECTORS)):
        panel = panel_in_turn(N, TILE_VECTORS, j, back=False)
        multiply_slivers(GRADIENT_ROWS, rows, slivers, work.scratch + depth_of(rows) * panel.start, panel.columns,
                         d + panel.start, N)


cdef inline real* room_for_rows(const Network* net, const Workspace* work) noexcept nogil:
    """Return the buffer for rows of a gradient in the scratch memory, (GRADIENT_ROWS, G H)."""
    cdef Py_ssize_t rows = work.T * work.B
    return work.scratch + packed_elements(rows, net.dims.G * net.dims.H) + sliver_elements(rows, GRADIENT_ROWS)


cdef inline void recurrent_gradient(const Network* net, const Workspace* work, Py_ssize_t l) noexcept nogil:
    """dWh = h[:-1].T @ dz                             (H, G H) = (rows, H)' (rows, G H)"""
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef real* dWh = work.d + net.layer[l].Wh
    cdef Py_ssize_t i, row
    pack_dz(net, work, l)
    for i in range(net.dims.H // GRADIENT_ROWS):
        row = i * GRADIENT_ROWS
        gradient_rows(net, work, l, row, dWh + row * N)
