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
from ..threads.thread_group cimport own_share, wait_for_group
from .team cimport total


cdef inline void clear_gradients(const Network* net, const Workspace* work) noexcept nogil:
    """d = 0, where gradients are summed: the thread's share

    Rows of input tables are excluded: the update clears those that it has used. With a BLAS the
    chunk is a single product: nothing is added to the gradients of matrices.
    """
    cdef Py_ssize_t l, first = net.layer[0].Wx if net.E else net.layer[0].Wh
    cdef real* d = work.d
    if net.gemm == NULL:
        clear_share(&work.group, d + first, net.end - first)
        return
    for l in range(net.L):
        clear_share(&work.group, d + net.layer[l].bh, net.G * net.H)
        if net.layer[l].bn >= 0:
            clear_share(&work.group, d + net.layer[l].bn, net.H)
    clear_share(&work.group, d + net.by, net.V)


cdef inline double forward_loss(const Weights* w, const Workspace* work, real weight) noexcept nogil:
    """Return the sum of the losses, on a group's first thread; y becomes weight times the gradient of the logits."""
    cdef const Network* net = w.net
    cdef Py_ssize_t first = 0, last, at, V = logits_of_row(net, work)
    cdef Range part
    cdef const real* h
    while first < work.T and not is_canceled(work):
        last = min(first + work.block, work.T)
        layers_forward(w, work, work.x, first, last)
        part = own_share(&work.group, (last - first) * work.B)
        at = first * work.B + part.first
        # y = outputs @ Wy + by                          (rows, V) = (rows, H) (H, V)
        h = layer_output(net, work, net.L - 1, first) + part.first * net.H
        if net.sampled:
            decode_candidates(w, work, part.count, h, work.y + at * V)
        else:
            decode(w, part.count, h, work.y + at * V, work.scratch)
        softmax_loss(work.y + at * V, target_places(net, work) + at, part.count, V, weight,
                     work.loss_weights + at if work.loss_weights != NULL else NULL, work.losses + at)
        first = last
    wait_for_group(&work.group)
    # By position, not by thread, so that the sum has the same bits in any group.
    return total(work.losses, work.T * work.B) if work.group.rank == 0 else 0


cdef inline double loss_and_gradients(const Weights* w, Workspace* work, real weight) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in d, the states in h and c.

    The rows of input tables must come in as zeros in d. The first thread of a group returns the losses.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t first, last = work.T, rows, top = net.L - 1
    cdef double loss
    clear_gradients(net, work)
    clear_share(&work.group, work.carry, net.L * work.step_stride)
    prepare_inputs(w, work)
    if net.sampled:
        gather_candidates(w, work)
    loss = forward_loss(w, work, weight)
    clear_input_gradients(net, work)
    while last > 0 and not is_canceled(work):
        first = max(last - work.block, 0)
        rows = (last - first) * work.B
        decode_rows_back(w, work, rows, layer_output(net, work, top, first), first, gradient_from_above(net, work, top))
        layers_backward(w, work, first, last)
        last = first
    if net.sampled:
        scatter_candidates(net, work)
    finish_input_gradients(w, work)
    return loss


cdef inline void decode_rows_back(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                  Py_ssize_t first, real* dh) noexcept nogil:
    """The backward pass of a block from time step `first`, through all of the decoder or the candidates' columns."""
    cdef const real* dy = work.y + first * work.B * logits_of_row(w.net, work)
    if w.net.sampled:
        decode_candidates_back(w, work, rows, h, dy, dh)
    else:
        decode_back(w, work, rows, h, dy, dh)
