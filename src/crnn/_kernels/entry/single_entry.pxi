"""Entry points to single kernels: products, random numbers and mixtures."""
from libc.math cimport log
from libc.stdint cimport uint64_t
from ..common.interface cimport UInt128
from ..inference.pcg64 cimport multiplied, next_uniform, wide


def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize, bint bfloat16=False, bint int8=False) -> int:
    """The number of elements of a matrix (K, N) packed in panels, with elements of `itemsize` bytes."""
    return kernels_for(itemsize, bfloat16, int8).packed_elements(K, N)


def operand_size(Py_ssize_t rows, Py_ssize_t K, bint bfloat16, bint int8=False) -> int:
    """The number of elements of the buffer for a product's left operand (rows, K), float32 if rounded."""
    return kernels_for(sizeof(float), bfloat16, int8).operand_elements(rows, K)


def pack_panels(W, bint transposed, bint one_row, panels, bint bfloat16=False, scales=None):
    """Pack W, or its transpose, for products with one row or many.

    If `scales` of its columns are given, W (not transposed) contains 8-bit integers.
    """
    cdef Numbers w = numbers("W", W, 2, False)
    cdef const Kernels* kernels = kernels_for(w.itemsize, bfloat16, scales is not None)
    cdef Py_ssize_t rows = w.shape[0], columns = w.shape[1]
    cdef Py_ssize_t size = kernels.packed_elements(rows, columns)
    cdef const real* of_columns = NULL
    if transposed:
        size = kernels.packed_elements(columns, rows)
    if scales is not None:
        of_columns = address("scales", scales, w.itemsize, (columns,), False)
    cdef real* out = address("panels", panels, w.itemsize, (size,))
    with nogil:
        kernels.pack_matrix(w.first, rows, columns, transposed, one_row, out)
        if of_columns != NULL and not transposed:
            kernels.head_matrix(rows, columns, one_row, of_columns, out)


def multiply(a, panels, bint one_row, c, room=None, bint int8=False):
    """c += a @ W for the W packed in `panels`.

    If `room` is given, see `operand_size`, the operands are rounded to bfloat16 or, with `int8`, to integers.
    """
    cdef Numbers left = numbers("a", a, 2, False), out = numbers("c", c, 2, True)
    cdef const Kernels* kernels = kernels_for(left.itemsize, room is not None and not int8, int8)
    cdef Py_ssize_t M = left.shape[0], K = left.shape[1], N = out.shape[1]
    address("c", c, left.itemsize, (M, N))
    cdef real* right = address("panels", panels, left.itemsize, (kernels.packed_elements(K, N),), False)
    cdef real* rounded = NULL
    if room is not None or int8:
        rounded = address("room", room, left.itemsize, (kernels.operand_elements(M, K),))
    with nogil:
        kernels.multiply(M, K, N, left.first, right, one_row, out.first, rounded)


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


# ------------------------------------------------------------------------------------------------- mixtures


cdef inline void add_row(double factor, const Numbers* logits, Py_ssize_t i, Py_ssize_t V, double* row) noexcept nogil:
    """row += factor times row i of some logits, float32 or float64, for the first V symbols"""
    cdef Py_ssize_t w, start = i * logits.shape[1]
    cdef const float* single = <const float*>logits.first
    cdef const double* exact = <const double*>logits.first
    if logits.itemsize == <Py_ssize_t>sizeof(float):
        for w in range(V):
            row[w] += factor * single[start + w]
    else:
        for w in range(V):
            row[w] += factor * exact[start + w]


def mixture_log_probabilities(tuple logits not None, const double[:, ::1] weights not None,
                              const int[::1] classes not None, const int[::1] x not None,
                              double[::1] row not None, double[::1] out not None):
    """out[i] = log softmax(sum_k weights[classes[i], k] logits[k][i])[x[i]]

    Each of up to 64 `logits` is (n, V), possibly with extra columns, which are ignored; `row` (V,) is scratch.
    """
    cdef Numbers rows[64]
    cdef Py_ssize_t i, k, w, n = x.shape[0], V = row.shape[0], members = len(logits)
    cdef double largest, total, at_target
    cdef const Kernels* kernels = kernels_for(sizeof(double))
    if not 1 <= members <= 64:
        raise ValueError(f"a mixture has 1 to 64 members, not {members}")
    require_size("weights", weights.shape[1], members)
    require_size("classes", classes.shape[0], n)
    require_size("output", out.shape[0], n)
    for k in range(members):
        rows[k] = numbers("logits", logits[k], 2, False)
        require_size("rows of logits", rows[k].shape[0], n)
        if rows[k].shape[1] < V:
            raise ValueError(f"logits must have at least {V} columns, one per symbol, not {rows[k].shape[1]}")
    for i in range(n):
        if not 0 <= x[i] < V:
            raise ValueError(f"ids must be from 0 to {V - 1}, below the vocabulary's size {V}")
        if not 0 <= classes[i] < weights.shape[0]:
            raise ValueError(f"classes must be from 0 to {weights.shape[0] - 1}")
    with nogil:
        for i in range(n):
            for w in range(V):
                row[w] = 0
            for k in range(members):
                if weights[classes[i], k] != 0:  # 0 times -inf would be NaN
                    add_row(weights[classes[i], k], &rows[k], i, V, &row[0])
            largest = row[0]
            for w in range(1, V):
                largest = max(largest, row[w])
            for w in range(V):
                row[w] -= largest
            at_target, total = row[x[i]], 0
            kernels.exp(<real*>&row[0], V)
            for w in range(V):
                total += row[w]
            out[i] = at_target - log(total)
