"""Optimizers: clip the gradient, update the optimizer state and step, in one pass over a run of the flat vectors.

The formulas and names of the state are PyTorch's.
"""
# The same in NumPy: `reference/optimizers.py`.
from ..cells.elementwise cimport rsqrt_
from ..common.interface cimport Rule, real

cdef extern from "real.h" nogil:
    real SQRT(real)

cdef enum:  # the numbers assigned in `parameters/kinds.py`
    ADAGRAD = 0
    RMSPROP = 1
    ADAM = 2


cdef inline real clipped(real g, real scale, real clip) noexcept nogil:
    """clip(scale g, -clip, clip)"""
    g *= scale
    g = -clip if g < -clip else g  # NaN fails both tests and stays NaN
    return clip if g > clip else g


cdef inline void adagrad(const Rule* rule, real* p, const real* d, real* sum_, Py_ssize_t n) noexcept nogil:
    """d = clip(d); sum_ += d * d; p -= learning_rate * d / sqrt(sum_ + 1e-8)"""
    cdef real epsilon = <real>1e-8  # inside the square root, as in min-char-rnn
    cdef real learning_rate = <real>rule.learning_rate
    cdef real scale = <real>rule.scale
    cdef real clip = <real>rule.clip
    cdef real g
    cdef Py_ssize_t i
    for i in range(n):
        g = clipped(d[i], scale, clip)
        sum_[i] += g * g
        p[i] -= learning_rate * g * rsqrt_(sum_[i] + epsilon)


cdef inline void rmsprop(const Rule* rule, real* p, const real* d, real* square_avg,
                         Py_ssize_t n) noexcept nogil:
    """d = clip(d); square_avg = 0.99 square_avg + 0.01 d * d; p -= learning_rate * d / (sqrt(square_avg) + 1e-8)"""
    cdef real alpha = <real>0.99
    cdef real rest = <real>(1 - 0.99)
    cdef real epsilon = <real>1e-8
    cdef real learning_rate = <real>rule.learning_rate
    cdef real scale = <real>rule.scale
    cdef real clip = <real>rule.clip
    cdef real g
    cdef Py_ssize_t i
    for i in range(n):
        g = clipped(d[i], scale, clip)
        square_avg[i] = alpha * square_avg[i] + rest * g * g
        p[i] -= learning_rate * g / (SQRT(square_avg[i]) + epsilon)


cdef inline void adam(const Rule* rule, real* p, const real* d, real* exp_avg, real* exp_avg_sq,
                      Py_ssize_t n) noexcept nogil:
    """d = clip(d); exp_avg += (1 - beta_1) (d - exp_avg); exp_avg_sq = beta_2 exp_avg_sq + (1 - beta_2) d * d;
    p = (1 - learning_rate weight_decay) p - learning_rate / correction * exp_avg
        / (sqrt(exp_avg_sq) / root_correction + 1e-8)"""
    cdef real slow = <real>rule.beta_2
    cdef real slow_rest = <real>(1 - rule.beta_2)
    cdef real fast_rest = <real>(1 - rule.beta_1)
    cdef real epsilon = <real>1e-8
    cdef real scale = <real>rule.scale
    cdef real clip = <real>rule.clip
    cdef real step = <real>(rule.learning_rate / rule.correction)
    cdef real widen = <real>(1 / rule.root_correction)
    cdef real keep = <real>(1 - rule.learning_rate * rule.weight_decay)
    cdef real g
    cdef Py_ssize_t i
    for i in range(n):
        g = clipped(d[i], scale, clip)
        exp_avg[i] += fast_rest * (g - exp_avg[i])
        exp_avg_sq[i] = slow * exp_avg_sq[i] + slow_rest * g * g
        p[i] = keep * p[i] - step * exp_avg[i] / (SQRT(exp_avg_sq[i]) * widen + epsilon)


cdef inline void step_run(const Rule* rule, real* p, const real* d, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Take a step with n elements, from `start`, of the parameters and the optimizer state; d is their gradient."""
    if rule.number == ADAGRAD:
        adagrad(rule, p + start, d, rule.first + start, n)
    elif rule.number == RMSPROP:
        rmsprop(rule, p + start, d, rule.first + start, n)
    elif rule.number == ADAM:
        adam(rule, p + start, d, rule.first + start, rule.second + start, n)
