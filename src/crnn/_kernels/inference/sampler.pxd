"""Draw symbols from logits; the uniform numbers are arguments, so a draw has no hidden state.

First the logits become probabilities, up to a factor: by `unnormalized_softmax` for many rows, or with controls by
`filter_logits` for one row (defined in `crnn.reference.sampling`). Then `pick` selects a symbol. The two stages are
separate because the processor cannot predict what `pick` finds: a wrong guess would restart the next row's
exponentials.
"""
from libc.math cimport INFINITY
from ..cells.elementwise cimport exp_array
from ..common.interface cimport Controls, DrawSettings, real
from ..network.softmax cimport row_sum, shift_by_max


cdef enum:
    BLOCK = 16  # probabilities skipped at a time in the search


cdef inline Py_ssize_t block_count(Py_ssize_t width) noexcept nogil:
    """Return the number of block sums that `pick` must store."""
    return (width + BLOCK - 1) // BLOCK


cdef inline void unnormalized_softmax(real* y, Py_ssize_t rows, Py_ssize_t V, Py_ssize_t width,
                                       real temperature) noexcept nogil:
    """y (rows, width) = exp(y / temperature), each row divided by its maximum; at temperature 0 they stay logits.

    y[:, V:], which fills the last vector, is -inf, and becomes 0.
    """
    cdef Py_ssize_t r, i
    if temperature == 0:
        return
    for r in range(rows):
        shift_by_max(y + r * width, width)
    if temperature != 1:
        for i in range(rows * width):
            y[i] /= temperature
    exp_array(y, rows * width)
    for r in range(rows):
        for i in range(V, width):  # a temperature of infinity turns -inf into NaN
            y[r * width + i] = 0


cdef inline int argmax(const real* y, Py_ssize_t V) noexcept nogil:
    """Return argmax(y), the first of equal values."""
    cdef Py_ssize_t best = 0
    cdef Py_ssize_t i
    for i in range(1, V):
        if y[i] > y[best]:
            best = i
    return <int>best


cdef inline int pick(const real* y, Py_ssize_t V, Py_ssize_t width, double u, double* sums) noexcept nogil:
    """Return the symbol that u in [0, 1) selects by inverse CDF, given y[:V]: probabilities up to a factor.

    y[V:width], which fills the last vector, is 0. `sums` (block_count,) is scratch.
    """
    cdef Py_ssize_t blocks = block_count(width)
    cdef Py_ssize_t block = 0
    cdef Py_ssize_t i, first, last
    cdef double total = 0
    for i in range(blocks):
        total += row_sum(y + i * BLOCK, min(width - i * BLOCK, <Py_ssize_t>BLOCK))
        sums[i] = total
    u *= total
    # First the block, then the symbol in it. The block cannot be predicted, so blocks are counted without branches.
    for i in range(blocks - 1):
        block += u >= sums[i]
    total = sums[block - 1] if block else 0
    first = block * BLOCK
    last = min(V, first + BLOCK)
    for i in range(first, last):
        total += y[i]
        if u < total:
            return <int>i
    for i in range(last - 1, 0, -1):  # rounding left u at the end: take the last symbol with a probability
        if y[i] > 0:
            return <int>i
    return 0


# ------------------------------------------------------------------------------------------------- controls


cdef inline void filter_logits(real* y, Py_ssize_t V, Py_ssize_t width, const DrawSettings* settings,
                               const unsigned char* seen) noexcept nogil:
    """Turn logits into probabilities, up to a factor: 0 for symbols excluded by the controls.

    The bias (width,) is added first, with -inf for a forbidden symbol; `seen` (V,) marks the penalized symbols. Either
    may be NULL. `order` (V,) is scratch. y[V:width], which fills the last vector, is -inf.
    """
    cdef const Controls* controls = settings.control
    cdef real temperature = <real>settings.temperature
    cdef real smallest = <real>controls.min_p
    cdef Py_ssize_t i
    cdef int best
    if settings.bias != NULL:
        for i in range(width):
            y[i] += settings.bias[i]
    if seen != NULL:
        penalize(y, V, seen, controls.repetition_penalty)
    if temperature == 0:
        best = argmax(y, V)
        for i in range(width):
            y[i] = i == best
        return
    shift_by_max(y, width)
    if temperature != 1:
        for i in range(width):  # a temperature of infinity would turn -inf into NaN
            y[i] = y[i] / temperature if y[i] > -INFINITY else y[i]
    exp_array(y, width)
    if 0 < controls.top_k < V or controls.top_p < 1:
        keep_most_probable(y, V, controls.top_k, controls.top_p, settings.order)
    if smallest > 0:
        for i in range(width):  # the largest is exp(0) = 1
            y[i] = y[i] if y[i] >= smallest else 0


