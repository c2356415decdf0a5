"""The update: gradients of the shards summed, the optimiser's step, and the new weights packed, each thread its share.

A share is rows of every matrix, which the thread that has updated them packs at once, and a part of every bias.
Each shard of the streams has a gradient; a crew that works on it has one together.
"""
from cython cimport floating
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset
from .crew cimport share
from .dropout cimport drop_run, weights_key
from .network cimport Network, pack_Wh, pack_Wx, pack_Wy
from .optimizers cimport ADAGRAD, Rule, step_run

cdef enum:
    MAX_SHARDS = 256
    BLOCK = 2048  # elements of a gradient that are summed over the shards and used while still in the cache

ctypedef struct Team:  # the shards, and this thread's place among all threads
    int shards
    int threads
    int rank
    const int* x[MAX_SHARDS]  # the symbols of each shard's chunk
    Py_ssize_t symbols[MAX_SHARDS]  # and how many there are
    Py_ssize_t* seen  # (V,): when a symbol's row was last visited
    Py_ssize_t now
    double weight_dropout
    uint32_t step_key  # of the masks of this step
    uint32_t next_key  # and of those of the next one

ctypedef struct Masked:  # recurrent weights, some of which this step was without
    uint32_t key
    Py_ssize_t base  # where the first of them is

ctypedef struct Pass:  # what is done with each run of elements
    bint add_up  # sum the shards' gradients in that of the first one
    bint measure  # add to `squares`
    bint step  # update the parameters
    double squares  # of the summed gradient


cdef inline double sum_of_squares(const floating* d, Py_ssize_t n) noexcept nogil:
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


cdef inline void update_run(const Rule* rule, const Team* team, Pass* todo, floating* p, floating** d, floating* first,
                            floating* second, Py_ssize_t start, Py_ssize_t stop,
                            const Masked* masked=NULL) noexcept nogil:
    """Do what is to be done with elements [start, stop), while they are in the cache."""
    cdef Py_ssize_t i = start, j, n
    cdef int s
    while i < stop:
        n = min(stop - i, <Py_ssize_t>BLOCK)
        if todo.add_up:
            for s in range(1, team.shards):
                for j in range(n):
                    d[0][i + j] += d[s][i + j]
            if masked != NULL:
                drop_run(team.weight_dropout, masked.key, i - masked.base, n, d[0] + i)
        if todo.measure:
            todo.squares += sum_of_squares(d[0] + i, n)
        if todo.step:
            step_run(rule, p + i, d[0] + i, first + i, second + i, n)
        i += n


cdef inline void clear_summed(const Team* team, floating** d, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef int s
    for s in range(team.shards):
        memset(d[s] + start, 0, n * sizeof(floating))


cdef inline void update_lookup(const Network* net, const Rule* rule, Team* team, Pass* todo, floating* p,
                               floating** d, floating* first, floating* second) noexcept nogil:
    """The first layer's Wx: the rank's share of its rows, of which only those of the chunk's symbols have a gradient.

    Without momentum leaving the others alone is exact. The rows' gradients are cleared once they have been used.
    """
    cdef Py_ssize_t start = share(net.V, team.rank, team.threads), stop = share(net.V, team.rank + 1, team.threads)
    cdef Py_ssize_t i, row, N = net.G * net.H, base = net.layer[0].Wx
    cdef int s, v
    if rule.kind != ADAGRAD:
        update_run(rule, team, todo, p, d, first, second, base + start * N, base + stop * N)
        if todo.step:
            clear_summed(team, d, base + start * N, (stop - start) * N)
        return
    team.now += 1
    for s in range(team.shards):
        for i in range(team.symbols[s]):
            v = team.x[s][i]
            if start <= v < stop and team.seen[v] != team.now:
                team.seen[v] = team.now
                row = base + v * N
                update_run(rule, team, todo, p, d, first, second, row, row + N)
                if todo.step:
                    clear_summed(team, d, row, N)


cdef inline void pack_dropped(const Network* net, const Team* team, const floating* p, floating* d, Py_ssize_t l,
                              Py_ssize_t start, Py_ssize_t stop, floating* panels) noexcept nogil:
    """Pack rows of a layer's recurrent weights as the next step has them; the gradient's place is free meanwhile."""
    cdef Py_ssize_t N = net.G * net.H, at = net.layer[l].Wh + start * N, n = (stop - start) * N
    memcpy(d + at, p + at, n * sizeof(floating))
    drop_run(team.weight_dropout, weights_key(team.next_key, l), start * N, n, d + at)
    pack_Wh(net, d, l, start, stop, panels)


cdef inline void pack_first_dropped(const Network* net, const Team* team, const floating* p, floating* d,
                                    floating* panels) noexcept nogil:
    """The rank's share of `pack_dropped` before the first step, of which no update has been made."""
    cdef Py_ssize_t l
    for l in range(net.L):
        pack_dropped(net, team, p, d, l, share(net.H, team.rank, team.threads),
                     share(net.H, team.rank + 1, team.threads), panels)


cdef inline void update_part(const Rule* rule, const Team* team, Pass* todo, floating* p, floating** d,
                             floating* first, floating* second, Py_ssize_t base, Py_ssize_t n) noexcept nogil:
    """The rank's share of n elements from `base` on."""
    update_run(rule, team, todo, p, d, first, second, base + share(n, team.rank, team.threads),
               base + share(n, team.rank + 1, team.threads))


cdef inline void update(const Network* net, const Rule* rule, Team* team, Pass* todo, floating* p, floating** d,
                        floating* first, floating* second, floating* panels) noexcept nogil:
    """One pass over the rank's share of everything."""
    cdef Py_ssize_t l, H = net.H, N = net.G * H
    cdef Py_ssize_t start = share(H, team.rank, team.threads), stop = share(H, team.rank + 1, team.threads)
    cdef bint dropping = team.weight_dropout > 0
    cdef Masked masked
    update_lookup(net, rule, team, todo, p, d, first, second)
    for l in range(net.L):
        if l:
            update_run(rule, team, todo, p, d, first, second, net.layer[l].Wx + start * N, net.layer[l].Wx + stop * N)
            if todo.step:
                pack_Wx(net, p, l, start, stop, panels)
        masked.key, masked.base = weights_key(team.step_key, l), net.layer[l].Wh
        update_run(rule, team, todo, p, d, first, second, net.layer[l].Wh + start * N, net.layer[l].Wh + stop * N,
                   &masked if dropping else NULL)
        if todo.step and dropping:
            pack_dropped(net, team, p, d[0], l, start, stop, panels)
        elif todo.step:
            pack_Wh(net, p, l, start, stop, panels)
        update_part(rule, team, todo, p, d, first, second, net.layer[l].bh, N)
        if net.layer[l].bn >= 0:
            update_part(rule, team, todo, p, d, first, second, net.layer[l].bn, H)
    update_run(rule, team, todo, p, d, first, second, net.Wy + start * net.V, net.Wy + stop * net.V)
    if todo.step:
        pack_Wy(net, p, start, stop, panels)
    update_part(rule, team, todo, p, d, first, second, net.by, net.V)
