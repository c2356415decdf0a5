"""The gradient of a step, reduced over processes: all shards summed into one vector, which a callback sums.

The gradient of the first shard (net.n_weights elements) is followed by what the processes sum along with it: a flag for
each row of an input table that was read, so that every process updates the rows that any of them reads; then the sum of
the losses and the number of streams, whose quotient is the mean loss.
"""
from ..common.interface cimport Network, Training, real, barrier_break
from ..threads.step_poll cimport RELEASE_TILES
from ..threads.thread_group cimport share
from .team cimport total, wait_for_team
from .update cimport SUM_SHARDS, occurs_in_any, update


cdef inline bint reduce_gradient(Training* run, double* loss) noexcept nogil:
    """Reduce the gradient in d[0] and the mean loss over all processes; return False on failure."""
    cdef Py_ssize_t flags = run.weights.net.inputs.table_rows
    cdef real* tail = run.team.d[0] + run.weights.net.n_weights
    update(run, SUM_SHARDS)
    flag_rows(run, tail)
    if not wait_for_team(run):
        return False
    if run.team.rank == 0:
        tail[flags] = <real>total(run.team.losses, run.team.shards)
        tail[flags + 1] = <real>run.team.streams
        RELEASE_TILES()
        if not run.team.reduce(run.team.reduce_context):
            barrier_break(run.team.barrier)
    if not wait_for_team(run):
        return False
    loss[0] = tail[flags] / tail[flags + 1]
    return True


cdef inline void flag_rows(const Training* run, real* flags) noexcept nogil:
    """flags[v] = 1 if a shard read row v of the input tables, else 0: for the thread's share of the flags"""
    cdef Py_ssize_t n = run.weights.net.inputs.table_rows
    cdef Py_ssize_t start = share(n, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = share(n, run.team.rank + 1, run.team.threads)
    cdef Py_ssize_t v
    for v in range(start, stop):
        flags[v] = occurs_in_any(&run.team, v)
