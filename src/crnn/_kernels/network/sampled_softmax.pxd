"""The sampled softmax, see `docs/mathematics.md`: a chunk's candidates are its m targets' symbols and n drawn ones.

The factor (V - m) / n of the drawn symbols is added to their logits as its logarithm, so that the usual softmax
follows, over m + n columns. These are gathered from Wy (H, V) and packed anew for each chunk; their gradient is summed
separately and then scattered. A hash of the seed, the training step and the shard's first stream draws the symbols.
"""
# The same in NumPy: `reference/sampled_softmax.py`.
from libc.math cimport log
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from ..common.interface cimport CANDIDATE_UNIT, Network, Weights, Workspace, real
from ..products.panels cimport Range, as_operand, depth_of, multiply_panels, operand_rows, pack, pack_transposed
from ..threads.thread_group cimport own_columns, wait_for_group
from .dropout cimport UNIT_STEP, mix
from .row_products cimport add_column_sums, add_packed_gradient, clear_rows, multiply_rows_back, set_rows

cdef enum:
    SAMPLE_PLACE = 0xC2B2AE35  # where `apply_dropout` has layer and time step, which never reach this value


cdef inline Py_ssize_t logits_of_row(const Network* net, const Workspace* work) noexcept nogil:
    """Elements from one row of logits to the next."""
    return work.n_candidates if net.sampled else net.V


cdef inline const int* target_places(const Network* net, const Workspace* work) noexcept nogil:
    """The positions of the targets in their rows of logits, (T, B)."""
    return work.targets if net.sampled else work.x + work.B


cdef inline void choose_candidates(const Network* net, Workspace* work) noexcept nogil:
    """Set the candidates, starting with the targets' symbols in order, and the targets' positions among them."""
    cdef Py_ssize_t i, m = 0, left, wanted
    cdef int v
    cdef int* place = work.candidate_places
    cdef uint32_t key = mix(mix(work.dropout.step_key ^ <uint32_t>SAMPLE_PLACE) ^ <uint32_t>work.dropout.first_stream)
    memset(place, 0xFF, net.V * sizeof(int))  # -1: none yet
    for i in range(work.T * work.B):
        v = work.x[work.B + i]
        if place[v] < 0:
            place[v] = <int>m
            work.candidates[m] = v
            m += 1
        work.targets[i] = place[v]
    work.n_occurring = m
    left = net.V - m
    work.n_candidates = min(net.V, (m + net.sampled + CANDIDATE_UNIT - 1) // CANDIDATE_UNIT * CANDIDATE_UNIT)
    wanted = work.n_candidates - m
    for v in range(<int>net.V):
        # The probability wanted / left draws exactly as many as wanted (Knuth, "Seminumerical Algorithms", 3.4.2).
        if place[v] >= 0:
            continue
        if <uint64_t>(mix(key + <uint32_t>v * <uint32_t>UNIT_STEP) >> 8) * <uint64_t>left < <uint64_t>wanted << 24:
            work.candidates[m] = v
            m += 1
            wanted -= 1
        left -= 1


cdef inline void gather_candidates(const Weights* w, Workspace* work) noexcept nogil:
    """columns = Wy[:, candidates], packed both ways; bias = by[candidates] + log((V - m) / n) for those drawn"""
    cdef const Network* net = w.net
    cdef Py_ssize_t r, j, C, m, V = net.V
    cdef Range own = own_columns(&work.group, net.H), part
    cdef const real* row
    cdef real* out
    cdef real more = 0
    choose_candidates(net, work)
    C, m, part = work.n_candidates, work.n_occurring, own_columns(&work.group, work.n_candidates)
    if C > m:
        more = <real>log(<double>(V - m) / <double>(C - m))
    for j in range(part.first, part.first + part.count):
        work.column_bias[j] = w.p[net.by + work.candidates[j]] + (more if j >= m else 0)
    for r in range(own.first, own.first + own.count):
        row, out = w.p + net.Wy + r * V, work.columns + r * C
        for j in range(C):
            out[j] = row[work.candidates[j]]
    pack(work.columns, net.units, C, C, net.max_row_vectors, own.first, own.first + own.count, work.column_panels)
    pack_transposed(work.columns + own.first * C, C, own.count, net.max_row_vectors, 0, own.count,
                    work.column_panels_back + depth_of(C) * own.first)
    clear_rows(own.count, C, work.dcolumns + own.first * C, C)
    clear_rows(1, part.count, work.dcolumn_bias + part.first, part.count)
    wait_for_group(&work.group)


cdef inline void decode_candidates(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                   real* y) noexcept nogil:
    """y = h @ columns + bias                          (rows, C) = (rows, H) (H, C)"""
    cdef Py_ssize_t H = w.net.H, C = work.n_candidates
    cdef operand_rows a = as_operand(rows, H, h, H, work.scratch)
    set_rows(work.column_bias, rows, C, y, C)
    multiply_panels(rows, w.net.units, C, a.first, a.stride, work.column_panels, w.net.max_row_vectors, y, C)


cdef inline void decode_candidates_back(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                        const real* dy, real* dh) noexcept nogil:
    """dcolumns += h.T @ dy; dbias += dy.sum(axis=0); dh = dy @ columns.T     the thread's part

    (H, C) += (rows, H)' (rows, C);  (C,) += (rows, C);  (rows, H) = (rows, C) (H, C)'
    """
    cdef Py_ssize_t H = w.net.H, C = work.n_candidates
    cdef Range own = own_columns(&work.group, H), part = own_columns(&work.group, C)
    add_packed_gradient(work, rows, own.count, C, h + own.first, H, dy, C, work.dcolumns + own.first * C, C)
    add_column_sums(dy + part.first, rows, part.count, C, work.dcolumn_bias + part.first)
    multiply_rows_back(work, rows, C, own.count, dy, C, work.column_panels_back + depth_of(C) * own.first,
                       w.net.max_row_vectors, dh + own.first, H)


cdef inline void scatter_candidates(const Network* net, const Workspace* work) noexcept nogil:
    """dWy[:, candidates] = dcolumns; dby[candidates] = dbias                 the thread's part; the rest is zeros"""
    cdef Py_ssize_t r, j, C = work.n_candidates
    cdef Range own = own_columns(&work.group, net.H), part = own_columns(&work.group, C)
    cdef real* row
    for r in range(own.first, own.first + own.count):
        row = work.d + net.Wy + r * net.V
        for j in range(C):
            row[work.candidates[j]] = work.dcolumns[r * C + j]
    for j in range(part.first, part.first + part.count):
        work.d[net.by + work.candidates[j]] = work.dcolumn_bias[j]
