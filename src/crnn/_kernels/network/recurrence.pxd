"""One layer over the time steps of a block, forward and back. Arrays: see `workspace`."""
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.panels cimport as_operand
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport columns_of_thread, wait_for_group
from .boundary cimport clear_starting, without_past
from .input_tables cimport add_input_gradients, look_up_inputs
from .layer_steps cimport (Step, begin_step, finish_step, set_split_bias, share_cell, share_recurrent_product,
                           step_backward, step_forward)
from .workspace cimport gradient_from_above, layer_c, layer_dz, layer_h, layer_z


cdef inline void recur(const Weights* w, const Workspace* work, Py_ssize_t l, const int* x, Py_ssize_t first,
                       Py_ssize_t last) noexcept nogil:
    """h[l, t + 1] = cell(z[t], h[l, t]) for time steps [first, last); a higher layer's z already contains its input."""
    cdef const Network* net = w.net
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t t
    cdef Step s
    s.B = B
    s.units = columns_of_thread(&work.group, H)
    s.room = work.scratch
    s.Wh = w.p + net.layer[l].Wh
    s.Wh_panels = w.panels + net.layer[l].Wh_panels
    for t in range(first, last):
        if is_canceled(work):
            return
        s.h_prev = without_past(net, x + t * B, B, H, layer_h(work, l, t), H, work.layers.cut)
        s.h = layer_h(work, l, t + 1)
        s.z = layer_z(net, work, l, t)
        s.c_prev = s.h_prev
        s.c = s.h
        if net.cell.has_c:
            s.c_prev = without_past(net, x + t * B, B, H, layer_c(work, l, t), H, work.layers.cut + B * H)
            s.c = layer_c(work, l, t + 1)
        # Alternate the direction over panels that exceed the cache, so that the half still cached is read first.
        s.back = t & 1
        if l == 0 and not net.packing.training:
            begin_step(w, work, s.h_prev, s.back, s.z)
            finish_step(w, work, x, t, s.h_prev, s.c_prev, s.z, s.c, s.h)
            continue
        if l == 0:
            look_up_inputs(w, work, x, t, s.units, s.z)
            set_split_bias(net, w.p, 0, s.units, B, s.z)
        if work.shared != NULL:
            share_recurrent_product(work.shared, w, l, as_operand(B, net.dims.units, s.h_prev, H, s.room), s.back, s.z)
            share_cell(work.shared, s.h_prev, s.c_prev, s.c, s.h)
            continue
        s.descending = net.cell.z_in_h and net.packing.training and t & 1
        step_forward(net, &s)
        wait_for_group(&work.group)


cdef inline void recur_back(const Weights* w, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                            Py_ssize_t last) noexcept nogil:
    """Go back through layer l from time step last - 1 to first; the gradient of its outputs from above is in place.

    At the end the array of gates holds dz, and `carry` what reaches the state before the block past its products.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t BH = work.layers.step_stride
    cdef Py_ssize_t t, place
    cdef const int* x = work.x
    cdef real* above = gradient_from_above(net, work, l)
    cdef Step s
    s.B = B
    s.units = columns_of_thread(&work.group, H)
    s.room = work.scratch
    s.Wh = w.p + net.layer[l].Wh
    s.WhT_panels = w.panels + net.layer[l].WhT_panels
    s.carry = work.layers.carry + l * BH
    s.kept_dh = NULL
    s.kept_dc = NULL
    for t in range(last - 1, first - 1, -1):
        if is_canceled(work):
            return
        s.z = layer_dz(net, work, l, first, t)
        s.dh = above + (t - first) * BH
        s.dz_next = next_dz(net, work, l, first, last, t)
        s.h = layer_h(work, l, t + 1)
        s.h_prev = s.h
        s.c_prev = s.h
        if net.cell.has_c:
            s.c_prev = without_past(net, x + t * B, B, H, layer_c(work, l, t), H, work.layers.cut)
        elif not net.cell.z_in_h:
            s.h_prev = without_past(net, x + t * B, B, H, layer_h(work, l, t), H, work.layers.cut)
        if work.layers.kept_dh != NULL:
            place = (l * work.T + t) * BH
            s.kept_dh = work.layers.kept_dh + place
            s.kept_dc = work.layers.kept_dc + place if net.cell.has_c else s.kept_dh
        s.back = t & 1
        s.descending = net.cell.z_in_h and t & 1
        step_backward(net, &s)
        clear_starting(net, x + t * B, B, s.units.count, s.carry + s.units.first, H)
        if l == 0:
            add_input_gradients(net, work, x, t, s.units, s.z)
        wait_for_group(&work.group)


cdef inline const real* next_dz(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                                Py_ssize_t last, Py_ssize_t t) noexcept nogil:
    """Return dz (B, ldg) of the time step after t, zero if a stream starts there; NULL after the last step."""
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t ld = net.dims.ldg
    cdef Py_ssize_t after = t + 1
    cdef const real* dz
    if after == work.T:
        return NULL
    if net.cell.z_in_h and after == last:
        # The next block's first dz is kept after those of the block.
        dz = layer_dz(net, work, l, first, first + work.block)
    else:
        dz = layer_dz(net, work, l, first, after)
    return without_past(net, work.x + after * B, B, net.dims.G * net.dims.H, dz, ld, work.layers.cut + B * ld)
