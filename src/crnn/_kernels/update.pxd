"""The update: gradients of the shards summed, the optimiser's step, and the new weights packed, each thread its share.

A share is rows of every matrix, which the thread that has updated them packs at once, and a part of every bias.
Each shard of the streams has a gradient; the threads of a group that works on it have one together.
"""
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset
from .dropout cimport apply_mask, weights_key
from .interface cimport Network, Team, Training, real
from .network cimport pack_Wh, pack_Wx, pack_Wy
from .optimizers cimport step_run
from .thread_group cimport share

cdef enum:
    BLOCK = 2048  # elements of a gradient that are summed over the shards and used while still in the cache

ctypedef struct Masked:  # recurrent weights, some of which this step was without
    uint32_t key
    Py_ssize_t base  # where the first of them is

ctypedef struct Pass:  # what is done with each run of elements
    bint add_up  # sum the shards' gradients in that of the first one
    bint measure  # add to `squares`
    bint step  # update the parameters
    double squares  # of the summed gradient


cdef inline double sum_of_squares(const real* d, Py_ssize_t n) noexcept nogil:
    """sum(d * d) in double precision, in sixteen partial sums that a vector can hold"""
    cdef double part[16]
    cdef double total = 0
    cdef Py_ssize_t i, j
    for j in range(16):
        part[j] = 0
    for i in range(0, n - n % 16, 16):
        for j in range(16):
            part[j] += <double>d[i + j] * d[i + j]
    for i in range(n - n % 16, n):
        part[0] += <double>d[i] * d[i]
    for j in range(16):
        total += part[j]
    return total


cdef inline void update_run(Training* run, Pass* todo, Py_ssize_t start, Py_ssize_t stop,
                            const Masked* masked=NULL) noexcept nogil:
    """Do what is to be done with elements [start, stop), while they are in the cache."""
    cdef Py_ssize_t i = start, j, n
    cdef real* d = run.team.d[0]
    cdef const real* other
    cdef int s
    while i < stop:
        n = min(stop - i, <Py_ssize_t>BLOCK)
        if todo.add_up:
            # d[0] += d[1] + d[2] + …, in this order
            for s in range(1, run.team.shards):
                other = run.team.d[s]
                for j in range(n):
                    d[i + j] += other[i + j]
            if masked != NULL:
                apply_mask(run.team.weight_dropout, masked.key, i - masked.base, n, d + i)
        if todo.measure:
            todo.squares += sum_of_squares(d + i, n)
        if todo.step:
            step_run(&run.rule, run.weights.p, d + i, i, n)
        i += n


