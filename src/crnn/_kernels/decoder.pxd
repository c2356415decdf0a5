"""The decoder, from the top layer's outputs to logits: y = h Wy + by, and the way back."""
from cython cimport floating
from .blas cimport gemm
from .crew cimport Crew, own_columns
from .edges cimport add_transposed_edge, edge_columns, multiply_edge
from .network cimport Network, packed_symbols
from .panels cimport Columns, multiply_panels, packed_elements
from .row_products cimport add_column_sums, add_weight_gradient, multiply_rows_back, set_rows


cdef inline void decode(const Network* net, const floating* p, const floating* panels, Py_ssize_t rows,
                        const floating* h, floating* y, bint back=False) noexcept nogil:
    """y = h @ Wy + by                                 (rows, V) = (rows, H) (H, V)"""
    cdef Py_ssize_t H = net.H, V = net.V, edge = edge_columns(p, packed_symbols(net, p))
    cdef Py_ssize_t whole = packed_symbols(net, p) - edge
    cdef const floating* Wy = panels + net.Wy_panels
    set_rows(p + net.by, rows, V, y, V)
    if not net.many:
        gemm(b"n", rows, V, H, h, H, p + net.Wy, V, <floating>1, y, V)
        return
    multiply_panels(rows, net.units, whole, h, H, Wy, net.most_rows, y, V, back)
    # Padding of the units, where there is any, is zeros in h and in the packed columns.
    multiply_edge(rows, H, h, H, Wy + packed_elements(p, net.units, whole), edge, y + whole, V)


cdef inline void decode_back(const Network* net, const floating* panels, const Crew* crew, Py_ssize_t rows,
                             const floating* h, const floating* dy, floating* d, floating* scratch,
                             floating* dh) noexcept nogil:
    """dWy += h.T @ dy; dby += dy.sum(axis=0); dh = dy @ Wy.T          the backward of `decode`, a crew member's part"""
    cdef Py_ssize_t H = net.H, V = net.V
    cdef Py_ssize_t edge = edge_columns(dy, V) if net.many else 0
    cdef Columns own = own_columns(crew, dy, H), symbols = own_columns(crew, dy, V)
    cdef floating* dWy = d + net.Wy + own.first * V
    # dWy += h.T @ dy                                  (H, V) = (rows, H)' (rows, V)
    add_weight_gradient(net.many, rows, own.count, V - edge, h + own.first, H, dy, V, scratch, dWy, V)
    add_transposed_edge(rows, own.count, edge, h + own.first, H, dy + V - edge, V, dWy + V - edge, V)
    add_column_sums(dy + symbols.first, rows, symbols.count, V, d + net.by + symbols.first)
    # dh = dy @ Wy.T                                   (rows, H) = (rows, V) (H, V)'
    multiply_rows_back(rows, V, own.count, dy, V, panels + net.WyT_panels + V * own.first, net.most_rows,
                       dh + own.first, H)
