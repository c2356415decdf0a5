"""Draw a symbol from logits; the uniform number is an argument, so the draw has no hidden state."""
from cython cimport floating
from .elementwise cimport exp_array
from .softmax cimport shift_by_max


cdef inline int draw(floating* y, Py_ssize_t V, double u, floating temperature) noexcept nogil:
    """The symbol that u in [0, 1) picks from softmax(y / temperature) by inverse CDF; y (V,) is used up."""
    cdef Py_ssize_t i, best = 0
    cdef double total = 0
    if temperature == 0:
        for i in range(1, V):
            if y[i] > y[best]:
                best = i
        return <int>best
    shift_by_max(y, V)
    for i in range(V):
        y[i] /= temperature
    exp_array(y, V)
    for i in range(V):
        total += y[i]
    u *= total
    total = 0
    for i in range(V):
        total += y[i]
        if u < total:
            return <int>i
    for i in range(V - 1, 0, -1):  # rounding left u at the very end: the last symbol that has a probability
        if y[i] > 0:
            return <int>i
    return 0
