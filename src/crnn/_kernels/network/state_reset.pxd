"""State reset: with some probability a stream starts a chunk from zeros, so that a model learns to start from them.

A hash of the seed, the training step and the stream decides, as for the masks of `dropout`.
"""
# The same in NumPy: `reference/dropout.py`, `state_resets`.
from libc.stdint cimport uint32_t
from ..common.interface cimport Network, Workspace
from ..products.panels cimport Range
from ..threads.thread_group cimport own_columns, wait_for_group
from .dropout cimport mix
from .workspace cimport clear_stream

cdef enum:
    RESET_PLACE = 0x85EBCA6B  # where `apply_dropout` has layer and time step, which never reach this value


cdef inline bint is_reset(double rate, uint32_t step_key, Py_ssize_t stream) noexcept nogil:
    return mix(mix(step_key ^ <uint32_t>RESET_PLACE) ^ <uint32_t>stream) >> 8 < <uint32_t>(rate * 16777216.0 + 0.5)


cdef inline void reset_states(const Network* net, const Workspace* work, double rate, uint32_t step_key) noexcept nogil:
    """h[:, 0, b] = c[:, 0, b] = 0 for each reset stream b: the thread's units"""
    cdef Py_ssize_t b
    cdef Range own = own_columns(&work.group, net.H)
    for b in range(work.B):
        if is_reset(rate, step_key, work.dropout.first_stream + b):
            clear_stream(net, work, b, own)
    wait_for_group(&work.group)
