"""A time step of one stream computed by several threads, for sampling and scoring.

Each thread always multiplies by the same part of the weights, which stays in its own core's cache. The first thread
does everything else: it draws symbols, and starts the others when there is something to compute. Each element of a
product is summed by one thread, in the usual order, so the bits do not depend on the number of threads.
"""
from libc.stdint cimport uint32_t
from ..cells.cells cimport cell_units
from ..common.interface cimport (NO_MORE_WORK, InputRows, LayerPlaces, Network, SharedStep, Weights, await_work,
                                 finish_work, fork_work, join_work, real)
from ..products.panels cimport (MAX_COLUMNS, Panel, Range, columns_of, depth_of, multiply_panel, operand_rows,
                                packed_elements, panel_count, panel_in_turn)
from ..products.tail_columns cimport multiply_tail
from ..threads.thread_group cimport share
from .input_tables cimport add_input
from .network cimport first_tail_elements, input_block
from .row_products cimport set_rows

cdef enum:  # parts of a step
    INPUT_PRODUCT
    RECURRENT_PRODUCT
    CELL


cdef inline void share_input_product(SharedStep* step, const Weights* w, Py_ssize_t l, Py_ssize_t rows,
                                     operand_rows below, real* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H), of a layer above the first"""
    step.w = w
    step.layer = l
    step.rows = rows
    step.operand = below.first
    step.stride = below.stride
    step.z = z
    compute_together(step, INPUT_PRODUCT)


cdef inline void share_recurrent_product(SharedStep* step, const Weights* w, Py_ssize_t l, operand_rows h_prev,
                                         bint back, real* z) noexcept nogil:
    """z += h_prev @ Wh                                (1, G H) += (1, H) (H, G H); in the first layer z = bh + ..."""
    step.w = w
    step.layer = l
    step.rows = 1
    step.operand = h_prev.first
    step.stride = h_prev.stride
    step.z = z
    step.back = back
    compute_together(step, RECURRENT_PRODUCT)


cdef inline void share_cell(SharedStep* step, const real* h_prev, const real* c_prev, real* c, real* h) noexcept nogil:
    """Compute the cell of the layer whose recurrent product is done; in the first layer, first add the input's rows."""
    step.h_prev = h_prev
    step.c_prev = c_prev
    step.c = c
    step.h = h
    compute_together(step, CELL)


cdef inline void compute_together(SharedStep* step, int part) noexcept nogil:
    """Let all threads compute a part of the step, and return when it is complete: the first thread's call."""
    step.part = part
    fork_work(step.fork)
    compute_share(step, 0)
    join_work(step.fork)


cdef inline void share_steps(SharedStep* step, int rank) noexcept nogil:
    """Compute a thread's part of each step until there are no more: the loop of all but the first thread."""
    cdef uint32_t post = 0
    finish_work(step.fork)  # signal that this thread is ready
    while True:
        post = await_work(step.fork, post)
        if post == NO_MORE_WORK:
            return
        compute_share(step, rank)
        finish_work(step.fork)


cdef inline void compute_share(const SharedStep* step, int rank) noexcept nogil:
    """Compute a thread's share of the current part of a step."""
    cdef Range units = columns_of(step.w.net.dims.H, rank, step.threads)
    if step.part != CELL:
        multiply_share(step, rank, step.part == INPUT_PRODUCT)
    elif step.layer:
        finish_units(step.w.net, units, step.h_prev, step.c_prev, step.z, step.c, step.h)
    else:
        finish_first_layer(step.w, step.input, units, step.h_prev, step.c_prev, step.z, step.c, step.h)


cdef inline void multiply_share(const SharedStep* step, int rank, bint of_input) noexcept nogil:
    """z = below @ Wx + bh, `of_input`, or z += h_prev @ Wh: the thread's panels; in the first layer z = bh + ...

    One panel of units of all gates at a time, so that the thread's cells find z in its own cache; the recurrent product
    goes from first to last and back, like that of a single thread.
    """
    cdef const Network* net = step.w.net
    cdef const LayerPlaces* places = &net.layer[step.layer]
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t G = net.dims.G
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t depth = depth_of(net.dims.units)
    cdef Py_ssize_t whole = H if step.layer else net.first_layer.units_in_panels
    cdef int max_vectors = net.packing.max_row_vectors if of_input else net.packing.max_vectors
    cdef Py_ssize_t panels = G * panel_count(whole, max_vectors)
    cdef Py_ssize_t first = share(panels, rank, step.threads)
    cdef Py_ssize_t last = share(panels, rank + 1, step.threads)
    cdef bint back = step.back and not of_input
    cdef const real* W = step.w.panels + (places.Wx_panels if of_input else places.Wh_panels)
    cdef const real* W_of_gate
    cdef real* z
    cdef Py_ssize_t i, n, g
    cdef Panel panel
    for n in range(last - first):
        i = last - 1 - n if back else first + n
        g = i % G
        panel = panel_in_turn(whole, max_vectors, i // G, back=False)
        if of_input or not step.layer:
            set_bias(step, g, panel.start, panel.columns)
        W_of_gate = W + g * gate
        z = step.z + (input_block(net, g) if of_input else g) * H + panel.start
        multiply_panel(step.rows, net.dims.units, step.operand, step.stride, W_of_gate + depth * panel.start,
                       panel.columns, W_of_gate + depth * panel.next, z, net.dims.ldg, descending=False)
    if rank == step.threads - 1 and not step.layer:  # the first thread has more to do
        multiply_first_tail(step)


cdef inline void multiply_first_tail(const SharedStep* step) noexcept nogil:
    """z = bh + h_prev @ Wh for the first layer's columns beyond the panels"""
    cdef const Network* net = step.w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef const real* tail = step.w.panels + net.first_layer.Wh_tail
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        set_bias(step, g, whole, H - whole)
        multiply_tail(1, H, step.operand, H, tail + g * first_tail_elements(net), net.first_layer.units_tail,
                      step.z + g * H + whole, net.dims.ldg)


cdef inline void set_bias(const SharedStep* step, Py_ssize_t g, Py_ssize_t start,
                              Py_ssize_t columns) noexcept nogil:
    """z = bh for some columns of a gate; for a split gate, the recurrent part's own bias and the input part's bias"""
    cdef const Network* net = step.w.net
    cdef const LayerPlaces* places = &net.layer[step.layer]
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t ld = net.dims.ldg
    set_rows(step.w.p + places.bh + g * H + start, step.rows, columns, step.z + input_block(net, g) * H + start, ld)
    if g == net.cell.split_gate:
        set_rows(step.w.p + places.bn + start, step.rows, columns, step.z + g * H + start, ld)


cdef inline void finish_first_layer(const Weights* w, InputRows rows, Range units, const real* h_prev,
                                    const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell           (G H,); h is z if z lives in h"""
    add_input(w, rows, units, z)
    finish_units(w.net, units, h_prev, c_prev, z, c, h)


cdef inline void finish_units(const Network* net, Range units, const real* h_prev, const real* c_prev, real* z,
                              real* c, real* h) noexcept nogil:
    """c, h = cell(z, h_prev, c_prev), at most MAX_COLUMNS units at a time"""
    cdef Py_ssize_t stop = units.first + units.count
    cdef Py_ssize_t j = units.first
    cdef Py_ssize_t n
    while j < stop:
        n = min(stop - j, <Py_ssize_t>MAX_COLUMNS)
        cell_units(net, n, h_prev + j, c_prev + j, z + j, c + j, h + j)
        j += n