cdef inline void penalize(real* y, Py_ssize_t V, const unsigned char* seen, double penalty) noexcept nogil:
    """Divide the logits of seen symbols by the penalty, or multiply them if they are not positive."""
    cdef double limit = 1e30  # well within a float's range, so that no penalty gives infinity
    cdef double value
    cdef Py_ssize_t i
    for i in range(V):
        if seen[i] and y[i] > -INFINITY:
            value = y[i] / penalty if y[i] > 0 else y[i] * penalty
            y[i] = <real>min(max(value, -limit), limit)


cdef inline void keep_most_probable(real* y, Py_ssize_t V, Py_ssize_t top_k, double top_p,
                                    int* heap) noexcept nogil:
    """Zero all but the `top_k` most probable, and of these all but the fewest whose sum reaches the share `top_p`.

    A heap yields only the required symbols, in order of probability, ties by smaller id.
    A yielded symbol moves to the former end of the heap: the most probable one is finally heap[n - 1].
    """
    cdef Py_ssize_t n = 0  # symbols in the heap
    cdef Py_ssize_t taken = 0  # of these, yielded so far
    cdef Py_ssize_t kept = 0
    cdef Py_ssize_t i, max_kept
    cdef double total = 0
    cdef double sum_of_kept = 0
    cdef double wanted = INFINITY
    for i in range(V):
        if y[i] > 0:
            heap[n] = <int>i
            n += 1
    for i in range(n // 2 - 1, -1, -1):
        sift_down(y, heap, n, i)
    max_kept = min(top_k, n) if top_k > 0 else n
    if top_p < 1:
        if max_kept < n:
            while taken < max_kept:
                take_first(y, heap, n - taken)
                taken += 1
                total += y[heap[n - taken]]
        else:
            for i in range(V):
                total += y[i]
        wanted = top_p * total
    while kept < max_kept and (kept == 0 or sum_of_kept < wanted):
        if kept == taken:
            take_first(y, heap, n - taken)
            taken += 1
        kept += 1
        sum_of_kept += y[heap[n - kept]]
    for i in range(n - kept):
        y[heap[i]] = 0


cdef inline void take_first(const real* y, int* heap, Py_ssize_t n) noexcept nogil:
    """Move the first of the n symbols in the heap to its end, and make a heap of the other n - 1."""
    cdef int first = heap[0]
    heap[0] = heap[n - 1]
    heap[n - 1] = first
    sift_down(y, heap, n - 1, 0)


cdef inline void sift_down(const real* y, int* heap, Py_ssize_t n, Py_ssize_t at) noexcept nogil:
    """Move the symbol at `at` down until neither of the two below comes before it."""
    cdef int moving = heap[at]
    cdef Py_ssize_t child = 2 * at + 1
    while child < n:
        if child + 1 < n and comes_before(y, heap[child + 1], heap[child]):
            child += 1
        if not comes_before(y, heap[child], moving):
            break
        heap[at] = heap[child]
        at = child
        child = 2 * at + 1
    if at < n:
        heap[at] = moving


cdef inline bint comes_before(const real* y, int a, int b) noexcept nogil:
    """Return whether symbol a is more probable than b, or equally probable with a smaller id."""
    return y[a] > y[b] or (y[a] == y[b] and a < b)
