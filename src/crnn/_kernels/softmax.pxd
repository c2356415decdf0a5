"""Softmax over rows of logits, always with the row's maximum taken off: no logit overflows."""
from cython cimport floating
from libc.math cimport log
from .elementwise cimport exp_array

cdef extern from "row_reductions.h" nogil:
    float row_max_float(const float* y, Py_ssize_t n) noexcept
    double row_max_double(const double* y, Py_ssize_t n) noexcept
    float row_sum_float(const float* y, Py_ssize_t n) noexcept
    double row_sum_double(const double* y, Py_ssize_t n) noexcept


cdef inline floating row_max(const floating* y, Py_ssize_t n) noexcept nogil:
    """max(y)"""
    if floating is float:
        return row_max_float(y, n)
    else:
        return row_max_double(y, n)


cdef inline floating row_sum(const floating* y, Py_ssize_t n) noexcept nogil:
    """sum(y)"""
    if floating is float:
        return row_sum_float(y, n)
    else:
        return row_sum_double(y, n)


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
