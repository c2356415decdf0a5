"""A thread group: threads that work on the same streams, each with units of its own.

Each thread has some of the units, and so some of the weights, for all streams. The threads wait for each other
whenever one is about to read what another has written: after every time step. Every sum of a thread runs over all
streams in the order of a single thread.
"""
from ..common.interface cimport ThreadGroup, barrier_wait
from ..products.panels cimport Range, columns_of


cdef inline ThreadGroup alone() noexcept nogil:
    """Return a group of one thread."""
    cdef ThreadGroup group
    group.threads = 1
    group.rank = 0
    group.barrier = NULL
    return group


cdef inline void wait_for_group(const ThreadGroup* group) noexcept nogil:
    """Wait for the other threads. A broken barrier does not block, since the results are then never used."""
    if group.threads > 1:
        barrier_wait(group.barrier)


cdef inline Py_ssize_t share(Py_ssize_t n, int rank, int parts) noexcept nogil:
    """Return the start of the `rank`-th of `parts` slices of n elements; n if rank == parts."""
    return n * rank // parts


cdef inline Range columns_of_thread(const ThreadGroup* group, Py_ssize_t N) noexcept nogil:
    """Return the thread's share of N columns, in whole vectors."""
    return Range(0, N) if group.threads == 1 else columns_of(N, group.rank, group.threads)


cdef inline Range share_of_thread(const ThreadGroup* group, Py_ssize_t n) noexcept nogil:
    """Return the thread's share of n rows or elements."""
    cdef Py_ssize_t start = share(n, group.rank, group.threads)
    return Range(start, share(n, group.rank + 1, group.threads) - start)
