"""Entry points to single kernels: products, random numbers and mixtures."""
from libc.math cimport isfinite, log
from libc.stdint cimport uint64_t
from ..common.interface cimport UInt128
from ..inference.pcg64 cimport multiplied, next_uniform, wide


def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize, bint bfloat16=False, bint int8=False) -> int:
    """Return the number of elements of a matrix (K, N) packed in panels, with elements of `itemsize` bytes."""
    return kernels_for(itemsize, bfloat16=bfloat16, int8=int8).packed_elements(K, N)


def operand_size(Py_ssize_t rows, Py_ssize_t K, bint bfloat16, bint int8=False) -> int:
    """Return the number of elements of the buffer for a product's left operand (rows, K), float32 if rounded."""
    return kernels_for(sizeof(float), bfloat16=bfloat16, int8=int8).operand_elements(rows, K)


def pack_panels(W, bint transposed, bint one_row, panels, bint bfloat16=False, scales=None):
    """Pack W, or its transpose, for products with one row or many.

    If `scales` of its columns are given, W (not transposed) contains 8-bit integers.
    """
    cdef Numbers w = numbers("W", W, 2, writable=False)
    cdef const Kernels* kernels = kernels_for(w.itemsize, bfloat16=bfloat16, int8=scales is not None)
    cdef Py_ssize_t rows = w.shape[0]
    cdef Py_ssize_t columns = w.shape[1]
    cdef Py_ssize_t size = kernels.packed_elements(rows, columns)
    cdef const real* of_columns = NULL
    if transposed:
        size = kernels.packed_elements(columns, rows)
    if scales is not None:
        of_columns = address("scales", scales, w.itemsize, (columns,), writable=False)
    cdef real* out = address("panels", panels, w.itemsize, (size,))
    with nogil:
        kernels.pack_matrix(w.first, rows, columns, transposed, one_row, out)
        if of_columns != NULL and not transposed:
            kernels.head_matrix(rows, columns, one_row, of_columns, out)


def multiply(a, panels, bint one_row, c, room=None, bint int8=False):
    """c += a @ W for the W packed in `panels`.

    If `room` is given, see `operand_size`, the operands are rounded to bfloat16 or, with `int8`, to integers.
    """
    cdef Numbers left = numbers("a", a, 2, writable=False)
    cdef Numbers out = numbers("c", c, 2, writable=True)
    cdef const Kernels* kernels = kernels_for(left.itemsize, bfloat16=room is not None and not int8, int8=int8)
    cdef Py_ssize_t M = left.shape[0]
    cdef Py_ssize_t K = left.shape[1]
    cdef Py_ssize_t N = out.shape[1]
    address("c", c, left.itemsize, (M, N))
    cdef real* right = address("panels", panels, left.itemsize, (kernels.packed_elements(K, N),), writable=False)
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
            states[i, 0] = state.high
            states[i, 1] = state.low


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
    cdef Py_ssize_t start = i * logits.shape[1]
    cdef const float* single = <const float*>logits.first
    cdef const double* exact = <const double*>logits.first
    cdef Py_ssize_t w
    if logits.itemsize == <Py_ssize_t>sizeof(float):
        for w in range(V):
            row[w] += factor * single[start + w]
    else:
        for w in range(V):
            row[w] += factor * exact[start + w]


cdef double mix_row(const Numbers* rows, const double* weights, int members, Py_ssize_t i, int x, Py_ssize_t V,
                    const Kernels* kernels, double* row) noexcept nogil:
    """Return log softmax(sum_k weights[k] rows[k][i])[x]; row (V,) becomes a multiple of the softmax."""
    cdef Py_ssize_t w
    cdef int k
    cdef double largest, at_target
    cdef double total = 0
    for w in range(V):
        row[w] = 0
    for k in range(members):
        if weights[k] != 0:  # 0 times -inf would be NaN
            add_row(weights[k], &rows[k], i, V, row)
    largest = row[0]
    for w in range(1, V):
        largest = max(largest, row[w])
    for w in range(V):
        row[w] -= largest
    at_target = row[x]
    kernels.exp(<real*>row, V)
    for w in range(V):
        total += row[w]
    return at_target - log(total)


cdef inline double number_at(const Numbers* logits, Py_ssize_t i, Py_ssize_t w) noexcept nogil:
    """Return element w of row i of some logits, float32 or float64."""
    if logits.itemsize == <Py_ssize_t>sizeof(float):
        return (<const float*>logits.first)[i * logits.shape[1] + w]
    return (<const double*>logits.first)[i * logits.shape[1] + w]


