"""The sampled softmax, see `docs/mathematics.md`: a chunk's candidates are its m targets' symbols and n drawn ones.

The factor (V - m) / n of the drawn symbols is added to their logits as its logarithm, so that the usual softmax
follows, over m + n columns. These are gathered from Wy (H, V) and packed anew for each chunk; their gradient is summed
separately and then scattered. A hash of the seed, the training step and the shard's first stream draws the symbols.
"""
# The same in NumPy: `reference/sampled_softmax.py`.
from libc.math cimport log
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from ..common.interface cimport CANDIDATE_UNIT, Candidates, Network, Weights, Workspace, real
from ..products.panels cimport Range, as_operand, depth_of, multiply_panels, operand_rows, pack, pack_transposed
from ..threads.thread_group cimport columns_of_thread, wait_for_group
from .dropout cimport UNIT_STEP, mix
from .row_products cimport add_column_sums, add_packed_gradient, clear_rows, multiply_rows_back, set_rows

cdef enum:
    SAMPLE_PLACE = 0xC2B2AE35  # where `apply_dropout` has layer and time step, which never reach this value


cdef inline Py_ssize_t logits_of_row(const Network* net, const Workspace* work) noexcept nogil:
    """Return the elements from one row of logits to the next."""
    return work.sampled.n_candidates if net.decoder.sampled else net.dims.V


cdef inline const int* target_places(const Network* net, const Workspace* work) noexcept nogil:
    """Return the positions of the targets in their rows of logits, (T, B)."""
    return work.sampled.targets if net.decoder.sampled else work.x + work.B


