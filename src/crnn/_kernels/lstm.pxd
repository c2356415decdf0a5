"""The LSTM: c = f c_prev + i g, h = o tanh(c), the gates from z, the input part with the bias, plus h_prev Wh.

A row of the gates' array is [i f g o tanh(c)], H columns each: before the step the first four hold z, after it the
gates, and after the backward step the gradients of what the non-linearities were applied to.
"""
from cython cimport floating
from libc.string cimport memcpy
from .elementwise cimport sigmoid_, tanh_
from .panels cimport (MOST_COLUMNS, Columns, Panel, ask_for, multiply_panel, narrow_panel, packed_elements, panel_among,
                      panel_count, whole_panel)


cdef inline void lstm_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, Columns own, const floating* h_prev,
                              const floating* c_prev, const floating* Wh_panels, int most, bint back, floating* gates,
                              Py_ssize_t ldg, floating* c, floating* h) noexcept nogil:
    """gates += h_prev @ Wh, then the cell              (B, 4 H) += (B, H) (H, 4 H), a panel's units at a time

    All this and the backward step only of the units that are `own`.
    """
    cdef Py_ssize_t i, b, g, gate = packed_elements(h_prev, units, H)
    cdef const floating* Wh
    cdef floating* row
    cdef Panel panel
    for i in range(panel_count(h_prev, own.count, most)):
        panel = panel_among(h_prev, own, most, i, back)
        for g in range(4):
            Wh = Wh_panels + g * gate + units * panel.start
            multiply_panel(B, units, h_prev, H, Wh, panel.columns,
                           Wh + gate if g < 3 else Wh_panels + units * panel.next, gates + g * H + panel.start, ldg)
        for b in range(B):
            row = gates + b * ldg + panel.start
            ask_for(5, H, row + B * ldg, panel.columns)  # of the next time step
            ask_for(1, H, c + (B + b) * H + panel.start, panel.columns)
            ask_for(1, H, h + (B + b) * H + panel.start, panel.columns)
            lstm_units(panel.columns, H, c_prev + b * H + panel.start, row, c + b * H + panel.start,
                       h + b * H + panel.start)


cdef inline void lstm_units(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, floating* gates, floating* c,
                            floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream; with loops of known length for a panel's."""
    if n == whole_panel(gates):
        lstm_some_units(whole_panel(gates), H, c_prev, gates, c, h)
    elif n == narrow_panel(gates):
        lstm_some_units(narrow_panel(gates), H, c_prev, gates, c, h)
    else:
        lstm_some_units(n, H, c_prev, gates, c, h)


cdef inline void lstm_some_units(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, floating* gates, floating* c,
                                 floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream.

    Results go through arrays of its own, with which, as the compiler can see, nothing else overlaps. A loop for each
    gate leaves its constants in the registers.
    """
    cdef floating i[MOST_COLUMNS]
    cdef floating f[MOST_COLUMNS]
    cdef floating g[MOST_COLUMNS]
    cdef floating o[MOST_COLUMNS]
    cdef floating cell[MOST_COLUMNS]
    cdef floating top[MOST_COLUMNS]
    cdef Py_ssize_t j, size = n * sizeof(floating)
    for j in range(n):
        i[j] = sigmoid_(gates[j])
    for j in range(n):
        f[j] = sigmoid_(gates[H + j])
    for j in range(n):
        g[j] = tanh_(gates[2 * H + j])
    for j in range(n):
        cell[j] = f[j] * c_prev[j] + i[j] * g[j]
        top[j] = tanh_(cell[j])
    for j in range(n):
        o[j] = sigmoid_(gates[3 * H + j])
    memcpy(gates, i, size)
    memcpy(gates + H, f, size)
    memcpy(gates + 2 * H, g, size)
    memcpy(gates + 3 * H, o, size)
    memcpy(gates + 4 * H, top, size)
    memcpy(c, cell, size)
    for j in range(n):
        h[j] = o[j] * top[j]


cdef inline void lstm_backward(Py_ssize_t B, Py_ssize_t H, Columns own, const floating* dz_next,
                               const floating* WhT_panels, int most, bint back, const floating* c_prev,
                               floating* gates, Py_ssize_t ldg, floating* dh, floating* dc) noexcept nogil:
    """dh += dz_next @ Wh.T; gates = their gradients; dc = that of c_prev     dz_next NULL at the last step

    dh comes in as that from above, dc as that of c from the step after.
    """
    cdef Py_ssize_t i, b
    cdef floating* row
    cdef Panel panel
    for i in range(panel_count(dh, own.count, most)):
        panel = panel_among(dh, own, most, i, back)
        if dz_next != NULL:
            multiply_panel(B, 4 * H, dz_next, ldg, WhT_panels + 4 * H * panel.start, panel.columns,
                           WhT_panels + 4 * H * panel.next, dh + panel.start, H)
        for b in range(B):
            row = gates + b * ldg + panel.start
            ask_for(5, H, row - B * ldg, panel.columns)  # of the time step before
            ask_for(1, H, c_prev + (b - B) * H + panel.start, panel.columns)
            ask_for(1, H, dh + (b - B) * H + panel.start, panel.columns)
            lstm_units_backward(panel.columns, H, c_prev + b * H + panel.start, dh + b * H + panel.start, row,
                                dc + b * H + panel.start)


cdef inline void lstm_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, const floating* dh,
                                     floating* gates, floating* dc) noexcept nogil:
    """The backward of `lstm_units`."""
    if n == whole_panel(gates):
        lstm_some_units_backward(whole_panel(gates), H, c_prev, dh, gates, dc)
    elif n == narrow_panel(gates):
        lstm_some_units_backward(narrow_panel(gates), H, c_prev, dh, gates, dc)
    else:
        lstm_some_units_backward(n, H, c_prev, dh, gates, dc)


cdef inline void lstm_some_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, const floating* dh,
                                          floating* gates, floating* dc) noexcept nogil:
    """The backward of `lstm_some_units`."""
    cdef floating di[MOST_COLUMNS]
    cdef floating df[MOST_COLUMNS]
    cdef floating dg[MOST_COLUMNS]
    cdef floating do_[MOST_COLUMNS]
    cdef floating dc_prev[MOST_COLUMNS]
    cdef floating i, f, g, o, top, d
    cdef Py_ssize_t j, size = n * sizeof(floating)
    for j in range(n):
        i = gates[j]
        f = gates[H + j]
        g = gates[2 * H + j]
        o = gates[3 * H + j]
        top = gates[4 * H + j]
        d = dc[j] + dh[j] * o * (1 - top * top)
        di[j] = d * g * i * (1 - i)
        df[j] = d * c_prev[j] * f * (1 - f)
        dg[j] = d * i * (1 - g * g)
        do_[j] = dh[j] * top * o * (1 - o)
        dc_prev[j] = d * f
    memcpy(gates, di, size)
    memcpy(gates + H, df, size)
    memcpy(gates + 2 * H, dg, size)
    memcpy(gates + 3 * H, do_, size)
    memcpy(dc, dc_prev, size)
