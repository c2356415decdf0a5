"""A crew: threads that work on the same streams, each on units of its own.

Where a layer's weights are more than a core's second-level cache, two threads with half of the streams each would both
fetch all of them at every time step. In a crew each has some of the units, and so some of the weights, for all streams;
its members meet whenever one is about to read what another has written: after every time step. What a member adds up it
adds up over all streams, in the order in which one thread alone would do it.
"""
from cython cimport floating
from .panels cimport Columns, columns_of

cdef extern from "spin_barrier.h" nogil:
    ctypedef struct spin_barrier:
        long parties
        long arrived
        long generation
        long broken
        long crowded
    void spin_barrier_break(spin_barrier*)
    bint spin_barrier_wait(spin_barrier*)

ctypedef struct Crew:  # a thread's place in it
    int members
    int rank
    spin_barrier* barrier


cdef inline Crew alone() noexcept nogil:
    cdef Crew crew
    crew.members, crew.rank, crew.barrier = 1, 0, NULL
    return crew


cdef inline void meet(const Crew* crew) noexcept nogil:
    """Wait for the others. A barrier that is broken holds nobody up: what is computed then is never used."""
    if crew.members > 1:
        spin_barrier_wait(crew.barrier)


cdef inline Py_ssize_t share(Py_ssize_t n, int rank, int parts) noexcept nogil:
    """Where the rank's share of n begins; that of rank `parts` is n."""
    return n * rank // parts


cdef inline Columns own_columns(const Crew* crew, const floating* w, Py_ssize_t N) noexcept nogil:
    """The member's share of N columns; `w` only tells the dtype."""
    return Columns(0, N) if crew.members == 1 else columns_of(w, N, crew.rank, crew.members)


cdef inline Columns own_share(const Crew* crew, Py_ssize_t n) noexcept nogil:
    """The member's share of n rows or elements."""
    cdef Py_ssize_t start = share(n, crew.rank, crew.members)
    return Columns(start, share(n, crew.rank + 1, crew.members) - start)
