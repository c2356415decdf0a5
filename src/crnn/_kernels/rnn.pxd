"""The vanilla cell: h = tanh(z + h_prev Wh), z the input part with the bias.

The interface of a cell: one step forward and one step backward over B streams, of the units that are `own`, the input
part already there, weights packed in panels, the non-linearity applied to a panel's columns while they are in the
first-level cache.
"""
from cython cimport floating
from .elementwise cimport tanh_array
from .panels cimport Columns, Panel, ask_for, multiply_panel, panel_among, panel_count


cdef inline void rnn_forward(Py_ssize_t B, Py_ssize_t H, Py_ssize_t units, Columns own, const floating* h_prev,
                             const floating* Wh_panels, int most, bint back, bint descending,
                             floating* h) noexcept nogil:
    """h = tanh(h + h_prev @ Wh)                       (B, H) = (B, H) + (B, H) (H, H); h comes in as z"""
    cdef Py_ssize_t i, b
    cdef Panel panel
    for i in range(panel_count(h_prev, own.count, most)):
        panel = panel_among(h_prev, own, most, i, back)
        multiply_panel(B, units, h_prev, H, Wh_panels + units * panel.start, panel.columns,
                       Wh_panels + units * panel.next, h + panel.start, H, descending)
        for b in range(B):
            ask_for(1, H, h + (B + b) * H + panel.start, panel.columns)  # of the next time step
            tanh_array(h + b * H + panel.start, panel.columns)


cdef inline void rnn_backward(Py_ssize_t B, Py_ssize_t H, Columns own, const floating* dz_next,
                              const floating* WhT_panels, int most, bint back, const floating* h,
                              floating* dz) noexcept nogil:
    """dz = (dz + dz_next @ Wh.T) * (1 - h * h)        dz comes in as dh from above; dz_next NULL at the last step"""
    cdef Py_ssize_t i, b, n
    cdef const floating* hb
    cdef floating* db
    cdef Panel panel
    for i in range(panel_count(h, own.count, most)):
        panel = panel_among(h, own, most, i, back)
        if dz_next != NULL:
            multiply_panel(B, H, dz_next, H, WhT_panels + H * panel.start, panel.columns, WhT_panels + H * panel.next,
                           dz + panel.start, H, back)
        for b in range(B):
            hb = h + b * H + panel.start
            db = dz + b * H + panel.start
            ask_for(1, H, hb - B * H, panel.columns)  # of the time step before
            for n in range(panel.columns):
                db[n] *= <floating>1 - hb[n] * hb[n]
