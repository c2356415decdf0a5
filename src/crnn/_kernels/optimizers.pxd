"""Optimisers: clip, remember, step, in one pass over a run of the flat vectors."""
from cython cimport floating
from .elementwise cimport rsqrt_


cdef inline void adagrad(floating* p, const floating* d, floating* sum_, Py_ssize_t n,
                         floating learning_rate, floating clip) noexcept nogil:
    """d = clip(d); sum_ += d * d; p -= learning_rate * d / sqrt(sum_ + 1e-8)"""
    cdef Py_ssize_t i
    cdef floating g, epsilon = <floating>1e-8  # inside the square root, as in min-char-rnn
    for i in range(n):
        g = d[i]
        g = -clip if g < -clip else g  # NaN fails both tests and stays NaN
        g = clip if g > clip else g
        sum_[i] += g * g
        p[i] -= learning_rate * g * rsqrt_(sum_[i] + epsilon)
