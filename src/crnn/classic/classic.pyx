"""Min-char-rnn, compiled: Karpathy's hundred lines of NumPy as one file of Cython, to be read from top to bottom.

One tanh layer reads T symbols, back-propagates through these T steps, clips each element of the gradients, and takes
a step of Adagrad:

    h[t] = tanh(Wx[x[t]] + h[t-1] Wh + bh)      y[t] = h[t] Wy + by      loss = -sum over t of log softmax(y[t])[target]

A state is a row here, so matrices are (inputs, outputs), the transposes of the gist's, and a one-hot vector times Wx
is a row of Wx. B parts of the text, or streams, may be read at once: row t B + b belongs to step t of stream b, and
B = 1 is the gist. Only the products of the recurrence wait for one another. Each other product is one call for all
steps. `crnn.CharRNN` is the same model with further cells and kernels of its own; docs/min_char_rnn.md compares them.
"""

from cython cimport floating
from libc.math cimport log, sqrt
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm, sgemm

import numpy as np

from crnn.classic.layout import cut, require_fitting

# ------------------------------------------------------------------------------ products and functions


cdef void add_product(
    const floating* a, const floating* b, floating* c, int m, int k, int n, char* of_a, char* of_b, floating beta
) noexcept nogil:
    """c = a b + beta c, for a (m, k), b (k, n) and c (m, n). For b"T", the operand is stored as its transpose."""
    # BLAS stores matrices by columns: it takes a matrix stored by rows for the transpose, and computes c' = b' a'.
    cdef int row_of_a = k if of_a[0] == b"N" else m
    cdef int row_of_b = n if of_b[0] == b"N" else k
    cdef floating one = 1
    if floating is double:
        dgemm(of_b, of_a, &n, &m, &k, &one, <double*>b, &row_of_b, <double*>a, &row_of_a, &beta, c, &n)
    else:
        sgemm(of_b, of_a, &n, &m, &k, &one, <float*>b, &row_of_b, <float*>a, &row_of_a, &beta, c, &n)


cdef inline floating power_of_two(floating shifted) noexcept nogil:
    """2**n, given a number that holds n in its low bits: n moves to the place of the exponent."""
    cdef floating power
    cdef uint64_t bits
    cdef uint32_t short_bits
    if floating is double:
        memcpy(&bits, &shifted, 8)
        bits = (bits + 1023) << 52
        memcpy(&power, &bits, 8)
    else:
        memcpy(&short_bits, &shifted, 4)
        short_bits = (short_bits + 127) << 23
        memcpy(&power, &short_bits, 4)
    return power


cdef inline floating exponential(floating x) noexcept nogil:
    """exp(x) for x <= 0, by arithmetic alone: unlike calls of the C library, a loop over it becomes vector code."""
    # x = n ln(2) + r for an integer n and |r| <= ln(2) / 2, so exp(x) = 2**n exp(r); exp(r) is its Taylor polynomial.
    cdef bint is_double = floating is double
    cdef int degree = 13 if is_double else 7
    cdef floating factorial = 6227020800.0 if is_double else 5040.0  # of the degree
    cdef floating lowest = -708.0 if is_double else -87.0
    cdef floating shift = 6755399441055744.0 if is_double else 12582912.0  # adding it leaves n in the low bits
    cdef floating ln2_high = 0.6931471805598903 if is_double else 0.693145752  # so short that n ln2_high is exact
    cdef floating ln2_low = 5.497923018708371e-14 if is_double else 1.42860677e-06
    cdef floating bounded = lowest if x < lowest else x
    cdef floating shifted = bounded * <floating>1.4426950408889634 + shift
    cdef floating n = shifted - shift
    cdef floating r = bounded - n * ln2_high - n * ln2_low
    cdef floating series = 1 / factorial
    cdef int i
    for i in range(degree, 0, -1):
        factorial /= i
        series = series * r + 1 / factorial
    return series * power_of_two(shifted)


cdef inline floating hyperbolic_tangent(floating x) noexcept nogil:
    """tanh(x), with an error of at most 2e-16, or 2e-7 in single precision."""
    cdef floating decay = exponential(-2 * x if x > 0 else 2 * x)
    cdef floating magnitude = (1 - decay) / (1 + decay)
    return magnitude if x > 0 else -magnitude


# ------------------------------------------------------------------------------ the algorithm


