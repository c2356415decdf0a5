"""The GRU: h = (1 - z) n + z h_prev with n = tanh(x Wx_n + bh_n + r (h_prev Wh_n + bn)), as PyTorch defines it.

A row of the gates' array is [r z m n], H columns each, m = h_prev Wh_n + bn. Before the step r, z and n hold the input
part with the bias, and m holds bn; after it the gates; after the backward step the gradients of what the
non-linearities were applied to, and of m. So the first three blocks go with Wh, and r, z, n with Wx.
"""
from cython cimport floating
from libc.string cimport memcpy
from .elementwise cimport sigmoid_, tanh_
from .panels cimport (MOST_COLUMNS, Columns, Panel, ask_for, multiply_panel, narrow_panel, packed_elements, panel_among,
                      panel_count, whole_panel)


cdef inline void gru_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, Columns own, const floating* h_prev,
                             const floating* Wh_panels, int most, bint back, floating* gates,
                             Py_ssize_t ldg, floating* h) noexcept nogil:
    """gates[:, :3 H] += h_prev @ Wh, then the cell     (B, 3 H) += (B, H) (H, 3 H), a panel's units at a time

    All this and the backward step only of the units that are `own`.
    """
    cdef Py_ssize_t i, b, g, gate = packed_elements(h_prev, units, H)
    cdef const floating* Wh
    cdef floating* row
    cdef Panel panel
    for i in range(panel_count(h_prev, own.count, most)):
        panel = panel_among(h_prev, own, most, i, back)
        for g in range(3):
            Wh = Wh_panels + g * gate + units * panel.start
            multiply_panel(B, units, h_prev, H, Wh, panel.columns,
                           Wh + gate if g < 2 else Wh_panels + units * panel.next, gates + g * H + panel.start, ldg)
        for b in range(B):
            row = gates + b * ldg + panel.start
            ask_for(4, H, row + B * ldg, panel.columns)  # of the next time step
            ask_for(1, H, h + (B + b) * H + panel.start, panel.columns)
            gru_units(panel.columns, H, h_prev + b * H + panel.start, row, h + b * H + panel.start)


cdef inline void gru_units(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, floating* gates,
                           floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream; with loops of known length for a panel's."""
    if n == whole_panel(gates):
        gru_some_units(whole_panel(gates), H, h_prev, gates, h)
    elif n == narrow_panel(gates):
        gru_some_units(narrow_panel(gates), H, h_prev, gates, h)
    else:
        gru_some_units(n, H, h_prev, gates, h)


cdef inline void gru_some_units(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, floating* gates,
                                floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream, through arrays of its own (see lstm_some_units)."""
    cdef floating r[MOST_COLUMNS]
    cdef floating z[MOST_COLUMNS]
    cdef floating new[MOST_COLUMNS]
    cdef floating out[MOST_COLUMNS]
    cdef Py_ssize_t j, size = n * sizeof(floating)
    for j in range(n):
        r[j] = sigmoid_(gates[j])
    for j in range(n):
        z[j] = sigmoid_(gates[H + j])
    for j in range(n):
        new[j] = tanh_(gates[3 * H + j] + r[j] * gates[2 * H + j])
        out[j] = new[j] + z[j] * (h_prev[j] - new[j])
    memcpy(gates, r, size)
    memcpy(gates + H, z, size)
    memcpy(gates + 3 * H, new, size)
    memcpy(h, out, size)


cdef inline void gru_backward(Py_ssize_t B, Py_ssize_t H, Columns own, const floating* dz_next,
                              const floating* WhT_panels, int most, bint back, const floating* h_prev,
                              floating* gates, Py_ssize_t ldg, floating* dh, floating* direct) noexcept nogil:
    """dh += dz_next @ Wh.T + direct; gates = their gradients; direct = dh z     dz_next NULL at the last step

    dh comes in as that from above; `direct` is what reaches a state past the gates of the step after it.
    """
    cdef Py_ssize_t i, b
    cdef floating* row
    cdef Panel panel
    for i in range(panel_count(dh, own.count, most)):
        panel = panel_among(dh, own, most, i, back)
        if dz_next != NULL:
            multiply_panel(B, 3 * H, dz_next, ldg, WhT_panels + 3 * H * panel.start, panel.columns,
                           WhT_panels + 3 * H * panel.next, dh + panel.start, H)
        for b in range(B):
            row = gates + b * ldg + panel.start
            ask_for(4, H, row - B * ldg, panel.columns)  # of the time step before
            ask_for(1, H, h_prev + (b - B) * H + panel.start, panel.columns)
            ask_for(1, H, dh + (b - B) * H + panel.start, panel.columns)
            gru_units_backward(panel.columns, H, h_prev + b * H + panel.start, dh + b * H + panel.start, row,
                               direct + b * H + panel.start)


cdef inline void gru_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, const floating* dh,
                                    floating* gates, floating* direct) noexcept nogil:
    """The backward of `gru_units`."""
    if n == whole_panel(gates):
        gru_some_units_backward(whole_panel(gates), H, h_prev, dh, gates, direct)
    elif n == narrow_panel(gates):
        gru_some_units_backward(narrow_panel(gates), H, h_prev, dh, gates, direct)
    else:
        gru_some_units_backward(n, H, h_prev, dh, gates, direct)


cdef inline void gru_some_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, const floating* dh,
                                         floating* gates, floating* direct) noexcept nogil:
    """The backward of `gru_some_units`."""
    cdef floating dr[MOST_COLUMNS]
    cdef floating dz[MOST_COLUMNS]
    cdef floating dm[MOST_COLUMNS]
    cdef floating dn[MOST_COLUMNS]
    cdef floating past[MOST_COLUMNS]
    cdef floating r, z, m, new, d
    cdef Py_ssize_t j, size = n * sizeof(floating)
    for j in range(n):
        r = gates[j]
        z = gates[H + j]
        m = gates[2 * H + j]
        new = gates[3 * H + j]
        d = dh[j] + direct[j]
        dn[j] = d * (1 - z) * (1 - new * new)
        dz[j] = d * (h_prev[j] - new) * z * (1 - z)
        dr[j] = dn[j] * m * r * (1 - r)
        dm[j] = dn[j] * r
        past[j] = d * z
    memcpy(gates, dr, size)
    memcpy(gates + H, dz, size)
    memcpy(gates + 2 * H, dm, size)
    memcpy(gates + 3 * H, dn, size)
    memcpy(direct, past, size)
