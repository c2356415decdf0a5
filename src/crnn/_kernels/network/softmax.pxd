"""Softmax over rows of logits, always after subtracting the row's maximum, so that no logit overflows."""
# The same in NumPy: `reference/network.py`, `softmax_loss` and `log_softmax`.
from libc.math cimport log
from ..cells.elementwise cimport exp_array
from ..common.interface cimport real

cdef extern from "row_reductions.h" nogil:
    real row_max(const real* y, Py_ssize_t n) noexcept
    real row_sum(const real* y, Py_ssize_t n) noexcept


cdef enum:
    CACHED_BYTES = 1 << 18  # of logits that pass through all loops of a softmax before the next ones do


cdef inline void shift_by_max(real* y, Py_ssize_t n) noexcept nogil:
    """y -= max(y)"""
    cdef real top = row_max(y, n)
    cdef Py_ssize_t i
    for i in range(n):
        y[i] -= top


cdef inline void softmax_loss(real* y, const int* targets, Py_ssize_t rows, Py_ssize_t V, real weight,
                              const real* row_weights, double* losses) noexcept nogil:
    """losses = -w log softmax(y)[targets]; y = weight w (softmax(y) - onehot(targets))

    y (rows, V) comes in as the logits; w (rows,) are the `row_weights`, or 1 if they are NULL. A block's rows for a
    large vocabulary exceed the second-level cache: taking a few at a time fetches them only once.
    """
    cdef Py_ssize_t count = max(1, <Py_ssize_t>CACHED_BYTES // (V * <Py_ssize_t>sizeof(real)))
    cdef const real* weights = NULL
    cdef Py_ssize_t r = 0
    while r < rows:
        if row_weights != NULL:
            weights = row_weights + r
        softmax_loss_of_rows(y + r * V, targets + r, min(count, rows - r), V, weight, weights, losses + r)
        r += count


cdef inline void softmax_loss_of_rows(real* y, const int* targets, Py_ssize_t rows, Py_ssize_t V, real weight,
                                      const real* row_weights, double* losses) noexcept nogil:
    """Do what `softmax_loss` does, for rows few enough to stay in the cache."""
    cdef Py_ssize_t r, i
    cdef real total, factor = 1
    cdef real* row
    for r in range(rows):
        row = y + r * V
        shift_by_max(row, V)
        if row_weights != NULL:
            factor = row_weights[r]
        losses[r] = -<double>factor * row[targets[r]]
    exp_array(y, rows * V)
    for r in range(rows):
        row = y + r * V
        total = row_sum(row, V)
        if row_weights != NULL:
            factor = row_weights[r]
        losses[r] += factor * log(total)
        factor *= weight
        total = factor / total
        for i in range(V):
            row[i] *= total
        row[targets[r]] -= factor
        factor = 1


cdef inline double log_softmax_at(real* y, Py_ssize_t V, Py_ssize_t target) noexcept nogil:
    """Return log softmax(y)[target]; y (V,) is overwritten."""
    cdef double shifted
    shift_by_max(y, V)
    shifted = y[target]
    exp_array(y, V)
    return shifted - log(row_sum(y, V))
