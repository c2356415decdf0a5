"""The first layer's time step in inference, in two parts: what does not need the symbol, and the rest.

A draw knows the symbol only after the first part's product. Reading proceeds in the same way, so that it gives the same
bits.
"""
from ..common.interface cimport InputRows, Network, Weights, Workspace, real
from ..products.panels cimport Range, as_operand, multiply_panels, operand_rows, packed_elements
from ..products.tail_columns cimport multiply_tail
from .boundary cimport starts
from .input_tables cimport rows_at
from .layer_input cimport set_biases
from .network cimport first_tail_elements
from .shared_step cimport finish_first_layer, share_cell, share_recurrent_product
from .workspace cimport clear_stream


cdef inline void begin_step(const Weights* w, const Workspace* work, const real* h_prev, bint back,
                            real* z) noexcept nogil:
    """z = bh + h_prev @ Wh                            (B, G H) = (B, H) (H, G H)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t ld = net.dims.ldg
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t gate_tail = first_tail_elements(net)
    cdef const real* Wh = w.panels + net.layer[0].Wh_panels
    cdef const real* tail = w.panels + net.first_layer.Wh_tail
    cdef operand_rows h = as_operand(B, H, h_prev, H, work.scratch)
    cdef Py_ssize_t g
    if work.shared != NULL:
        share_recurrent_product(work.shared, w, 0, h, back, z)
        return
    set_biases(net, w.p, 0, Range(0, H), B, z)
    for g in range(net.dims.G):
        multiply_panels(B, net.dims.units, whole, h.first, h.stride, Wh + g * gate, net.packing.max_vectors, z + g * H,
                        ld, back)
        # Padding of the units, if any, is zero in h_prev and in the packed columns.
        multiply_tail(B, H, h.first, h.stride, tail + g * gate_tail, net.first_layer.units_tail, z + g * H + whole, ld)


cdef inline void restart_at_boundary(const Weights* w, const Workspace* work, const int* x, real* z) noexcept nogil:
    """After `begin_step`: if a stream turns out to read the boundary, set zero states, and z to match."""
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b
    for b in range(work.B):
        if starts(net, x[b]):
            set_biases(net, w.p, 0, Range(0, H), 1, z + b * net.dims.ldg)
            clear_stream(net, work, b, Range(0, H))


cdef inline void finish_step(const Weights* w, const Workspace* work, const int* x, Py_ssize_t t, const real* h_prev,
                             const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell         (B, G H); h is z if z lives in h"""
    cdef Py_ssize_t H = w.net.dims.H
    cdef Py_ssize_t b, place
    cdef InputRows rows
    if work.shared != NULL:
        work.shared.input = rows_at(w.net, work, x, t, 0)
        share_cell(work.shared, h_prev, c_prev, c, h)
        return
    for b in range(work.B):
        place = b * H
        rows = rows_at(w.net, work, x, t, b)
        finish_first_layer(w, rows, Range(0, H), h_prev + place, c_prev + place, z + b * w.net.dims.ldg, c + place,
                           h + place)
