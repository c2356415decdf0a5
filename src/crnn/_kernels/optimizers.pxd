"""Optimisers: clip, remember, step, in one pass over a run of the flat vectors. PyTorch's formulas and state names."""
from cython cimport floating
from libc.math cimport sqrt
from .elementwise cimport rsqrt_

cdef extern from "<math.h>" nogil:
    float sqrtf(float)

cdef enum:
    ADAGRAD = 0
    RMSPROP = 1
    ADAM = 2

ctypedef struct Rule:  # what an optimiser does in one step
    int kind
    double learning_rate
    double scale  # of the gradient: below 1 if its norm is clipped
    double clip
    double weight_decay
    double beta_1  # how much of Adam's moments is kept
    double beta_2
    double correction  # Adam's bias corrections, of the first and of the square root of the second moment
    double root_correction


cdef inline floating root(floating x) noexcept nogil:
    if floating is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef inline floating clipped(floating g, floating scale, floating clip) noexcept nogil:
    g *= scale
    g = -clip if g < -clip else g  # NaN fails both tests and stays NaN
    return clip if g > clip else g


cdef inline void adagrad(const Rule* rule, floating* p, const floating* d, floating* sum_, Py_ssize_t n) noexcept nogil:
    """d = clip(d); sum_ += d * d; p -= learning_rate * d / sqrt(sum_ + 1e-8)"""
    cdef Py_ssize_t i
    cdef floating g, epsilon = <floating>1e-8  # inside the square root, as in min-char-rnn
    cdef floating learning_rate = <floating>rule.learning_rate, scale = <floating>rule.scale, clip = <floating>rule.clip
    for i in range(n):
        g = clipped(d[i], scale, clip)
        sum_[i] += g * g
        p[i] -= learning_rate * g * rsqrt_(sum_[i] + epsilon)


cdef inline void rmsprop(const Rule* rule, floating* p, const floating* d, floating* square_avg,
                         Py_ssize_t n) noexcept nogil:
    """d = clip(d); square_avg = 0.99 square_avg + 0.01 d * d; p -= learning_rate * d / (sqrt(square_avg) + 1e-8)"""
    cdef Py_ssize_t i
    cdef floating g, alpha = <floating>0.99, rest = <floating>(1 - 0.99), epsilon = <floating>1e-8
    cdef floating learning_rate = <floating>rule.learning_rate, scale = <floating>rule.scale, clip = <floating>rule.clip
    for i in range(n):
        g = clipped(d[i], scale, clip)
        square_avg[i] = alpha * square_avg[i] + rest * g * g
        p[i] -= learning_rate * g / (root(square_avg[i]) + epsilon)


cdef inline void adam(const Rule* rule, floating* p, const floating* d, floating* exp_avg, floating* exp_avg_sq,
                      Py_ssize_t n) noexcept nogil:
    """d = clip(d); exp_avg += (1 - beta_1) (d - exp_avg); exp_avg_sq = beta_2 exp_avg_sq + (1 - beta_2) d * d;
    p = (1 - learning_rate weight_decay) p - learning_rate / correction * exp_avg
        / (sqrt(exp_avg_sq) / root_correction + 1e-8)"""
    cdef Py_ssize_t i
    cdef floating g, slow = <floating>rule.beta_2, rest = <floating>(1 - rule.beta_2), epsilon = <floating>1e-8
    cdef floating fast_rest = <floating>(1 - rule.beta_1), scale = <floating>rule.scale, clip = <floating>rule.clip
    cdef floating step = <floating>(rule.learning_rate / rule.correction), widen = <floating>(1 / rule.root_correction)
    cdef floating keep = <floating>(1 - rule.learning_rate * rule.weight_decay)
    for i in range(n):
        g = clipped(d[i], scale, clip)
        exp_avg[i] += fast_rest * (g - exp_avg[i])
        exp_avg_sq[i] = slow * exp_avg_sq[i] + rest * g * g
        p[i] = keep * p[i] - step * exp_avg[i] / (root(exp_avg_sq[i]) * widen + epsilon)


cdef inline void step_run(const Rule* rule, floating* p, const floating* d, floating* first, floating* second,
                          Py_ssize_t n) noexcept nogil:
    """One step over n elements; `first` and `second` are the optimiser's memories, the same if it has one."""
    if rule.kind == ADAGRAD:
        adagrad(rule, p, d, first, n)
    elif rule.kind == RMSPROP:
        rmsprop(rule, p, d, first, n)
    else:
        adam(rule, p, d, first, second, n)
