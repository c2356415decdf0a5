"""Log-probabilities of strings of different lengths, read side by side."""
from cython cimport floating
from .chunk cimport Chunk, carry_states, layers_forward
from .decoder cimport decode
from .dropout cimport Dropout
from .network cimport Network
from .softmax cimport log_softmax_at


cdef inline bint gather(const int* ids, const Py_ssize_t* starts, Py_ssize_t V, Py_ssize_t t, Py_ssize_t steps,
                        Py_ssize_t B, int* x) noexcept nogil:
    """x[s, b] = ids[starts[b] + t + s]; False if one of them is not below V."""
    cdef Py_ssize_t s, b
    cdef unsigned int largest = 0
    for s in range(steps):
        for b in range(B):
            x[s * B + b] = ids[starts[b] + t + s]
            largest = max(largest, <unsigned int>x[s * B + b])
    return largest < <size_t>V


cdef inline void add_log_softmax(Py_ssize_t steps, Py_ssize_t B, Py_ssize_t V, const int* x, floating* y,
                                 double* out) noexcept nogil:
    """out += log softmax(y)[x] summed over the steps in their order, as if each string were alone."""
    cdef Py_ssize_t s, b
    for s in range(steps):
        for b in range(B):
            out[b] += log_softmax_at(y + (s * B + b) * V, V, x[s * B + b])


cdef inline bint read_strings(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                              const int* ids, const Py_ssize_t* starts, const Py_ssize_t* lengths, Py_ssize_t first,
                              Py_ssize_t last, floating* h, floating* c, floating* gates, int* x, floating* y,
                              double* out) noexcept nogil:
    """What `log_likelihoods` is for, with a chunk of all strings; False if a symbol is not below V.

    The rows of strings that go on come first, and there a smaller batch has its states: to shrink is to count fewer.
    """
    cdef const floating* top = h + (net.L - 1) * chunk.states
    cdef const Dropout* no_dropout = NULL
    cdef floating* nothing = NULL
    cdef Py_ssize_t rows = chunk.T * chunk.B, B = chunk.B, t = first, steps
    cdef bint some_end
    while B and lengths[B - 1] <= t:
        B -= 1
    while B and t < last:
        some_end = lengths[B - 1] == t + 1
        steps = 1 if some_end else min(min(rows // B, lengths[B - 1] - 1 - t), last - t)
        if not gather(ids, starts, net.symbols, t, steps, B, x):
            return False
        if some_end:  # they take no step from their last symbol
            decode(net, p, panels, B, top, y)
            add_log_softmax(1, B, net.V, x, y, out)
            while B and lengths[B - 1] == t + 1:
                B -= 1
            if not B:
                break
        chunk.B = B
        chunk.following = B * net.H
        layers_forward(net, p, panels, chunk, x, 0, steps, no_dropout, h, c, gates, nothing)
        if not some_end:
            decode(net, p, panels, steps * B, top, y)  # of h[:-1]
            add_log_softmax(steps, B, net.V, x, y, out)
        carry_states(net, chunk, steps, h, c)
        t += steps
    return True
