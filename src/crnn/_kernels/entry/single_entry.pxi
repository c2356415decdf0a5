"""Entry points to single kernels: products, dropout, element-wise functions, random numbers. Part of `core`."""
from libc.stdint cimport uint64_t
from .interface cimport Dropout, UInt128
from ..inference.pcg64 cimport multiplied, next_uniform, wide


def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize, bint bfloat16=False) -> int:
    """Elements of a matrix (K, N) packed in panels, whose elements have `itemsize` bytes."""
    return kernels_for(itemsize, bfloat16).packed_elements(K, N)


def operand_size(Py_ssize_t rows, Py_ssize_t K, bint bfloat16) -> int:
    """Elements of the room for a product's left operand (rows, K): float32 numbers, if they are rounded to bfloat16."""
    return kernels_of[BFLOAT16].operand_elements(rows, K) if bfloat16 else 0


def pack_panels(W, bint transposed, bint one_row, panels, bint bfloat16=False):
    """Pack W, or its transpose, for products with one row or with many."""
    cdef Numbers w = numbers("W", W, 2, False)
    cdef const Kernels* kernels = kernels_for(w.itemsize, bfloat16)
    cdef Py_ssize_t rows = w.shape[0], columns = w.shape[1]
    cdef Py_ssize_t size = kernels.packed_elements(rows, columns)
    if transposed:
        size = kernels.packed_elements(columns, rows)
    cdef real* out = address("panels", panels, w.itemsize, (size,))
    with nogil:
        kernels.pack_matrix(w.first, rows, columns, transposed, one_row, out)


def multiply(a, panels, bint one_row, c, int times=1, room=None):
    """c += a @ W for the W packed in `panels`, `times` times, as a recurrence multiplies (for benchmarks).

    With `room`, see `operand_size`, the operands are rounded to bfloat16.
    """
    cdef Numbers left = numbers("a", a, 2, False), out = numbers("c", c, 2, True)
    cdef const Kernels* kernels = kernels_for(left.itemsize, room is not None)
    cdef Py_ssize_t M = left.shape[0], K = left.shape[1], N = out.shape[1]
    address("c", c, left.itemsize, (M, N))
    cdef real* right = address("panels", panels, left.itemsize, (kernels.packed_elements(K, N),), False)
    cdef real* rounded = NULL
    if room is not None:
        rounded = address("room", room, left.itemsize, (kernels.operand_elements(M, K),))
    with nogil:
        kernels.multiply(M, K, N, left.first, right, one_row, out.first, times, rounded)


def multiply_by_mask(a, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t first_stream):
    """a *= mask for the outputs a (T, B, H) of a layer in a training step; see `dropout`."""
    cdef Numbers out = numbers("a", a, 3, True)
    cdef Dropout drop
    drop.rate, drop.first_stream = rate, first_stream
    if out.first != NULL:
        kernels_for(out.itemsize).drop_outputs(&drop, seed, step, layer, out.shape[0], out.shape[1], out.shape[2],
                                               out.first)


def multiply_by_weight_mask(w, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t first=0):
    """w *= mask for a layer's recurrent weights from number `first` on in a training step; see `dropout`."""
    cdef Numbers out = numbers("w", w, 1, True)
    kernels_for(out.itemsize).drop_weights(rate, seed, step, layer, first, out.shape[0], out.first)


def exp(x):
    """x = exp(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).exp(a.first, a.shape[0])


def tanh(x):
    """x = tanh(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).tanh(a.first, a.shape[0])


def sigmoid(x):
    """x = 1 / (1 + exp(-x))"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).sigmoid(a.first, a.shape[0])


def rsqrt(x):
    """x = 1 / sqrt(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).rsqrt(a.first, a.shape[0])


def space_streams(uint64_t[:, ::1] states not None, const uint64_t[::1] multiplier not None,
                  const uint64_t[::1] plus not None):
    """states[i + 1] = states[i] * multiplier + plus, for generators' states as in `pcg64`."""
    cdef Py_ssize_t i
    cdef UInt128 state
    require_size("halves of a state", states.shape[1], 2)
    require_size("halves of a multiplier", multiplier.shape[0], 2)
    require_size("halves of what is added", plus.shape[0], 2)
    with nogil:
        for i in range(1, states.shape[0]):
            state = multiplied(wide(&states[i - 1, 0]), wide(&multiplier[0]), wide(&plus[0]))
            states[i, 0], states[i, 1] = state.high, state.low


def uniforms(uint64_t[:, ::1] states not None, const uint64_t[::1] increment not None, double[:, ::1] out not None):
    """out[t, i] = the next number in [0, 1) of stream i, whose state advances; see `pcg64`."""
    cdef Py_ssize_t t, i
    require_size("halves of a state", states.shape[1], 2)
    require_size("halves of an increment", increment.shape[0], 2)
    require_size("streams of output", out.shape[1], states.shape[0])
    with nogil:
        for i in range(states.shape[0]):
            for t in range(out.shape[0]):
                out[t, i] = next_uniform(&states[i, 0], wide(&increment[0]))
