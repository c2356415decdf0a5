"""Log-probabilities of strings of different lengths, read in parallel."""
# The same in NumPy: `reference/network.py`, `string_score`.
from ..common.interface cimport Network, Strings, Weights, Workspace, real
from ..network.decoder cimport decode
from ..network.input_tables cimport carry_symbols
from ..network.layers cimport layers_forward
from ..network.softmax cimport log_softmax_at
from ..network.workspace cimport carry_states, layer_h


cdef inline bint gather(const Strings* strings, Py_ssize_t V, Py_ssize_t t, Py_ssize_t steps, Py_ssize_t B,
                        int* x) noexcept nogil:
    """x[s, b] = ids[starts[b] + t + s]                (steps, B); return False if any of them is V or more"""
    cdef Py_ssize_t s, b
    cdef int symbol
    cdef unsigned int largest = 0
    for s in range(steps):
        for b in range(B):
            symbol = strings.ids[strings.starts[b] + t + s]
            x[s * B + b] = symbol
            largest = max(largest, <unsigned int>symbol)
    return largest < <size_t>V


cdef inline void reduce_log_softmax(Py_ssize_t steps, Py_ssize_t B, Py_ssize_t V, const int* x, real* y, bint least,
                                    double* out) noexcept nogil:
    """out += log softmax(y)[x] summed over the steps in order, as if each string were alone.

    With `least`, out = min(out, log softmax(y)[x]) instead; a NaN stays.
    """
    cdef Py_ssize_t s, b
    cdef double log_p
    for s in range(steps):
        for b in range(B):
            log_p = log_softmax_at(y + (s * B + b) * V, V, x[s * B + b])
            if not least:
                out[b] += log_p
            elif log_p < out[b] or log_p != log_p:
                out[b] = log_p


cdef inline bint read_strings(const Weights* w, Workspace* work, const Strings* strings, double* out) noexcept nogil:
    """out[b] += log P of the symbols [first, last) of string b, or their minimum; return False if a symbol is unknown.

    The longest string comes first. The rows of unfinished strings are then the first ones, and when some end the batch
    simply shrinks.
    """
    cdef const Network* net = w.net
    cdef const real* top = layer_h(work, net.dims.L - 1, 0)
    cdef const Py_ssize_t* lengths = strings.lengths
    cdef Py_ssize_t rows = work.T * work.B
    cdef Py_ssize_t B = work.B  # unfinished strings
    cdef Py_ssize_t t = strings.first
    cdef Py_ssize_t steps
    cdef bint some_end
    while B and lengths[B - 1] <= t:
        B -= 1
    while B and t < strings.last:
        some_end = lengths[B - 1] == t + 1
        steps = 1
        if not some_end:
            steps = min(min(rows // B, lengths[B - 1] - 1 - t), strings.last - t)
        if not gather(strings, net.dims.symbols, t, steps, B, work.x):
            return False
        if some_end:  # they take no step from their last symbol
            decode(w, B, top, work.decoder.y, work.scratch)
            reduce_log_softmax(1, B, net.dims.V, work.x, work.decoder.y, strings.least, out)
            while B and lengths[B - 1] == t + 1:
                B -= 1
            if not B:
                break
        work.B = B
        work.layers.step_stride = B * net.dims.H
        layers_forward(w, work, work.x, 0, steps)
        if not some_end:
            decode(w, steps * B, top, work.decoder.y, work.scratch)  # of h[:-1]
            reduce_log_softmax(steps, B, net.dims.V, work.x, work.decoder.y, strings.least, out)
        carry_states(net, work, steps)
        carry_symbols(net, work, work.x, steps)
        t += steps
    return True
