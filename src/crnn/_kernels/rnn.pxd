"""The vanilla cell: h = tanh(z + h_prev Wh), z the input part with the bias.

The interface of a cell: one step forward and one step backward over B streams, the input part already there, weights
packed in panels, the non-linearity applied to a panel's columns while they are in the first-level cache.
"""
from cython cimport floating
from .elementwise cimport tanh_array
from .panels cimport multiply_panel, panel_count, panel_start, turn


cdef inline void rnn_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, const floating* h_prev,
                             const floating* Wh_panels, int most, bint back, floating* h) noexcept nogil:
    """h = tanh(h + h_prev @ Wh)                       (B, H) = (B, H) + (B, H) (H, H); h comes in as z"""
    cdef Py_ssize_t i, j, b, start, columns, count = panel_count(h_prev, H, most)
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(h_prev, H, most, j)
        columns = panel_start(h_prev, H, most, j + 1) - start
        multiply_panel(B, units, h_prev, H, Wh_panels + units * start, columns, h + start, H)
        for b in range(B):
            tanh_array(h + b * H + start, columns)


cdef inline void rnn_backward(Py_ssize_t B, Py_ssize_t H, const floating* dz_next, const floating* WhT_panels,
                              int most, bint back, const floating* h, floating* dz) noexcept nogil:
    """dz = (dz + dz_next @ Wh.T) * (1 - h * h)        dz comes in as dh from above; dz_next NULL at the last step"""
    cdef Py_ssize_t i, j, b, n, start, columns, count = panel_count(h, H, most)
    cdef const floating* hb
    cdef floating* db
    for i in range(count):
        j = turn(i, count, back)
        start = panel_start(h, H, most, j)
        columns = panel_start(h, H, most, j + 1) - start
        if dz_next != NULL:
            multiply_panel(B, H, dz_next, H, WhT_panels + H * start, columns, dz + start, H)
        for b in range(B):
            hb = h + b * H + start
            db = dz + b * H + start
            for n in range(columns):
                db[n] *= <floating>1 - hb[n] * hb[n]
