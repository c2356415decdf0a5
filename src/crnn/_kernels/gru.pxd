"""The GRU: h = (1 - z) n + z h_prev with n = tanh(x Wx_n + bh_n + r (h_prev Wh_n + bn)), as PyTorch defines it.

A row of the gates' array is [r z m n], H columns each, m = h_prev Wh_n + bn. Before the step r, z and n hold the input
part with the bias, and m holds bn; after it the gates; after the backward step the gradients of what the
non-linearities were applied to, and of m. So the first three blocks go with Wh, and r, z, n with Wx.
"""
from cython cimport floating
from .elementwise cimport sigmoid_, tanh_
from .panels cimport MOST_COLUMNS, multiply_panel, packed_elements, panel_count, panel_start, prefetch_blocks, turn


cdef inline void gru_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, const floating* h_prev,
                             const floating* Wh_panels, int most, bint back, floating* gates,
                             Py_ssize_t ldg, floating* h) noexcept nogil:
    """gates[:, :3 H] += h_prev @ Wh, then the cell     (B, 3 H) += (B, H) (H, 3 H), a panel's units at a time"""
    cdef Py_ssize_t i, j, b, g, start, columns
    cdef Py_ssize_t count = panel_count(h_prev, H, most), gate = packed_elements(h_prev, units, H)
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(h_prev, H, most, j)
        columns = panel_start(h_prev, H, most, j + 1) - start
        for g in range(3):
            multiply_panel(B, units, h_prev, H, Wh_panels + g * gate + units * start, columns, gates + g * H + start,
                           ldg)
        for b in range(B):
            gru_units(columns, H, h_prev + b * H + start, gates + b * ldg + start, h + b * H + start)


cdef inline void gru_units(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, floating* gates,
                           floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream, through arrays of its own (see lstm_units)."""
    cdef floating r[MOST_COLUMNS]
    cdef floating z[MOST_COLUMNS]
    cdef floating new[MOST_COLUMNS]
    cdef floating out[MOST_COLUMNS]
    cdef Py_ssize_t j
    for j in range(n):
        r[j] = sigmoid_(gates[j])
        z[j] = sigmoid_(gates[H + j])
        new[j] = tanh_(gates[3 * H + j] + r[j] * gates[2 * H + j])
        out[j] = new[j] + z[j] * (h_prev[j] - new[j])
    for j in range(n):
        gates[j] = r[j]
    for j in range(n):
        gates[H + j] = z[j]
    for j in range(n):
        gates[3 * H + j] = new[j]
    for j in range(n):
        h[j] = out[j]


cdef inline void gru_backward(Py_ssize_t B, Py_ssize_t H, const floating* dz_next, const floating* WhT_panels,
                              int most, bint back, const floating* h_prev, floating* gates, Py_ssize_t ldg,
                              floating* dh, floating* direct) noexcept nogil:
    """dh += dz_next @ Wh.T + direct; gates = their gradients; direct = dh z     dz_next NULL at the last step

    dh comes in as that from above; `direct` is what reaches a state past the gates of the step after it.
    """
    cdef Py_ssize_t i, j, b, start, columns, count = panel_count(dh, H, most)
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(dh, H, most, j)
        columns = panel_start(dh, H, most, j + 1) - start
        prefetch_blocks(B, 4, H, gates + start, ldg, columns)
        if dz_next != NULL:
            multiply_panel(B, 3 * H, dz_next, ldg, WhT_panels + 3 * H * start, columns, dh + start, H)
        for b in range(B):
            gru_units_backward(columns, H, h_prev + b * H + start, dh + b * H + start, gates + b * ldg + start,
                               direct + b * H + start)


cdef inline void gru_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* h_prev, const floating* dh,
                                    floating* gates, floating* direct) noexcept nogil:
    """The backward of `gru_units`."""
    cdef floating dr[MOST_COLUMNS]
    cdef floating dz[MOST_COLUMNS]
    cdef floating dm[MOST_COLUMNS]
    cdef floating dn[MOST_COLUMNS]
    cdef floating past[MOST_COLUMNS]
    cdef floating r, z, m, new, d
    cdef Py_ssize_t j
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
    for j in range(n):
        gates[j] = dr[j]
    for j in range(n):
        gates[H + j] = dz[j]
    for j in range(n):
        gates[2 * H + j] = dm[j]
    for j in range(n):
        gates[3 * H + j] = dn[j]
    for j in range(n):
        direct[j] = past[j]