cdef void move_weights(const Numbers* rows, double* weights, int members, Py_ssize_t i, int x, Py_ssize_t V,
                       double rate, double limit, const double* row) noexcept nogil:
    """weights[k] = max(0, weights[k] - rate * clip(p @ rows[k][i] - rows[k][i, x], -limit, limit)), p = row / sum(row)

    An infinite derivative leaves its weight: the member forbids a symbol that the mixture allows, or the target.
    """
    cdef Py_ssize_t w
    cdef int k
    cdef double derivative, at_target
    cdef double total = 0
    for w in range(V):
        total += row[w]
    for k in range(members):
        at_target = number_at(&rows[k], i, x)
        derivative = 0
        for w in range(V):
            if row[w] != 0:  # 0 times -inf would be NaN
                derivative += row[w] * (number_at(&rows[k], i, w) - at_target)
        derivative /= total
        if isfinite(derivative):
            weights[k] = max(0.0, weights[k] - rate * min(max(derivative, -limit), limit))


cdef int mixed_numbers(tuple logits, Py_ssize_t classes_of_weights, Py_ssize_t columns, const int[::1] classes,
                       const int[::1] x, Py_ssize_t V, Numbers* rows) except -1:
    """rows[k] = the numbers of logits[k], checked; return how many there are"""
    cdef Py_ssize_t n = x.shape[0]
    cdef Py_ssize_t members = len(logits)
    cdef Py_ssize_t i, k
    if not 1 <= members <= 64:
        raise ValueError(f"a mixture has 1 to 64 members, not {members}")
    require_size("weights", columns, members)
    require_size("classes", classes.shape[0], n)
    for k in range(members):
        rows[k] = numbers("logits", logits[k], 2, writable=False)
        require_size("rows of logits", rows[k].shape[0], n)
        if rows[k].shape[1] < V:
            raise ValueError(f"logits must have at least {V} columns, one per symbol, not {rows[k].shape[1]}")
    for i in range(n):
        if not 0 <= x[i] < V:
            raise ValueError(f"ids must be from 0 to {V - 1}, below the vocabulary's size {V}")
        if not 0 <= classes[i] < classes_of_weights:
            raise ValueError(f"classes must be from 0 to {classes_of_weights - 1}")
    return <int>members


def mixture_log_probabilities(tuple logits not None, const double[:, ::1] weights not None,
                              const int[::1] classes not None, const int[::1] x not None,
                              double[::1] row not None, double[::1] out not None):
    """out[i] = log softmax(sum_k weights[classes[i], k] logits[k][i])[x[i]]

    Each of up to 64 `logits` is (n, V), possibly with extra columns, which are ignored; `row` (V,) is scratch.
    """
    cdef Numbers rows[64]
    cdef Py_ssize_t n = x.shape[0]
    cdef Py_ssize_t V = row.shape[0]
    cdef Py_ssize_t i
    cdef const Kernels* kernels = kernels_for(sizeof(double))
    cdef int members = mixed_numbers(logits, weights.shape[0], weights.shape[1], classes, x, V, rows)
    require_size("output", out.shape[0], n)
    with nogil:
        for i in range(n):
            out[i] = mix_row(rows, &weights[classes[i], 0], members, i, x[i], V, kernels, &row[0])


def moving_mixture_log_probabilities(tuple logits not None, double[:, ::1] weights not None,
                                     const int[::1] classes not None, const int[::1] x not None, double rate,
                                     double limit, double[::1] row not None, double[:, ::1] used not None,
                                     double[::1] out not None):
    """out[i] as in `mixture_log_probabilities`, then weights[classes[i]] takes a step against its derivative

    used[i] (K,) = the weights that predicted x[i]; see `move_weights`.
    """
    cdef Numbers rows[64]
    cdef Py_ssize_t n = x.shape[0]
    cdef Py_ssize_t V = row.shape[0]
    cdef Py_ssize_t i, k
    cdef const Kernels* kernels = kernels_for(sizeof(double))
    cdef int members = mixed_numbers(logits, weights.shape[0], weights.shape[1], classes, x, V, rows)
    cdef double* of_class
    require_size("output", out.shape[0], n)
    require_size("used weights", used.shape[0], n)
    require_size("columns of used weights", used.shape[1], members)
    with nogil:
        for i in range(n):
            of_class = &weights[classes[i], 0]
            for k in range(members):
                used[i, k] = of_class[k]
            out[i] = mix_row(rows, of_class, members, i, x[i], V, kernels, &row[0])
            move_weights(rows, of_class, members, i, x[i], V, rate, limit, &row[0])
