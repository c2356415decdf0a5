"""The poll within a long training step: Ctrl-C, or a failing thread, ends the step before its update.

Every thread polls before each time step and within large products, at least every 50 ms or so, and stops
if the team's barrier is broken. The first thread also lets Python handle signals. No thread can be in the update
then, because it begins only when all have arrived at the barrier. An interrupted step leaves the weights unchanged.
"""
from ..common.interface cimport StepPoll, Workspace, barrier_is_broken, nanoseconds

cdef extern from "tiles.h" nogil:
    void RELEASE_TILES()  # before Python runs, which may use them, and after any products

cdef enum:
    POLL_NANOSECONDS = 40000000


cdef inline bint is_canceled(const Workspace* work) noexcept nogil:
    """Return whether to interrupt the step. If steps are short this costs just a look at a pointer."""
    return work.poll != NULL and is_over(work.poll)


cdef inline bint is_over(StepPoll* poll) noexcept nogil:
    """Return whether the barrier is broken; from time to time let Python handle signals, which may break it."""
    cdef long long now
    if barrier_is_broken(poll.barrier):
        return True
    if poll.ask == NULL:
        return False
    now = nanoseconds()
    if now < poll.next:
        return False
    poll.next = now + POLL_NANOSECONDS
    RELEASE_TILES()
    return not poll.ask(poll.context)
