"""The first layer's time step of inference, in two parts: what needs no symbol, and the rest.

A draw knows the symbol only when the first part's product is done. Reading does the same, so that it gives the same
bits.
"""
from .boundary cimport starts
from .first_layer_units cimport finish_units
from .interface cimport Network, SharedStep, Weights, Workspace, real
from .layer_input cimport set_biases
from .panels cimport Columns, as_operand, multiply_panels, operand_rows, packed_elements
from .shared_step cimport CELL, PRODUCT, compute_together
from .tail_columns cimport multiply_tail, tail_length
from .workspace cimport clear_stream


cdef inline void begin_step(const Weights* w, const Workspace* work, const real* h_prev, bint back,
                            real* z) noexcept nogil:
    """z = bh + h_prev @ Wh                            (B, G H) = (B, H) (H, G H)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t g, B = work.B, H = net.H, ld = net.ldg, whole = net.units_in_panels
    cdef const real* Wh = w.panels + net.layer[0].Wh_panels
    cdef const real* tail = w.panels + net.Wh_tail
    cdef operand_rows h = as_operand(B, H, h_prev, H, work.scratch)
    if work.shared != NULL:
        work.shared.w, work.shared.back, work.shared.operand, work.shared.z = w, back, h.first, z
        compute_together(work.shared, PRODUCT)
        return
    set_biases(net, w.p, 0, Columns(0, H), B, z)
    for g in range(net.G):
        multiply_panels(B, net.units, whole, h.first, h.stride, Wh + g * packed_elements(net.units, H), net.max_vectors,
                        z + g * H, ld, back)
        # Padding of the units, where there is any, is zeros in h_prev and in the packed columns.
        multiply_tail(B, H, h.first, h.stride, tail + g * net.units_tail * tail_length(H), net.units_tail,
                      z + g * H + whole, ld)


cdef inline void restart_at_boundary(const Weights* w, const Workspace* work, const int* x, real* z) noexcept nogil:
    """After `begin_step`: where a stream turns out to read the boundary, states of zeros, and z as from those."""
    cdef const Network* net = w.net
    cdef Py_ssize_t b, H = net.H
    for b in range(work.B):
        if starts(net, x[b]):
            set_biases(net, w.p, 0, Columns(0, H), 1, z + b * net.ldg)
            clear_stream(net, work, b, Columns(0, H))


cdef inline void finish_step(const Weights* w, const Workspace* work, const int* x, const real* h_prev,
                             const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += Wx[x], then the cell                       (B, G H); h is z where that lives in h"""
    cdef Py_ssize_t b, at, H = w.net.H
    cdef SharedStep* shared = work.shared
    if shared != NULL:
        shared.w, shared.x, shared.h_prev, shared.c_prev = w, x[0], h_prev, c_prev
        shared.z, shared.c, shared.h = z, c, h
        compute_together(shared, CELL)
        return
    for b in range(work.B):
        at = b * H
        finish_units(w, x[b], Columns(0, H), h_prev + at, c_prev + at, z + b * w.net.ldg, c + at, h + at)
