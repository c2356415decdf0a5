"""All layers over the time steps of a block, forward and back. Arrays: see `workspace`."""
# The same in NumPy: `reference/network.py`, `forward` and `backward`.
from libc.string cimport memcpy
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.panels cimport Range
from ..threads.thread_group cimport columns_of_thread, wait_for_group
from .boundary cimport clear_starting
from .dropout cimport apply_dropout
from .layer_input cimport project_input, project_input_back
from .recurrence cimport recur, recur_back
from .recurrent_gradient cimport by_rows, recurrent_gradient
from .row_products cimport add_column_sums, add_weight_gradient
from .workspace cimport gradient_from_above, layer_dz, layer_h, layer_output, layer_z


cdef inline void layers_forward(const Weights* w, const Workspace* work, const int* x, Py_ssize_t first,
                                Py_ssize_t last, Py_ssize_t lowest=0) noexcept nogil:
    """Compute all layers, from the lowest, over time steps [first, last) of x."""
    cdef const Network* net = w.net
    cdef Py_ssize_t rows = (last - first) * work.B
    cdef Range units = columns_of_thread(&work.group, net.dims.H)
    cdef Py_ssize_t l
    for l in range(lowest, net.dims.L):
        if l:
            # z = outputs[l - 1] @ Wx + bh               (rows, G H) = (rows, H) (H, G H)
            project_input(w, work, l, units, rows, layer_output(net, work, l - 1, first), layer_z(net, work, l, first))
        recur(w, work, l, x, first, last)
        if work.dropout.rate > 0:
            drop_layer(net, work, l, first, last)


cdef inline void drop_layer(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                            Py_ssize_t last) noexcept nogil:
    """outputs[l, first:last] = h[l, first + 1:last + 1] * mask          (rows, H)"""
    cdef Py_ssize_t H = net.dims.H
    cdef Range units = columns_of_thread(&work.group, H)
    cdef const real* h = layer_h(work, l, first + 1)
    cdef real* out = layer_output(net, work, l, first)
    cdef Py_ssize_t r
    for r in range((last - first) * work.B):
        memcpy(out + r * H + units.first, h + r * H + units.first, units.count * sizeof(real))
    apply_dropout(&work.dropout, l, first, last, work.B, H, units, out)
    wait_for_group(&work.group)


cdef inline void layers_backward(const Weights* w, const Workspace* work, Py_ssize_t first,
                                 Py_ssize_t last) noexcept nogil:
    """Go back through all layers over time steps [first, last); the top one's gradient from above is in place."""
    cdef const Network* net = w.net
    cdef Py_ssize_t rows = (last - first) * work.B
    cdef Range units = columns_of_thread(&work.group, net.dims.H)
    cdef Py_ssize_t l
    cdef real* dz
    for l in range(net.dims.L - 1, -1, -1):
        if work.dropout.rate > 0:
            apply_dropout(&work.dropout, l, first, last, work.B, net.dims.H, units, gradient_from_above(net, work, l))
        recur_back(w, work, l, first, last)
        dz = layer_dz(net, work, l, first, first)
        if net.cell.split_gate >= 0:
            # dbn += dz[split gate].sum(axis=0)          (H,) += (rows, H)
            add_column_sums(dz + net.cell.split_gate * net.dims.H + units.first, rows, units.count, net.dims.ldg,
                            work.d + net.layer[l].bn + units.first)
        if l:
            project_input_back(w, work, l, rows, layer_output(net, work, l - 1, first), dz,
                               gradient_from_above(net, work, l - 1))
        wait_for_group(&work.group)
        add_recurrent_gradient(net, work, l, first, last, dz)
        if net.cell.z_in_h:
            keep_first_dz(net, work, l, first, dz)
    wait_for_group(&work.group)


cdef inline void add_recurrent_gradient(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                                        Py_ssize_t last, real* dz) noexcept nogil:
    """dWh += h[:-1].T @ dz                            (H, G H) += (rows, H)' (rows, G H): the thread's columns"""
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t rows = (last - first) * work.B
    cdef Range part = columns_of_thread(&work.group, N)
    # What a stream read at a boundary was multiplied by Wx, but not by Wh: from here on dz excludes it.
    clear_starting(net, work.x + first * work.B, rows, part.count, dz + part.first, net.dims.ldg)
    if not by_rows(net):
        add_weight_gradient(net, work, rows, net.dims.H, part.count, layer_h(work, l, first), dz + part.first,
                            net.dims.ldg, work.d + net.layer[l].Wh + part.first, N)
    elif not work.leaves_dWh:
        recurrent_gradient(net, work, l)


cdef inline void keep_first_dz(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                               const real* dz) noexcept nogil:
    """Copy the block's first dz (B, H) behind the block, where the previous block finds it; see `next_dz`."""
    cdef Py_ssize_t H = net.dims.H
    cdef Range units = columns_of_thread(&work.group, H)
    cdef real* kept = layer_dz(net, work, l, first, first + work.block)
    cdef Py_ssize_t b
    for b in range(work.B):
        memcpy(kept + b * H + units.first, dz + b * H + units.first, units.count * sizeof(real))
