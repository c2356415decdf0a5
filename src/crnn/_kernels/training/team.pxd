"""The state shared by the threads of a training call: their barrier, and the sums of their contributions."""
from ..common.interface cimport Training, barrier_wait


cdef inline bint wait_for_team(Training* run) noexcept nogil:
    """Wait for all threads; return False if one of them broke the barrier."""
    run.progress.complete = barrier_wait(run.team.barrier)
    return run.progress.complete


cdef inline double total(const double* parts, Py_ssize_t n) noexcept nogil:
    """sum(parts), in order"""
    cdef double sum_ = 0
    cdef Py_ssize_t i
    for i in range(n):
        sum_ += parts[i]
    return sum_
