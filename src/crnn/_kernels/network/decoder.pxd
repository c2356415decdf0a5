"""The decoder, from the top layer's outputs to logits, y = h Wy + by, and its backward pass."""
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.blas cimport add_product
from ..products.panels cimport Range, as_operand, depth_of, multiply_panels, operand_rows
from ..products.tail_columns cimport add_transposed_tail, multiply_tail
from ..threads.thread_group cimport columns_of_thread
from .row_products cimport add_column_sums, add_weight_gradient, multiply_rows_back, set_rows


cdef inline void decode(const Weights* w, Py_ssize_t rows, const real* h, real* y, real* room,
                        bint back=False) noexcept nogil:
    """y = h @ Wy + by                                 (rows, V) = (rows, H) (H, V); `back`: starting at the last panel

    `room` is for an operand.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t V = net.dims.V
    cdef Py_ssize_t whole = net.decoder.symbols_in_panels
    cdef operand_rows a = as_operand(rows, H, h, H, room)
    set_rows(w.p + net.decoder.by, rows, V, y, V)
    if net.packing.gemm == NULL:
        multiply_panels(rows, net.dims.units, whole, a.first, a.stride, w.panels + net.decoder.Wy_panels,
                        net.packing.max_row_vectors, y, V, back)
    else:
        add_product(net.packing.gemm, rows, whole, net.dims.units, h, H, w.p + net.decoder.Wy, V, y, V)
    # Padding of the units, if any, is zero in h and in the packed columns.
    multiply_tail(rows, H, a.first, a.stride, w.panels + net.decoder.Wy_tail, net.decoder.symbols_tail, y + whole, V)


cdef inline void decode_back(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h, const real* dy,
                             real* dh) noexcept nogil:
    """dWy += h.T @ dy; dby += dy.sum(axis=0); dh = dy @ Wy.T          the backward of `decode`, the thread's part"""
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t V = net.dims.V
    cdef Py_ssize_t whole = net.decoder.symbols_in_panels
    cdef Range units = columns_of_thread(&work.group, H)
    cdef Range symbols = columns_of_thread(&work.group, V)
    cdef real* dWy = work.d + net.decoder.Wy + units.first * V
    # dWy += h.T @ dy                                  (H, V) += (rows, H)' (rows, V)
    add_weight_gradient(net, work, rows, units.count, whole, h + units.first, dy, V, dWy, V)
    add_transposed_tail(rows, units.count, net.decoder.symbols_tail, h + units.first, H, dy + whole, V, dWy + whole, V)
    # dby += dy.sum(axis=0)                            (V,) += (rows, V)
    add_column_sums(dy + symbols.first, rows, symbols.count, V, work.d + net.decoder.by + symbols.first)
    # dh = dy @ Wy.T                                   (rows, H) = (rows, V) (H, V)'
    multiply_rows_back(work, rows, V, units.count, dy, V, w.panels + net.decoder.WyT_panels + depth_of(V) * units.first,
                       net.packing.max_row_vectors, dh + units.first, H)
