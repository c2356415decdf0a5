"""One layer over the time steps of a block, forward and back. Arrays: see `workspace`."""
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.panels cimport as_operand
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport own_columns, wait_for_group
from .boundary cimport clear_starting, without_past
from .cell_step cimport Step, step_backward, step_forward
from .first_layer_step cimport begin_step, finish_step
from .input_tables cimport add_input_gradients, look_up_inputs
from .layer_input cimport set_split_bias
from .network cimport in_place
from .shared_step cimport share_cell, share_recurrent_product
from .workspace cimport gradient_from_above, layer_c, layer_dz, layer_h, layer_z


cdef inline void recur(const Weights* w, const Workspace* work, Py_ssize_t l, const int* x, Py_ssize_t first,
                       Py_ssize_t last) noexcept nogil:
    """h[l, t + 1] = cell(z[t], h[l, t]) for time steps [first, last); a higher layer's z already contains its input."""
    cdef const Network* net = w.net
    cdef Py_ssize_t t, B = work.B, H = net.H
    cdef Step s
    s.B, s.own, s.room = B, own_columns(&work.group, H), work.scratch
    for t in range(first, last):
        if is_canceled(work):
            return
        s.h_prev = without_past(net, x + t * B, B, H, layer_h(work, l, t), H, work.cut)
        s.h = layer_h(work, l, t + 1)
        s.z = layer_z(net, work, l, t)
        s.c_prev, s.c = s.h_prev, s.h
        if net.has_c:
            s.c_prev = without_past(net, x + t * B, B, H, layer_c(work, l, t), H, work.cut + B * H)
            s.c = layer_c(work, l, t + 1)
        if l == 0 and not net.training:
            begin_step(w, work, s.h_prev, t & 1, s.z)
            finish_step(w, work, x, t, s.h_prev, s.c_prev, s.z, s.c, s.h)
            continue
        if l == 0:
            look_up_inputs(w, work, x, t, s.own, s.z)
            set_split_bias(net, w.p, 0, s.own, B, s.z)
        # Alternate the direction over panels that exceed the cache, so that the half still cached is read first.
        s.back = t & 1
        if work.shared != NULL:
            share_recurrent_product(work.shared, w, l, as_operand(B, net.units, s.h_prev, H, s.room), s.back, s.z)
            share_cell(work.shared, s.h_prev, s.c_prev, s.c, s.h)
            continue
        s.descending = net.z_in_h and net.training and t & 1
        step_forward(net, w.p + net.layer[l].Wh if in_place(net) else w.panels + net.layer[l].Wh_panels, &s)
        wait_for_group(&work.group)


cdef inline void recur_back(const Weights* w, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                            Py_ssize_t last) noexcept nogil:
    """Back through layer l from time step last - 1 to first; the gradient of its outputs from above is in place.

    At the end the array of gates holds dz, and `carry` what reaches the state before the block past its products.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t t, B = work.B, H = net.H, BH = work.step_stride, at
    cdef const int* x = work.x
    cdef real* above = gradient_from_above(net, work, l)
    cdef Step s
    s.B, s.own, s.carry = B, own_columns(&work.group, H), work.carry + l * BH
    s.kept_dh, s.kept_dc, s.room = NULL, NULL, work.scratch
    for t in range(last - 1, first - 1, -1):
        if is_canceled(work):
            return
        s.z = layer_dz(net, work, l, first, t)
        s.dh = above + (t - first) * BH
        s.dz_next = next_dz(net, work, l, first, last, t)
        s.h = layer_h(work, l, t + 1)
        s.h_prev = s.c_prev = s.h
        if net.has_c:
            s.c_prev = without_past(net, x + t * B, B, H, layer_c(work, l, t), H, work.cut)
        elif not net.z_in_h:
            s.h_prev = without_past(net, x + t * B, B, H, layer_h(work, l, t), H, work.cut)
        if work.kept_dh != NULL:
            at = (l * work.T + t) * BH
            s.kept_dh = work.kept_dh + at
            s.kept_dc = work.kept_dc + at if net.has_c else s.kept_dh
        s.back = t & 1
        s.descending = net.z_in_h and t & 1
        step_backward(net, w.p + net.layer[l].Wh if in_place(net) else w.panels + net.layer[l].WhT_panels, &s)
        clear_starting(net, x + t * B, B, s.own.count, s.carry + s.own.first, H)
        if l == 0:
            add_input_gradients(net, work, x, t, s.own, s.z)
        wait_for_group(&work.group)


cdef inline const real* next_dz(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                                Py_ssize_t last, Py_ssize_t t) noexcept nogil:
    """dz of the time step after t, zero if a stream starts there; NULL after the last step."""
    cdef const real* dz
    if t + 1 == work.T:
        return NULL
    # If z lives in h, the next block's first dz is kept after the block's own.
    dz = layer_dz(net, work, l, first, first + work.block if net.z_in_h and t + 1 == last else t + 1)
    return without_past(net, work.x + (t + 1) * work.B, work.B, net.G * net.H, dz, net.ldg, work.cut + work.B * net.ldg)