cdef void forward(
    const int[::1] x, const floating[:, ::1] Wx, const floating[:, ::1] Wh, const floating[::1] bh,
    const floating[:, ::1] Wy, const floating[::1] by, int B, floating[:, ::1] h, floating[:, ::1] y,
) noexcept nogil:
    """Compute the states h[B:] that follow the first B rows of h, and the logits y."""
    cdef int N = x.shape[0], H = Wh.shape[0], V = by.shape[0], t, first, i, j
    for t in range(N // B):
        first = t * B  # of the rows of this step
        for i in range(first, first + B):
            for j in range(H):
                h[i + B, j] = Wx[x[i], j] + bh[j]
        # h[t+1] += h[t] @ Wh                                (B, H) = (B, H) (H, H)
        add_product(&h[first, 0], &Wh[0, 0], &h[first + B, 0], B, H, H, b"N", b"N", <floating>1)
        for i in range(first + B, first + 2 * B):
            for j in range(H):
                h[i, j] = hyperbolic_tangent(h[i, j])
    for i in range(N):
        for j in range(V):
            y[i, j] = by[j]
    # y += h[1:] @ Wy                                          (T B, V) = (T B, H) (H, V)
    add_product(&h[B, 0], &Wy[0, 0], &y[0, 0], N, H, V, b"N", b"N", <floating>1)


cdef double softmax_loss(const int[::1] targets, int B, floating[:, ::1] y) noexcept nogil:
    """Return the loss, a sum over steps and a mean over streams, and turn the logits y into its gradient dy.

    -log softmax(y)[target] = log(sum of exp(y)) - y[target], with the derivative softmax(y), minus 1 at the target.
    """
    cdef int V = y.shape[1], i, j
    cdef floating largest, target_logit, total, scale
    cdef double loss = 0
    for i in range(y.shape[0]):
        largest = y[i, 0]
        for j in range(V):
            largest = y[i, j] if y[i, j] > largest else largest
        target_logit = y[i, targets[i]] - largest
        for j in range(V):
            y[i, j] = exponential(y[i, j] - largest)  # at most 1, where the gist's exp(y) overflows
        total = 0
        for j in range(V):
            total += y[i, j]
        loss += log(<double>total) - target_logit
        scale = 1 / (total * B)
        for j in range(V):
            y[i, j] *= scale
        y[i, targets[i]] -= <floating>1 / B
    return loss / B


cdef void back_propagate_output(
    const floating[:, ::1] Wy, int B, const floating[:, ::1] h, const floating[:, ::1] dy, floating[:, ::1] dh,
    floating[:, ::1] dWy, floating[::1] dby,
) noexcept nogil:
    """Compute the gradients of Wy, by and, as far as they come from each step's own loss, of the states."""
    cdef int N = dy.shape[0], H = Wy.shape[0], V = dby.shape[0], i, j
    # dWy = h[1:].T @ dy                                       (H, V) = (H, T B) (T B, V)
    add_product(&h[B, 0], &dy[0, 0], &dWy[0, 0], H, N, V, b"T", b"N", <floating>0)
    dby[:] = 0
    for i in range(N):
        for j in range(V):
            dby[j] += dy[i, j]
    # dh = dy @ Wy.T                                           (T B, H) = (T B, V) (V, H)
    add_product(&dy[0, 0], &Wy[0, 0], &dh[0, 0], N, V, H, b"N", b"T", <floating>0)


cdef void back_propagate_through_time(
    const int[::1] x, const floating[:, ::1] Wh, int B, const floating[:, ::1] h, floating[:, ::1] dz,
    floating[:, ::1] dWx, floating[:, ::1] dWh, floating[::1] dbh,
) noexcept nogil:
    """Compute the gradients of Wx, Wh and bh. dz has dh at first, and then the gradient of the arguments of tanh."""
    cdef int N = x.shape[0], H = Wh.shape[0], t, first, i, j
    dWx[:, :] = 0
    dbh[:] = 0
    for t in range(N // B - 1, -1, -1):
        first = t * B
        if first + B < N:
            # dh[t] += dz[t+1] @ Wh.T, the gist's dhnext     (B, H) = (B, H) (H, H)
            add_product(&dz[first + B, 0], &Wh[0, 0], &dz[first, 0], B, H, H, b"N", b"T", <floating>1)
        for i in range(first, first + B):
            for j in range(H):
                dz[i, j] *= 1 - h[i + B, j] * h[i + B, j]  # the derivative of tanh
            for j in range(H):
                dWx[x[i], j] += dz[i, j]
                dbh[j] += dz[i, j]
    # dWh = h[:-1].T @ dz                                      (H, H) = (H, T B) (T B, H)
    add_product(&h[0, 0], &dz[0, 0], &dWh[0, 0], H, N, H, b"T", b"N", <floating>0)


cdef inline floating clip(floating d, floating limit) noexcept nogil:
    """Limit an element of a gradient to [-limit, limit]."""
    d = limit if d > limit else d
    return -limit if d < -limit else d


cdef void adagrad(
    floating[::1] w, const floating[::1] dw, floating[::1] memory, floating limit, floating learning_rate
) noexcept nogil:
    """Add the clipped gradient's squares to `memory`, and subtract its elements over the roots of these sums from w."""
    cdef Py_ssize_t i
    cdef floating d
    for i in range(w.shape[0]):
        d = clip(dw[i], limit)
        memory[i] += d * d
        w[i] -= learning_rate * d / <floating>sqrt(memory[i] + <floating>1e-8)


def train_steps(
    floating[::1] w, floating[::1] memory, floating[:, ::1] state, const int[::1] ids, Py_ssize_t position, int T,
    int V, double learning_rate, double limit, double[::1] losses,
):
    """Take a step for each entry of `losses`, from a position in each of B parts of `ids`; return the new position."""
    cdef int B = state.shape[0], H = state.shape[1]
    cdef Py_ssize_t part = (ids.shape[0] - 1) // B  # inputs of a stream; each target is the symbol after its input
    require_fitting(w, ids, part, T, V, H, memory, position)
    dtype = np.asarray(w).dtype
    cdef floating[::1] dw = np.empty(w.shape[0], dtype)
    cdef floating[:, ::1] h = np.empty(((T + 1) * B, H), dtype), dz = np.empty((T * B, H), dtype)
    cdef floating[:, ::1] y = np.empty((T * B, V), dtype)
    cdef int[::1] x = np.empty(T * B, np.intc), targets = np.empty(T * B, np.intc)
    cdef floating[:, ::1] Wx, Wh, Wy, dWx, dWh, dWy
    cdef floating[::1] bh, by, dbh, dby
    Wx, Wh, bh, Wy, by = cut(np.asarray(w), V, H)
    dWx, dWh, dbh, dWy, dby = cut(np.asarray(dw), V, H)
    cdef Py_ssize_t step
    cdef int t, b
    with nogil:
        for step in range(losses.shape[0]):
            if position + T >= part:  # the end of the text: begin again, from a state of zeros
                position = 0
                state[:, :] = 0
            for t in range(T):
                for b in range(B):
                    x[t * B + b] = ids[b * part + position + t]
                    targets[t * B + b] = ids[b * part + position + t + 1]
            h[:B] = state
            forward(x, Wx, Wh, bh, Wy, by, B, h, y)
            losses[step] = softmax_loss(targets, B, y)
            back_propagate_output(Wy, B, h, y, dz, dWy, dby)
            back_propagate_through_time(x, Wh, B, h, dz, dWx, dWh, dbh)
            adagrad(w, dw, memory, <floating>limit, <floating>learning_rate)
            state[:, :] = h[T * B :]  # the next chunk starts from the state after this one
            position += T
    return position


def read_symbols(const floating[::1] w, floating[:, ::1] state, const int[::1] ids, int V):
    """Return the loss of the symbols after the first, and change the state to the one after all but the last."""
    cdef int N = ids.shape[0] - 1, H = state.shape[1]
    require_fitting(w, ids, N, N, V, H)
    dtype = np.asarray(w).dtype
    cdef floating[:, ::1] h = np.empty((N + 1, H), dtype), y = np.empty((N, V), dtype)
    cdef const floating[:, ::1] Wx, Wh, Wy
    cdef const floating[::1] bh, by
    cdef double loss
    Wx, Wh, bh, Wy, by = cut(np.asarray(w), V, H)
    h[0] = state[0]
    with nogil:
        forward(ids[:N], Wx, Wh, bh, Wy, by, 1, h, y)
        state[0] = h[N]
        loss = softmax_loss(ids[1:], 1, y)
    return loss
