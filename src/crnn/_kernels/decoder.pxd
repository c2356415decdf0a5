"""The decoder, from the top layer's outputs to logits: y = h Wy + by, and the way back."""
from cython cimport floating
from .crew cimport Crew, own_columns
from .edges cimport add_transposed_edge, multiply_edge
from .network cimport Network
from .panels cimport Columns
from .row_products cimport add_column_sums, add_weight_gradient, multiply_rows, multiply_rows_back, set_rows


cdef inline void decode(const Network* net, const floating* p, const floating* panels, Py_ssize_t rows,
                        const floating* h, floating* y, bint back=False) noexcept nogil:
    """y = h @ Wy + by                                 (rows, V) = (rows, H) (H, V); `back`: from the last panel on"""
    cdef Py_ssize_t H = net.H, V = net.V
    set_rows(p + net.by, rows, V, y, V)
    multiply_rows(net.many, rows, net.units, net.symbols_in_panels, h, H, p + net.Wy, V, panels + net.Wy_panels,
                  net.most_rows, y, V, back)
    # Padding of the units, where there is any, is zeros in h and in the packed columns.
    multiply_edge(rows, H, h, H, panels + net.Wy_edge, net.symbols_edge, y + net.symbols_in_panels, V)


cdef inline void decode_back(const Network* net, const floating* panels, const Crew* crew, Py_ssize_t rows,
                             const floating* h, const floating* dy, floating* d, floating* scratch,
                             floating* dh) noexcept nogil:
    """dWy += h.T @ dy; dby += dy.sum(axis=0); dh = dy @ Wy.T          the backward of `decode`, a crew member's part"""
    cdef Py_ssize_t H = net.H, V = net.V, whole = net.symbols_in_panels
    cdef Columns own = own_columns(crew, dy, H), symbols = own_columns(crew, dy, V)
    cdef floating* dWy = d + net.Wy + own.first * V
    # dWy += h.T @ dy                                  (H, V) = (rows, H)' (rows, V)
    add_weight_gradient(net.many, rows, own.count, whole, h + own.first, H, dy, V, scratch, dWy, V)
    add_transposed_edge(rows, own.count, net.symbols_edge, h + own.first, H, dy + whole, V, dWy + whole, V)
    add_column_sums(dy + symbols.first, rows, symbols.count, V, d + net.by + symbols.first)
    # dh = dy @ Wy.T                                   (rows, H) = (rows, V) (H, V)'
    multiply_rows_back(rows, V, own.count, dy, V, panels + net.WyT_panels + V * own.first, net.most_rows,
                       dh + own.first, H)