cdef inline void choose_candidates(const Network* net, Workspace* work) noexcept nogil:
    """Set the candidates, starting with the targets' symbols in order, and the targets' positions among them."""
    cdef Candidates* chosen = &work.sampled
    cdef Py_ssize_t V = net.dims.V
    cdef Py_ssize_t wanted
    number_targets(net, work)
    wanted = chosen.n_occurring + net.decoder.sampled
    chosen.n_candidates = min(V, (wanted + CANDIDATE_UNIT - 1) // CANDIDATE_UNIT * CANDIDATE_UNIT)
    draw_candidates(chosen, V, candidates_key(work))


cdef inline uint32_t candidates_key(const Workspace* work) noexcept nogil:
    """Return the key for drawing a chunk's candidates."""
    return mix(mix(work.dropout.step_key ^ <uint32_t>SAMPLE_PLACE) ^ <uint32_t>work.dropout.first_stream)


cdef inline void number_targets(const Network* net, Workspace* work) noexcept nogil:
    """candidates = the distinct targets in order; targets[t, b] = the position of x[t + 1, b] among these"""
    cdef Candidates* chosen = &work.sampled
    cdef int* places = chosen.places
    cdef Py_ssize_t m = 0
    cdef Py_ssize_t i
    cdef int v
    memset(places, 0xFF, net.dims.V * sizeof(int))  # -1: none yet
    for i in range(work.T * work.B):
        v = work.x[work.B + i]
        if places[v] < 0:
            places[v] = <int>m
            chosen.candidates[m] = v
            m += 1
        chosen.targets[i] = places[v]
    chosen.n_occurring = m


cdef inline void draw_candidates(Candidates* chosen, Py_ssize_t V, uint32_t key) noexcept nogil:
    """Draw symbols that are no targets until there are `n_candidates`.

    The probability wanted / left draws exactly as many as wanted (Knuth, "Seminumerical Algorithms", 3.4.2).
    """
    cdef Py_ssize_t m = chosen.n_occurring
    cdef Py_ssize_t left = V - m
    cdef Py_ssize_t wanted = chosen.n_candidates - m
    cdef uint32_t number
    cdef int v
    for v in range(<int>V):
        if chosen.places[v] >= 0:
            continue
        number = mix(key + <uint32_t>v * <uint32_t>UNIT_STEP) >> 8
        if <uint64_t>number * <uint64_t>left < <uint64_t>wanted << 24:
            chosen.candidates[m] = v
            m += 1
            wanted -= 1
        left -= 1


cdef inline void gather_candidates(const Weights* w, Workspace* work) noexcept nogil:
    """columns = Wy[:, candidates], packed both ways; bias = by[candidates] + log((V - m) / n) for those drawn"""
    cdef Candidates* chosen = &work.sampled
    cdef Py_ssize_t C
    cdef Range units = columns_of_thread(&work.group, w.net.dims.H)
    cdef Range part
    choose_candidates(w.net, work)
    C = chosen.n_candidates
    part = columns_of_thread(&work.group, C)
    gather_bias(w, chosen, part)
    gather_columns(w, chosen, units)
    clear_rows(units.count, C, chosen.dcolumns + units.first * C, C)
    clear_rows(1, part.count, chosen.dbias + part.first, part.count)
    wait_for_group(&work.group)


cdef inline void gather_bias(const Weights* w, const Candidates* chosen, Range part) noexcept nogil:
    """bias = by[candidates] + log((V - m) / n) for those drawn         (C,): one part"""
    cdef Py_ssize_t m = chosen.n_occurring
    cdef Py_ssize_t n = chosen.n_candidates - m
    cdef const real* by = w.p + w.net.decoder.by
    cdef real more = 0
    cdef Py_ssize_t j
    if n > 0:
        more = <real>log(<double>(w.net.dims.V - m) / <double>n)
    for j in range(part.first, part.first + part.count):
        chosen.bias[j] = by[chosen.candidates[j]] + (more if j >= m else 0)


cdef inline void gather_columns(const Weights* w, const Candidates* chosen, Range units) noexcept nogil:
    """columns = Wy[:, candidates], packed both ways   (H, C): the thread's units"""
    cdef const Network* net = w.net
    cdef Py_ssize_t C = chosen.n_candidates
    cdef Py_ssize_t stop = units.first + units.count
    cdef Py_ssize_t r, j
    cdef const real* row
    cdef real* out
    for r in range(units.first, stop):
        row = w.p + net.decoder.Wy + r * net.dims.V
        out = chosen.columns + r * C
        for j in range(C):
            out[j] = row[chosen.candidates[j]]
    pack(chosen.columns, net.dims.units, C, C, net.packing.max_row_vectors, units.first, stop, chosen.panels)
    pack_transposed(chosen.columns + units.first * C, C, units.count, net.packing.max_row_vectors, 0, units.count,
                    chosen.panels_back + depth_of(C) * units.first)


cdef inline void decode_candidates(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                   real* y) noexcept nogil:
    """y = h @ columns + bias                          (rows, C) = (rows, H) (H, C)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t C = work.sampled.n_candidates
    cdef operand_rows a = as_operand(rows, net.dims.H, h, net.dims.H, work.scratch)
    set_rows(work.sampled.bias, rows, C, y, C)
    multiply_panels(rows, net.dims.units, C, a.first, a.stride, work.sampled.panels, net.packing.max_row_vectors, y, C)


cdef inline void decode_candidates_back(const Weights* w, const Workspace* work, Py_ssize_t rows, const real* h,
                                        const real* dy, real* dh) noexcept nogil:
    """dcolumns += h.T @ dy; dbias += dy.sum(axis=0); dh = dy @ columns.T     the thread's part

    (H, C) += (rows, H)' (rows, C);  (C,) += (rows, C);  (rows, H) = (rows, C) (H, C)'
    """
    cdef const Candidates* chosen = &work.sampled
    cdef Py_ssize_t H = w.net.dims.H
    cdef Py_ssize_t C = chosen.n_candidates
    cdef Range units = columns_of_thread(&work.group, H)
    cdef Range part = columns_of_thread(&work.group, C)
    add_packed_gradient(work, rows, units.count, C, h + units.first, H, dy, C, chosen.dcolumns + units.first * C, C)
    add_column_sums(dy + part.first, rows, part.count, C, chosen.dbias + part.first)
    multiply_rows_back(work, rows, C, units.count, dy, C, chosen.panels_back + depth_of(C) * units.first,
                       w.net.packing.max_row_vectors, dh + units.first, H)


cdef inline void scatter_candidates(const Network* net, const Workspace* work) noexcept nogil:
    """dWy[:, candidates] = dcolumns; dby[candidates] = dbias                 the thread's part; the rest is zeros"""
    cdef const Candidates* chosen = &work.sampled
    cdef Py_ssize_t C = chosen.n_candidates
    cdef Range units = columns_of_thread(&work.group, net.dims.H)
    cdef Range part = columns_of_thread(&work.group, C)
    cdef real* dby = work.d + net.decoder.by
    cdef real* row
    cdef Py_ssize_t r, j
    for r in range(units.first, units.first + units.count):
        row = work.d + net.decoder.Wy + r * net.dims.V
        for j in range(C):
            row[chosen.candidates[j]] = chosen.dcolumns[r * C + j]
    for j in range(part.first, part.first + part.count):
        dby[chosen.candidates[j]] = chosen.dbias[j]
