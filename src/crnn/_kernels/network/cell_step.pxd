"""One time step of a layer, forward and back: the recurrent product and the cell, for one panel of units at a time.

A cell is a file of two functions for n units of one stream (`rnn`, `gru`, `lstm`, `cifg`), selected by `cells`. The
non-linearities are applied to a panel's columns while these are in the first-level cache. A thread of a group computes
its `own` units.
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
    Range own
    bint back  # from the last panel to the first
    bint descending  # a single row is summed over k from last to first
    real* z  # (B, ldg): forward z, then what the cell saves; backward the same, then dz
    const real* h_prev  # (B, H)
    const real* c_prev  # equal to h_prev for a cell without c
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
    panel.start, panel.columns = done.first, done.count
    done.count = 0
    return True


cdef inline void step_forward(const Network* net, const real* Wh_panels, const Step* s) noexcept nogil:
    """z[:, :G H] += h_prev @ Wh; then the cell         (B, G H) += (B, H) (H, G H)

    Weights used in place replace their panels.
    """
    cdef Py_ssize_t i, b, g, H = net.H, gate = packed_elements(net.units, H), depth = depth_of(net.units)
    cdef operand_rows h_prev = as_operand(s.B, net.units, s.h_prev, H, s.room)
    cdef Py_ssize_t count = panel_count(s.own.count, net.max_vectors)
    cdef const real* Wh
    cdef real* row
    cdef Panel panel
    cdef Range done = Range(0, 0)
    if in_place(net):
        multiply_in_place(H, net.G * H, s.h_prev, Wh_panels, s.back, s.z)
    for i in range(count):
        panel = panel_among(s.own, net.max_vectors, i, s.back)
        for g in range(0 if in_place(net) else net.G):
            # The gates' packed columns, (units, columns), one gate after another.
            Wh = Wh_panels + g * gate + depth * panel.start
            multiply_panel(s.B, net.units, h_prev.first, h_prev.stride, Wh, panel.columns,
                           Wh + gate if g + 1 < net.G else Wh_panels + depth * panel.next,
                           s.z + g * H + panel.start, net.ldg, s.descending)
        if CELL_PANELS > 1 and not completed(&done, &panel, i, count):
            continue
        for b in range(s.B):
            row = s.z + b * net.ldg + panel.start
            # What the next time step reads and writes.
            prefetch_columns(net.Z, H, row + s.B * net.ldg, panel.columns)
            if net.has_c:
                prefetch_columns(1, H, s.c + (s.B + b) * H + panel.start, panel.columns)
            if not net.z_in_h:
                prefetch_columns(1, H, s.h + (s.B + b) * H + panel.start, panel.columns)
            cell_units(net, panel.columns, s.h_prev + b * H + panel.start, s.c_prev + b * H + panel.start, row,
                       s.c + b * H + panel.start, s.h + b * H + panel.start)


cdef inline void step_backward(const Network* net, const real* WhT_panels, const Step* s) noexcept nogil:
    """dh += dz_next @ Wh.T                             (B, H) += (B, G H) (H, G H)'; then z = dz, the cell's gradients

    dh comes in as the gradient from above, `carry` as what reaches the state past the products of the next step; it
    leaves as the same for the previous state.
    """
    cdef Py_ssize_t i, b, H = net.H, N = net.G * H, depth = depth_of(N), at
    cdef const real* before = s.h_prev
    cdef Py_ssize_t count = panel_count(s.own.count, net.max_vectors)
    cdef operand_rows dz_next
    cdef Panel panel
    cdef Range done = Range(0, 0)
    if in_place(net):
        if s.dz_next != NULL:
            multiply_rows_in_place(H, N, WhT_panels, s.dz_next, s.back, s.dh)
    elif s.dz_next != NULL:
        dz_next = as_operand(s.B, N, s.dz_next, net.ldg, s.room)
    if net.has_c:
        before = s.c_prev
    elif net.z_in_h:
        before = s.h
    for i in range(count):
        panel = panel_among(s.own, net.max_vectors, i, s.back)
        if s.dz_next != NULL and not in_place(net):
            multiply_panel(s.B, N, dz_next.first, dz_next.stride, WhT_panels + depth * panel.start, panel.columns,
                           WhT_panels + depth * panel.next, s.dh + panel.start, H, s.descending)
        if CELL_PANELS > 1 and not completed(&done, &panel, i, count):
            continue
        for b in range(s.B):
            at = b * H + panel.start
            # What the previous time step reads and writes.
            prefetch_columns(1, H, before + at - s.B * H, panel.columns)
            if not net.z_in_h:
                prefetch_columns(net.Z, H, s.z + (b - s.B) * net.ldg + panel.start, panel.columns)
                prefetch_columns(1, H, s.dh + at - s.B * H, panel.columns)
            if s.kept_dh != NULL:
                cell_state_gradients(net, panel.columns, s.z + b * net.ldg + panel.start, s.dh + at, s.carry + at,
                                     s.kept_dh + at, s.kept_dc + at)
            cell_units_backward(net, panel.columns, s.h_prev + at, s.c_prev + at, s.h + at,
                                s.z + b * net.ldg + panel.start, s.dh + at, s.carry + at)
