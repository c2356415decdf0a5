"""Softmax over rows of logits, always with the row's maximum taken off: no logit overflows."""
from cython cimport floating
from libc.math cimport log
from .elementwise cimport exp_array

cdef enum:
    LANES = 16  # partial results, so that the compiler may use vectors without being told to reorder sums


cdef inline floating row_max(const floating* y, Py_ssize_t n) noexcept nogil:
    """max(y); a NaN may be passed over."""
    cdef floating best[LANES]
    cdef Py_ssize_t i, j
    if n < LANES:
        best[0] = y[0]
        for i in range(1, n):
            best[0] = max(best[0], y[i])
        return best[0]
    for j in range(LANES):
        best[j] = y[j]
    for i in range(1, n // LANES):
        for j in range(LANES):
            best[j] = best[j] if best[j] > y[i * LANES + j] else y[i * LANES + j]
    for j in range(LANES):  # the last LANES once more: a maximum does not mind
        best[j] = best[j] if best[j] > y[n - LANES + j] else y[n - LANES + j]
    for j in range(1, LANES):
        best[0] = max(best[0], best[j])
    return best[0]


cdef inline floating row_sum(const floating* y, Py_ssize_t n) noexcept nogil:
    """sum(y), in LANES partial sums."""
    cdef floating partial[LANES]
    cdef Py_ssize_t i, j, blocks = n // LANES
    for j in range(LANES):
        partial[j] = 0
    for i in range(blocks):
        for j in range(LANES):
            partial[j] += y[i * LANES + j]
    for j in range(n - blocks * LANES):
        partial[j] += y[blocks * LANES + j]
    for j in range(1, LANES):
        partial[0] += partial[j]
    return partial[0]


cdef inline void shift_by_max(floating* y, Py_ssize_t n) noexcept nogil:
    """y -= max(y)"""
    cdef floating top = row_max(y, n)
    cdef Py_ssize_t i
    for i in range(n):
        y[i] -= top


cdef inline double softmax_loss(floating* y, const int* targets, Py_ssize_t rows, Py_ssize_t V,
                                floating weight) noexcept nogil:
    """Turn logits y (rows, V) into weight * (softmax(y) - onehot(targets)); return the sum of -log softmax[target]."""
    cdef Py_ssize_t r, i
    cdef double loss = 0
    cdef floating total
    cdef floating* row
    for r in range(rows):
        row = y + r * V
        shift_by_max(row, V)
        loss -= row[targets[r]]
    exp_array(y, rows * V)
    for r in range(rows):
        row = y + r * V
        total = row_sum(row, V)
        loss += log(total)
        total = weight / total
        for i in range(V):
            row[i] *= total
        row[targets[r]] -= weight
    return loss


cdef inline double log_softmax_at(floating* y, Py_ssize_t V, Py_ssize_t target) noexcept nogil:
    """log softmax(y)[target]; y (V,) is used up."""
    cdef double shifted
    shift_by_max(y, V)
    shifted = y[target]
    exp_array(y, V)
    return shifted - log(row_sum(y, V))
