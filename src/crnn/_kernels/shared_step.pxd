"""A time step of one stream that several threads compute, for sampling and scoring.

One stream reads all recurrent weights for each symbol, and a core's caches limit how fast. Here each thread always
multiplies by the same part of them, which stays in its own core's cache. The first thread does all the rest: it draws
symbols, and lets the others go when there is something to compute. Each element of a product is summed by one thread,
in the usual order: the bits are those of a single thread.
"""
from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from .first_layer_units cimport finish_units
from .interface cimport NO_MORE_WORK, Network, SharedStep, await_work, finish_work, fork_work, join_work, real
from .network cimport input_block
from .panels cimport Panel, columns_of, depth_of, multiply_panel, packed_elements, panel_count, panel_in_turn
from .tail_columns cimport multiply_tail, tail_length
from .thread_group cimport share

cdef enum:  # parts of a step
    PRODUCT
    CELL


cdef inline void compute_together(SharedStep* step, int part) noexcept nogil:
    """The first thread's call: all threads compute a part of the step, and it is complete."""
    step.part = part
    fork_work(step.fork)
    compute_own(step, 0)
    join_work(step.fork)


cdef inline void share_steps(SharedStep* step, int rank) noexcept nogil:
    """The other threads' loop, until there will be no more steps."""
    cdef uint32_t post = 0
    finish_work(step.fork)  # it is there
    while True:
        post = await_work(step.fork, post)
        if post == NO_MORE_WORK:
            return
        compute_own(step, rank)
        finish_work(step.fork)


cdef inline void compute_own(const SharedStep* step, int rank) noexcept nogil:
    if step.part == PRODUCT:
        multiply_own(step, rank)
    else:
        finish_units(step.w, step.x, columns_of(step.w.net.H, rank, step.threads), step.h_prev, step.c_prev, step.z,
                     step.c, step.h)


cdef inline void multiply_own(const SharedStep* step, int rank) noexcept nogil:
    """z = bh + h_prev @ Wh                            (1, G H) = (1, H) (H, G H), the thread's panels

    One panel of units of all gates after the other, so that the thread's cells find z in its own cache; from the first
    to the last and back, as a single thread does.
    """
    cdef const Network* net = step.w.net
    cdef Py_ssize_t H = net.H, G = net.G, gate = packed_elements(net.units, H), depth = depth_of(net.units)
    cdef Py_ssize_t whole = net.units_in_panels, panels = panel_count(whole, net.max_vectors), i, n, g
    cdef Py_ssize_t first = share(G * panels, rank, step.threads), last = share(G * panels, rank + 1, step.threads)
    cdef const real* Wh = step.w.panels + net.layer[0].Wh_panels
    cdef Panel panel
    for n in range(last - first):
        i = last - 1 - n if step.back else first + n
        g = i % G
        panel = panel_in_turn(whole, net.max_vectors, i // G, False)
        set_bias(net, step.w.p, g, panel.start, panel.columns, step.z)
        multiply_panel(1, net.units, step.operand, H, Wh + g * gate + depth * panel.start, panel.columns,
                       Wh + g * gate + depth * panel.next, step.z + g * H + panel.start, net.ldg)
    if rank == step.threads - 1:  # the first thread has more to do besides
        for g in range(G):
            set_bias(net, step.w.p, g, whole, H - whole, step.z)
            multiply_tail(1, H, step.operand, H, step.w.panels + net.Wh_tail + g * net.units_tail * tail_length(H),
                          net.units_tail, step.z + g * H + whole, net.ldg)


cdef inline void set_bias(const Network* net, const real* p, Py_ssize_t g, Py_ssize_t start, Py_ssize_t columns,
                          real* z) noexcept nogil:
    """z = bh of some columns of a gate; of a split gate the recurrent part's own bias, and that of the input part"""
    memcpy(z + input_block(net, g) * net.H + start, p + net.layer[0].bh + g * net.H + start, columns * sizeof(real))
    if g == net.split_gate:
        memcpy(z + g * net.H + start, p + net.layer[0].bn + start, columns * sizeof(real))
