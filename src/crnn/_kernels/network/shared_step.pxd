"""A time step of one stream computed by several threads, for sampling and scoring.

Each thread always multiplies by the same part of the weights, which stays in its own core's cache. The first thread
does everything else: it draws symbols, and starts the others when there is something to compute. Each element of a
product is summed by one thread, in the usual order, so the bits do not depend on the number of threads.
"""
from libc.stdint cimport uint32_t
from ..cells.cells cimport cell_units
from ..common.interface cimport (NO_MORE_WORK, InputRows, Network, SharedStep, Weights, await_work, finish_work,
                                 fork_work, join_work, real)
from ..products.panels cimport (MAX_COLUMNS, Panel, Range, columns_of, depth_of, multiply_panel, operand_rows,
                                packed_elements, panel_count, panel_in_turn)
from ..products.tail_columns cimport multiply_tail, tail_length
from ..threads.thread_group cimport share
from .input_tables cimport add_input
from .network cimport input_block
from .row_products cimport set_rows

cdef enum:  # parts of a step
    INPUT_PRODUCT
    RECURRENT_PRODUCT
    CELL


cdef inline void share_input_product(SharedStep* step, const Weights* w, Py_ssize_t l, Py_ssize_t rows,
                                     operand_rows below, real* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H), of a layer above the first"""
    step.w, step.layer, step.rows, step.operand, step.stride, step.z = w, l, rows, below.first, below.stride, z
    compute_together(step, INPUT_PRODUCT)


cdef inline void share_recurrent_product(SharedStep* step, const Weights* w, Py_ssize_t l, operand_rows h_prev,
                                         bint back, real* z) noexcept nogil:
    """z += h_prev @ Wh                                (1, G H) += (1, H) (H, G H); in the first layer z = bh + ..."""
    step.w, step.layer, step.rows, step.operand, step.stride, step.z = w, l, 1, h_prev.first, h_prev.stride, z
    step.back = back
    compute_together(step, RECURRENT_PRODUCT)


cdef inline void share_cell(SharedStep* step, const real* h_prev, const real* c_prev, real* c, real* h) noexcept nogil:
    """The cell of the layer whose recurrent product is done; in the first layer, first z += the rows of the input"""
    step.h_prev, step.c_prev, step.c, step.h = h_prev, c_prev, c, h
    compute_together(step, CELL)


cdef inline void compute_together(SharedStep* step, int part) noexcept nogil:
    """The first thread's call: all threads compute a part of the step, and return when it is complete."""
    step.part = part
    fork_work(step.fork)
    compute_own(step, 0)
    join_work(step.fork)


cdef inline void share_steps(SharedStep* step, int rank) noexcept nogil:
    """The other threads' loop, until there are no more steps."""
    cdef uint32_t post = 0
    finish_work(step.fork)  # signal that this thread is ready
    while True:
        post = await_work(step.fork, post)
        if post == NO_MORE_WORK:
            return
        compute_own(step, rank)
        finish_work(step.fork)


cdef inline void compute_own(const SharedStep* step, int rank) noexcept nogil:
    if step.part != CELL:
        multiply_own(step, rank, step.part == INPUT_PRODUCT)
    elif step.layer:
        finish_units(step.w.net, columns_of(step.w.net.H, rank, step.threads), step.h_prev, step.c_prev, step.z,
                     step.c, step.h)
    else:
        finish_first_layer(step.w, step.input, columns_of(step.w.net.H, rank, step.threads), step.h_prev, step.c_prev,
                           step.z, step.c, step.h)


cdef inline void multiply_own(const SharedStep* step, int rank, bint of_input) noexcept nogil:
    """z = below @ Wx + bh, `of_input`, or z += h_prev @ Wh: the thread's panels; in the first layer z = bh + ...

    One panel of units of all gates at a time, so that the thread's cells find z in its own cache; the recurrent product
    goes from first to last and back, like that of a single thread.
    """
    cdef const Network* net = step.w.net
    cdef Py_ssize_t H = net.H, G = net.G, gate = packed_elements(net.units, H), depth = depth_of(net.units)
    cdef Py_ssize_t whole = H if step.layer else net.units_in_panels
    cdef int max_vectors = net.max_row_vectors if of_input else net.max_vectors
    cdef Py_ssize_t panels = panel_count(whole, max_vectors)
    cdef Py_ssize_t first = share(G * panels, rank, step.threads), last = share(G * panels, rank + 1, step.threads)
    cdef Py_ssize_t i, n, g
    cdef const real* W = step.w.panels + (net.layer[step.layer].Wx_panels if of_input
                                          else net.layer[step.layer].Wh_panels)
    cdef Panel panel
    for n in range(last - first):
        i = last - 1 - n if step.back and not of_input else first + n
        g = i % G
        panel = panel_in_turn(whole, max_vectors, i // G, False)
        if of_input or not step.layer:
            set_own_bias(step, g, panel.start, panel.columns)
        multiply_panel(step.rows, net.units, step.operand, step.stride, W + g * gate + depth * panel.start,
                       panel.columns, W + g * gate + depth * panel.next,
                       step.z + (input_block(net, g) if of_input else g) * H + panel.start, net.ldg, False)
    if rank == step.threads - 1 and not step.layer:  # the first thread has more to do
        for g in range(G):
            set_own_bias(step, g, whole, H - whole)
            multiply_tail(1, H, step.operand, H, step.w.panels + net.Wh_tail + g * net.units_tail * tail_length(H),
                          net.units_tail, step.z + g * H + whole, net.ldg)


cdef inline void set_own_bias(const SharedStep* step, Py_ssize_t g, Py_ssize_t start,
                              Py_ssize_t columns) noexcept nogil:
    """z = bh for some columns of a gate; for a split gate, the recurrent part's own bias and the input part's bias"""
    cdef const Network* net = step.w.net
    cdef Py_ssize_t H = net.H
    set_rows(step.w.p + net.layer[step.layer].bh + g * H + start, step.rows, columns,
             step.z + input_block(net, g) * H + start, net.ldg)
    if g == net.split_gate:
        set_rows(step.w.p + net.layer[step.layer].bn + start, step.rows, columns, step.z + g * H + start, net.ldg)


cdef inline void finish_first_layer(const Weights* w, InputRows rows, Range own, const real* h_prev,
                                    const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell           (G H,); h is z if z lives in h"""
    add_input(w, rows, own, z)
    finish_units(w.net, own, h_prev, c_prev, z, c, h)


cdef inline void finish_units(const Network* net, Range own, const real* h_prev, const real* c_prev, real* z,
                              real* c, real* h) noexcept nogil:
    """The cell, at most MAX_COLUMNS units at a time"""
    cdef Py_ssize_t j = own.first, n, stop = own.first + own.count
    while j < stop:
        n = min(stop - j, <Py_ssize_t>MAX_COLUMNS)
        cell_units(net, n, h_prev + j, c_prev + j, z + j, c + j, h + j)
        j += n
