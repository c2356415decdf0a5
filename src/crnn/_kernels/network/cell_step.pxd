"""One time step of a layer, forward and back: the recurrent product and the cell, for one panel of units at a time.

A cell is a file of two functions for n units of one stream (`rnn`, `gru`, `lstm`, `cifg`), selected by `cells`. The
non-linearities are applied to a panel's columns while these are in the first-level cache. A thread of a group computes
the units of `Step.units`.
"""
from ..cells.cells cimport cell_state_gradients, cell_units, cell_units_backward
from ..common.interface cimport Network, real
from ..products.panels cimport (Panel, Range, as_operand, depth_of, multiply_in_place, multiply_panel,
                                multiply_rows_in_place, operand_rows, packed_elements, panel_among, panel_count,
                                prefetch_columns)
from .network cimport in_place

cdef extern from "tiles.h" nogil:
    const int CELL_PANELS  # neighboring panels multiplied before the cells of their units are computed

ctypedef struct Step:  # of one layer: its operands and results; each row belongs to one stream
    Py_ssize_t B
    Range units
    bint back  # from the last panel to the first
    bint descending  # a single row is summed over k from last to first
    const real* Wh  # (H, G H): the recurrent weights, if they are used in place
    const real* Wh_panels  # otherwise packed for the forward pass
    const real* WhT_panels  # and for the backward pass
    real* z  # (B, ldg): forward z, then what the cell saves; backward the same, then dz
    const real* h_prev  # (B, H)
    const real* c_prev  # (B, H); equal to h_prev for a cell without c
    real* c
    real* h  # the state after the step; equal to z if z lives in h
    const real* dz_next  # (B, ldg) of the next time step; NULL at the last one
    real* dh  # (B, H)
    real* carry  # (B, H): what reaches a state past the products of the next step
    real* kept_dh  # (B, H): buffer for the gradients of the states; NULL: not wanted
    real* kept_dc
    real* room  # for an operand


cdef inline bint completed(Range* done, Panel* panel, Py_ssize_t i, Py_ssize_t count) noexcept nogil:
    """Add panel i of `count` to its finished neighbors; return True if there are enough for computing cells.

    The panel's columns then cover all of them.
    """
    done.first = min(done.first, panel.start) if done.count else panel.start
    done.count += panel.columns
    if (i + 1) % CELL_PANELS and i + 1 < count:
        return False
    panel.start = done.first
    panel.columns = done.count
    done.count = 0
    return True


# ------------------------------------------------------------------------------------------------- forward


cdef inline void step_forward(const Network* net, const Step* s) noexcept nogil:
    """z[:, :G H] += h_prev @ Wh; then the cell         (B, G H) += (B, H) (H, G H)"""
    cdef Py_ssize_t count = panel_count(s.units.count, net.packing.max_vectors)
    cdef operand_rows h_prev = as_operand(s.B, net.dims.units, s.h_prev, net.dims.H, s.room)
    cdef Range done = Range(0, 0)
    cdef Panel panel
    cdef Py_ssize_t i
    if in_place(net):
        multiply_in_place(net.dims.H, net.dims.G * net.dims.H, s.h_prev, s.Wh, s.back, s.z)
    for i in range(count):
        panel = panel_among(s.units, net.packing.max_vectors, i, s.back)
        if not in_place(net):
            multiply_gates(net, s, h_prev, panel)
        if CELL_PANELS == 1 or completed(&done, &panel, i, count):
            compute_cells(net, s, panel)


cdef inline void multiply_gates(const Network* net, const Step* s, operand_rows h_prev, Panel panel) noexcept nogil:
    """z[:, columns] += h_prev @ Wh[:, columns]        for a panel's columns of each gate"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t depth = depth_of(net.dims.units)
    cdef const real* columns
    cdef const real* after
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        # The gates' packed columns, (units, columns), one gate after another.
        columns = s.Wh_panels + g * gate + depth * panel.start
        after = columns + gate if g + 1 < net.dims.G else s.Wh_panels + depth * panel.next
        multiply_panel(s.B, net.dims.units, h_prev.first, h_prev.stride, columns, panel.columns, after,
                       s.z + g * H + panel.start, net.dims.ldg, s.descending)


cdef inline void compute_cells(const Network* net, const Step* s, Panel panel) noexcept nogil:
    """c, h = cell(z, h_prev, c_prev)                  for a panel's units of each stream"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, place
    cdef real* row
    for b in range(s.B):
        row = s.z + b * net.dims.ldg + panel.start
        place = b * H + panel.start
        # What the next time step reads and writes.
        prefetch_columns(net.dims.Z, H, row + s.B * net.dims.ldg, panel.columns)
        if net.cell.has_c:
            prefetch_columns(1, H, s.c + place + s.B * H, panel.columns)
        if not net.cell.z_in_h:
            prefetch_columns(1, H, s.h + place + s.B * H, panel.columns)
        cell_units(net, panel.columns, s.h_prev + place, s.c_prev + place, row, s.c + place, s.h + place)


# ------------------------------------------------------------------------------------------------- backward


cdef inline void step_backward(const Network* net, const Step* s) noexcept nogil:
    """dh += dz_next @ Wh.T                             (B, H) += (B, G H) (H, G H)'; then z = dz, the cell's gradients

    dh comes in as the gradient from above, `carry` as what reaches the state past the products of the next step; it
    leaves as the same for the previous state.
    """
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t N = net.dims.G * H
    cdef Py_ssize_t depth = depth_of(N)
    cdef Py_ssize_t count = panel_count(s.units.count, net.packing.max_vectors)
    cdef bint by_panels = s.dz_next != NULL and not in_place(net)
    cdef operand_rows dz_next
    cdef Range done = Range(0, 0)
    cdef Panel panel
    cdef Py_ssize_t i
    if by_panels:
        dz_next = as_operand(s.B, N, s.dz_next, net.dims.ldg, s.room)
    elif s.dz_next != NULL:
        multiply_rows_in_place(H, N, s.Wh, s.dz_next, s.back, s.dh)
    for i in range(count):
        panel = panel_among(s.units, net.packing.max_vectors, i, s.back)
        if by_panels:
            multiply_panel(s.B, N, dz_next.first, dz_next.stride, s.WhT_panels + depth * panel.start, panel.columns,
                           s.WhT_panels + depth * panel.next, s.dh + panel.start, H, s.descending)
        if CELL_PANELS == 1 or completed(&done, &panel, i, count):
            compute_cells_back(net, s, panel)


cdef inline void compute_cells_back(const Network* net, const Step* s, Panel panel) noexcept nogil:
    """z = dz, the gradients of the cell               for a panel's units of each stream"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, place
    cdef const real* before = s.h_prev
    cdef real* row
    if net.cell.has_c:
        before = s.c_prev
    elif net.cell.z_in_h:
        before = s.h
    for b in range(s.B):
        row = s.z + b * net.dims.ldg + panel.start
        place = b * H + panel.start
        # What the previous time step reads and writes.
        prefetch_columns(1, H, before + place - s.B * H, panel.columns)
        if not net.cell.z_in_h:
            prefetch_columns(net.dims.Z, H, row - s.B * net.dims.ldg, panel.columns)
            prefetch_columns(1, H, s.dh + place - s.B * H, panel.columns)
        if s.kept_dh != NULL:
            cell_state_gradients(net, panel.columns, row, s.dh + place, s.carry + place, s.kept_dh + place,
                                 s.kept_dc + place)
        cell_units_backward(net, panel.columns, s.h_prev + place, s.c_prev + place, s.h + place, row, s.dh + place,
                            s.carry + place)
