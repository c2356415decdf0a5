"""The LSTM: c = f c_prev + i g, h = o tanh(c), the gates from z, the input part with the bias, plus h_prev Wh.

A row of the gates' array is [i f g o tanh(c)], H columns each: before the step the first four hold z, after it the
gates, and after the backward step the gradients of what the non-linearities were applied to.
"""
from cython cimport floating
from .elementwise cimport sigmoid_, tanh_
from .panels cimport MOST_COLUMNS, TILE_VECTORS, VECTOR_BYTES, multiply_panel, packed_elements, panel_count, panel_start, prefetch_blocks, turn


cdef inline void lstm_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, const floating* h_prev,
                              const floating* c_prev, const floating* Wh_panels, int most, bint back, floating* gates,
                              Py_ssize_t ldg, floating* c, floating* h) noexcept nogil:
    """gates += h_prev @ Wh, then the cell              (B, 4 H) += (B, H) (H, 4 H), a panel's units at a time"""
    cdef Py_ssize_t i, j, b, g, start, columns, next_start
    cdef const floating* after
    cdef Py_ssize_t count = panel_count(h_prev, H, most), gate = packed_elements(h_prev, units, H)
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(h_prev, H, most, j)
        columns = panel_start(h_prev, H, most, j + 1) - start
        next_start = panel_start(h_prev, H, most, turn(i + 1, count, back))
        for g in range(4):
            after = (Wh_panels + (g + 1) * gate + units * start if g < 3 else
                     Wh_panels + units * next_start if i + 1 < count else NULL)
            multiply_panel(B, units, h_prev, H, Wh_panels + g * gate + units * start, columns, gates + g * H + start,
                           ldg, after)
        for b in range(B):
            prefetch_blocks(1, 5, H, gates + (B + b) * ldg + start, ldg, columns)
            prefetch_blocks(1, 1, H, c + (B + b) * H + start, H, columns)
            prefetch_blocks(1, 1, H, h + (B + b) * H + start, H, columns)
            lstm_units(columns, H, c_prev + b * H + start, gates + b * ldg + start, c + b * H + start,
                       h + b * H + start)


cdef inline void lstm_units(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, floating* gates, floating* c,
                            floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream: compiled apart for whole panels, whose loops have no remainder."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    if n == TILE_VECTORS * lanes:
        lstm_some_units(TILE_VECTORS * lanes, H, c_prev, gates, c, h)
    elif n == (TILE_VECTORS - 1) * lanes:
        lstm_some_units((TILE_VECTORS - 1) * lanes, H, c_prev, gates, c, h)
    else:
        lstm_some_units(n, H, c_prev, gates, c, h)


cdef inline void lstm_some_units(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, floating* gates, floating* c,
                                 floating* h) noexcept nogil:
    """The cell's arithmetic for n units of one stream.

    Results go through arrays of its own, with which, as the compiler can see, nothing else overlaps.
    """
    cdef floating i[MOST_COLUMNS]
    cdef floating f[MOST_COLUMNS]
    cdef floating g[MOST_COLUMNS]
    cdef floating o[MOST_COLUMNS]
    cdef floating cell[MOST_COLUMNS]
    cdef floating top[MOST_COLUMNS]
    cdef Py_ssize_t j
    for j in range(n):
        i[j] = sigmoid_(gates[j])
        f[j] = sigmoid_(gates[H + j])
        g[j] = tanh_(gates[2 * H + j])
        o[j] = sigmoid_(gates[3 * H + j])
        cell[j] = f[j] * c_prev[j] + i[j] * g[j]
        top[j] = tanh_(cell[j])
    for j in range(n):
        gates[j] = i[j]
    for j in range(n):
        gates[H + j] = f[j]
    for j in range(n):
        gates[2 * H + j] = g[j]
    for j in range(n):
        gates[3 * H + j] = o[j]
    for j in range(n):
        gates[4 * H + j] = top[j]
    for j in range(n):
        c[j] = cell[j]
    for j in range(n):
        h[j] = o[j] * top[j]


cdef inline void lstm_backward(Py_ssize_t B, Py_ssize_t H, const floating* dz_next, const floating* WhT_panels,
                               int most, bint back, const floating* c_prev, floating* gates, Py_ssize_t ldg,
                               floating* dh, floating* dc) noexcept nogil:
    """dh += dz_next @ Wh.T; gates = their gradients; dc = that of c_prev     dz_next NULL at the last step

    dh comes in as that from above, dc as that of c from the step after.
    """
    cdef Py_ssize_t i, j, b, start, columns, count = panel_count(dh, H, most)
    cdef const floating* after
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(dh, H, most, j)
        columns = panel_start(dh, H, most, j + 1) - start
        if dz_next != NULL:
            after = WhT_panels + 4 * H * panel_start(dh, H, most, turn(i + 1, count, back)) if i + 1 < count else NULL
            multiply_panel(B, 4 * H, dz_next, ldg, WhT_panels + 4 * H * start, columns, dh + start, H, after)
        for b in range(B):
            prefetch_blocks(1, 5, H, gates + (b - B) * ldg + start, ldg, columns)
            prefetch_blocks(1, 1, H, c_prev + (b - B) * H + start, H, columns)
            prefetch_blocks(1, 1, H, dh + (b - B) * H + start, H, columns)
            lstm_units_backward(columns, H, c_prev + b * H + start, dh + b * H + start, gates + b * ldg + start,
                                dc + b * H + start)


cdef inline void lstm_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, const floating* dh,
                                     floating* gates, floating* dc) noexcept nogil:
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    if n == TILE_VECTORS * lanes:
        lstm_some_units_backward(TILE_VECTORS * lanes, H, c_prev, dh, gates, dc)
    elif n == (TILE_VECTORS - 1) * lanes:
        lstm_some_units_backward((TILE_VECTORS - 1) * lanes, H, c_prev, dh, gates, dc)
    else:
        lstm_some_units_backward(n, H, c_prev, dh, gates, dc)


cdef inline void lstm_some_units_backward(Py_ssize_t n, Py_ssize_t H, const floating* c_prev, const floating* dh,
                                     floating* gates, floating* dc) noexcept nogil:
    """The backward of `lstm_units`."""
    cdef floating di[MOST_COLUMNS]
    cdef floating df[MOST_COLUMNS]
    cdef floating dg[MOST_COLUMNS]
    cdef floating do_[MOST_COLUMNS]
    cdef floating dc_prev[MOST_COLUMNS]
    cdef floating i, f, g, o, top, d
    cdef Py_ssize_t j
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
    for j in range(n):
        gates[j] = di[j]
    for j in range(n):
        gates[H + j] = df[j]
    for j in range(n):
        gates[2 * H + j] = dg[j]
    for j in range(n):
        gates[3 * H + j] = do_[j]
    for j in range(n):
        dc[j] = dc_prev[j]
