"""One chunk through the network: rows of Wx, the cells over T steps, logits, loss, and the same backward.

A chunk passes through all stages one block of time steps at a time (see `workspace`), so that each stage finds the
previous one's results in the cache. Every thread of a group calls the same functions with the same arrays, writes what
belongs to its own units (for logits: to its own rows), and waits for the others before it reads their results.
"""
# The same in NumPy: `reference/network.py`, `loss_and_gradients`.
from ..common.interface cimport Network, Weights, Workspace, real
from ..network.decoder cimport decode, decode_back
from ..network.input_tables cimport clear_input_gradients, finish_input_gradients, prepare_inputs
from ..network.layers cimport layers_backward, layers_forward
from ..network.sampled_softmax cimport (decode_candidates, decode_candidates_back, gather_candidates, logits_of_row,
                                        scatter_candidates, target_places)
from ..network.softmax cimport softmax_loss
from ..network.workspace cimport clear_share, gradient_from_above, layer_output
from ..products.panels cimport Range
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport share_of_thread, wait_for_group
from .team cimport total


cdef inline void clear_gradients(const Network* net, const Workspace* work) noexcept nogil:
    """d = 0, where gradients are summed: the thread's share

    Rows of input tables are excluded: the update clears those that it has used. With a BLAS the
    chunk is a single product: nothing is added to the gradients of matrices.
    """
    cdef Py_ssize_t first = net.layer[0].Wx if net.dims.E else net.layer[0].Wh
    cdef Py_ssize_t l
    cdef real* d = work.d
    if net.packing.gemm == NULL:
        clear_share(&work.group, d + first, net.n_weights - first)
        return
    for l in range(net.dims.L):
        clear_share(&work.group, d + net.layer[l].bh, net.dims.G * net.dims.H)
        if net.layer[l].bn >= 0:
            clear_share(&work.group, d + net.layer[l].bn, net.dims.H)
    clear_share(&work.group, d + net.decoder.by, net.dims.V)


cdef inline double forward_loss(const Weights* w, const Workspace* work, real weight) noexcept nogil:
    """Return the sum of the losses, on a group's first thread; y becomes weight times the gradient of the logits."""
    cdef Py_ssize_t first = 0
    cdef Py_ssize_t last
    while first < work.T and not is_canceled(work):
        last = min(first + work.block, work.T)
        layers_forward(w, work, work.x, first, last)
        losses_of_rows(w, work, first, last, weight)
        first = last
    wait_for_group(&work.group)
    # By position, not by thread, so that the sum has the same bits in any group.
    return total(work.decoder.losses, work.T * work.B) if work.group.rank == 0 else 0


cdef inline void losses_of_rows(const Weights* w, const Workspace* work, Py_ssize_t first, Py_ssize_t last,
                                real weight) noexcept nogil:
    """losses[first:last] = -log softmax(y)[targets], the thread's share of the rows; y becomes dy

    y = outputs @ Wy + by                              (rows, V) = (rows, H) (H, V)
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t V = logits_of_row(net, work)
    cdef Range part = share_of_thread(&work.group, (last - first) * work.B)
    cdef Py_ssize_t place = first * work.B + part.first
    cdef const real* h = layer_output(net, work, net.dims.L - 1, first) + part.first * net.dims.H
    cdef const real* row_weights = NULL
    cdef real* y = work.decoder.y + place * V
    if net.decoder.sampled:
        decode_candidates(w, work, part.count, h, y)
    else:
        decode(w, part.count, h, y, work.scratch)
    if work.decoder.loss_weights != NULL:
        row_weights = work.decoder.loss_weights + place
    softmax_loss(y, target_places(net, work) + place, part.count, V, weight, row_weights, work.decoder.losses + place)


cdef inline double loss_and_gradients(const Weights* w, Workspace* work, real weight) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in d, the states in h and c.

    The rows of input tables must come in as zeros in d. The first thread of a group returns the losses.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t top = net.dims.L - 1
    cdef Py_ssize_t last = work.T
    cdef Py_ssize_t first, rows
    cdef double loss
    clear_gradients(net, work)
    clear_share(&work.group, work.layers.carry, net.dims.L * work.layers.step_stride)
    prepare_inputs(w, work)
    if net.decoder.sampled:
        gather_candidates(w, work)
    loss = forward_loss(w, work, weight)
    clear_input_gradients(net, work)
    while last > 0 and not is_canceled(work):
        first = max(last - work.block, 0)
        rows = (last - first) * work.B
        decode_rows_back(w, work, rows, layer_output(net, work, top, first), first, gradient_from_above(net, work, top))
        layers_backward(w, work, first, last)
        last = first
    if net.decoder.sampled:
        scatter_candidates(net, work)
    finish_input_gradients(w, work)
    return loss


cdef inline void decode_rows_back(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                  Py_ssize_t first, real* dh) noexcept nogil:
    """Go back through the decoder, or the columns of the candidates, for a block of rows from time step `first`."""
    cdef const real* dy = work.decoder.y + first * work.B * logits_of_row(w.net, work)
    if w.net.decoder.sampled:
        decode_candidates_back(w, work, rows, h, dy, dh)
    else:
        decode_back(w, work, rows, h, dy, dh)
