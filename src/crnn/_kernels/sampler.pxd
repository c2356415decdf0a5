"""Draw a symbol from logits; the uniform number is an argument, so the draw has no hidden state."""
from cython cimport floating
from .elementwise cimport exp_array
from .softmax cimport row_sum, shift_by_max


cdef enum:
    BLOCK = 16  # probabilities that are passed over at a time in the search


cdef inline int draw(floating* y, Py_ssize_t V, Py_ssize_t width, double u, floating temperature) noexcept nogil:
    """The symbol that u in [0, 1) picks from softmax(y[:V] / temperature) by inverse CDF.

    y is used up; y[V:width], which fills the last vector, is -inf.
    """
    cdef Py_ssize_t i, first = 0, last, best = 0
    cdef double total = 0, block
    if temperature == 0:
        for i in range(1, V):
            if y[i] > y[best]:
                best = i
        return <int>best
    shift_by_max(y, width)
    if temperature != 1:
        for i in range(width):
            y[i] /= temperature
    exp_array(y, width)
    for i in range(V, width):  # a temperature of infinity makes NaN of -inf
        y[i] = 0
    while first < width:
        total += row_sum(y + first, min(width - first, <Py_ssize_t>BLOCK))
        first += BLOCK
    u *= total
    # First the block, then the symbol in it: the blocks' sums are added in the same order as above.
    total = 0
    first = 0
    while first + BLOCK < V:
        block = total + row_sum(y + first, BLOCK)
        if u < block:
            break
        total = block
        first += BLOCK
    last = min(V, first + BLOCK)
    for i in range(first, last):
        total += y[i]
        if u < total:
            return <int>i
    for i in range(last - 1, 0, -1):  # rounding left u at the end: the last that has a probability
        if y[i] > 0:
            return <int>i
    return 0