cdef inline void clear_gradients_of(const Team* team, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """d[start:start + n] = 0 in every shard"""
    cdef int s
    for s in range(team.shards):
        memset(team.d[s] + start, 0, n * sizeof(real))


cdef inline void update_lookup(Training* run, Pass* todo) noexcept nogil:
    """The first layer's Wx: the thread's share of its rows, of which only those of the chunk's symbols have a gradient.

    A sparse optimiser leaves the others out, which is exact. The rows' gradients are cleared once they have been used.
    """
    cdef const Network* net = run.weights.net
    cdef const Team* team = &run.team
    cdef Py_ssize_t start = share(net.V, team.rank, team.threads), stop = share(net.V, team.rank + 1, team.threads)
    cdef Py_ssize_t i, N = net.G * net.H, base = net.layer[0].Wx
    cdef int s, v
    if not run.rule.sparse:
        update_run(run, todo, base + start * N, base + stop * N)
        if todo.step:
            clear_gradients_of(team, base + start * N, (stop - start) * N)
        return
    if team.reduce != NULL and not todo.add_up:
        update_flagged_rows(run, todo, start, stop)
        return
    run.work.stamp += 1
    for s in range(team.shards):
        for i in range(team.symbols[s]):
            v = team.x[s][i]
            if start <= v < stop and run.work.seen[v] != run.work.stamp:
                run.work.seen[v] = run.work.stamp
                update_row(run, todo, base + v * N, N)


cdef inline void update_flagged_rows(Training* run, Pass* todo, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Rows of Wx, of symbols [start, stop) that occurred in any process; see `reduction`."""
    cdef const Network* net = run.weights.net
    cdef const real* flags = run.team.d[0] + net.end
    cdef Py_ssize_t v, N = net.G * net.H
    for v in range(start, stop):
        if flags[v] != 0:
            update_row(run, todo, net.layer[0].Wx + v * N, N)


cdef inline void update_row(Training* run, Pass* todo, Py_ssize_t row, Py_ssize_t N) noexcept nogil:
    """A row of Wx, whose gradient is cleared once it has been used."""
    update_run(run, todo, row, row + N)
    if todo.step:
        clear_gradients_of(&run.team, row, N)


cdef inline void pack_dropped(Training* run, Py_ssize_t l, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Pack rows of a layer's recurrent weights as the next step has them; the gradient's place is free meanwhile."""
    cdef const Network* net = run.weights.net
    cdef real* d = run.team.d[0]
    cdef Py_ssize_t N = net.G * net.H, at = net.layer[l].Wh + start * N, n = (stop - start) * N
    memcpy(d + at, run.weights.p + at, n * sizeof(real))
    apply_mask(run.team.weight_dropout, weights_key(run.team.next_key, l), start * N, n, d + at)
    pack_Wh(net, d, l, start, stop, run.weights.panels)


cdef inline void pack_first_dropped(Training* run) noexcept nogil:
    """The thread's share of `pack_dropped` before the first step, of which no update has been made."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t l, start = share(net.H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = share(net.H, run.team.rank + 1, run.team.threads)
    for l in range(net.L):
        pack_dropped(run, l, start, stop)


cdef inline void update_part(Training* run, Pass* todo, Py_ssize_t base, Py_ssize_t n) noexcept nogil:
    """The thread's share of n elements from `base` on."""
    update_run(run, todo, base + share(n, run.team.rank, run.team.threads),
               base + share(n, run.team.rank + 1, run.team.threads))


cdef inline void update_recurrent(Training* run, Pass* todo, Py_ssize_t l, Py_ssize_t start,
                                  Py_ssize_t stop) noexcept nogil:
    """Rows [start, stop) of a layer's Wh, whose gradient has the mask of this step's weight dropout."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t N = net.G * net.H
    cdef bint dropping = run.team.weight_dropout > 0
    cdef Masked masked
    masked.key, masked.base = weights_key(run.team.step_key, l), net.layer[l].Wh
    update_run(run, todo, masked.base + start * N, masked.base + stop * N, &masked if dropping else NULL)
    if todo.step and dropping:
        pack_dropped(run, l, start, stop)
    elif todo.step:
        pack_Wh(net, run.weights.p, l, start, stop, run.weights.panels)


cdef inline void update(Training* run, Pass* todo) noexcept nogil:
    """One pass over the thread's share of everything."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t l, H = net.H, N = net.G * H
    cdef Py_ssize_t start = share(H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = share(H, run.team.rank + 1, run.team.threads)
    update_lookup(run, todo)
    for l in range(net.L):
        if l:
            update_run(run, todo, net.layer[l].Wx + start * N, net.layer[l].Wx + stop * N)
            if todo.step:
                pack_Wx(net, run.weights.p, l, start, stop, run.weights.panels)
        update_recurrent(run, todo, l, start, stop)
        update_part(run, todo, net.layer[l].bh, N)
        if net.layer[l].bn >= 0:
            update_part(run, todo, net.layer[l].bn, H)
    update_run(run, todo, net.Wy + start * net.V, net.Wy + stop * net.V)
    if todo.step:
        pack_Wy(net, run.weights.p, start, stop, run.weights.panels)
    update_part(run, todo, net.by, net.V)
