"""The embedding below the first layer: z = Emb[x] Wx + bh, with Emb (V, E) and Wx (E, G H).

A chunk contains most of its symbols several times. Emb[x] Wx is therefore computed once per distinct symbol, into a
table (n, G H), where the first layer looks up its input (see `input_tables`). In the backward pass, each symbol's sum
of dz replaces its row. Symbols are numbered in order of their first occurrence, so that no sum depends on the threads.

Inference needs nothing here: when the network is packed, the table of all symbols replaces Wx.
"""
from libc.string cimport memcpy, memset
from ..common.interface cimport SYMBOLS, EmbeddingArrays, Network, Weights, Workspace, real
from ..products.blas cimport add_product, transposed_product
from ..products.panels cimport Range, as_operand, multiply_panels, operand_rows
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport columns_of_thread, share_of_thread, wait_for_group
from .row_products cimport add_column_sums, add_packed_gradient, clear_rows, multiply_rows_back
from .workspace cimport BLOCK_ROWS


cdef inline const real* lookup_table(const Weights* w, const Workspace* work) noexcept nogil:
    """Return the first layer's lookup table: rows of G H columns."""
    return work.embedding.table if w.net.dims.E else w.p + w.net.layer[0].Wx


cdef inline real* lookup_gradient(const Network* net, const Workspace* work) noexcept nogil:
    """Return the gradient of `lookup_table`."""
    return work.embedding.table if net.dims.E else work.d + net.layer[0].Wx


cdef inline const int* lookup_rows(const Network* net, const Workspace* work, const int* x,
                                   Py_ssize_t t) noexcept nogil:
    """Return the rows of `lookup_table` read by time step t of the symbols x, (B,)."""
    if net.dims.E:
        x = work.embedding.rows
    return x + t * work.B


cdef inline void number_symbols(const Network* net, Workspace* work) noexcept nogil:
    """rows[t, b] = the number of x[t, b] among the chunk's symbols, listed in `symbols`; this sets `occurs`, too."""
    cdef EmbeddingArrays* chunk = &work.embedding
    cdef unsigned char* occurs = work.inputs.occurs
    cdef Py_ssize_t i
    cdef int v
    chunk.n_symbols = 0
    memset(occurs, 0, net.dims.V)
    for i in range(work.T * work.B):
        v = work.x[i]
        if not occurs[v]:
            occurs[v] = True
            chunk.numbers[v] = <int>chunk.n_symbols
            chunk.symbols[chunk.n_symbols] = v
            chunk.n_symbols += 1
        chunk.rows[i] = chunk.numbers[v]


cdef inline void embed_symbols(const Weights* w, Workspace* work) noexcept nogil:
    """table = Emb[symbols] @ Wx                       (n, G H) = (n, E) (E, G H)"""
    cdef EmbeddingArrays* chunk = &work.embedding
    cdef Py_ssize_t E = w.net.dims.E
    cdef const real* embedding = w.p + w.net.inputs.table[SYMBOLS].place
    cdef Py_ssize_t i, r, count, stop
    cdef Range part
    number_symbols(w.net, work)
    part = share_of_thread(&work.group, chunk.n_symbols)
    stop = part.first + part.count
    for i in range(part.first, stop):
        memcpy(chunk.vectors + i * E, embedding + chunk.symbols[i] * E, E * sizeof(real))
    r = part.first
    while r < stop and not is_canceled(work):
        count = min(<Py_ssize_t>BLOCK_ROWS, stop - r)
        multiply_vectors(w, work, r, count)
        r += count
    wait_for_group(&work.group)


cdef inline void multiply_vectors(const Weights* w, const Workspace* work, Py_ssize_t first,
                                  Py_ssize_t count) noexcept nogil:
    """table[first:first + count] = vectors[first:first + count] @ Wx      (count, G H) = (count, E) (E, G H)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t E = net.dims.E
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef const real* vectors = work.embedding.vectors + first * E
    cdef real* table = work.embedding.table + first * N
    cdef operand_rows a
    clear_rows(count, N, table, N)
    if net.packing.gemm != NULL:
        add_product(net.packing.gemm, count, N, E, vectors, E, w.p + net.layer[0].Wx, N, table, N)
        return
    a = as_operand(count, E, vectors, E, work.scratch)
    multiply_panels(count, E, N, a.first, a.stride, w.panels + net.layer[0].Wx_panels, net.packing.max_row_vectors,
                    table, N)


cdef inline void clear_table(const Network* net, const Workspace* work) noexcept nogil:
    """table = 0: the thread's units, before the gradients of the table are summed"""
    cdef Py_ssize_t H = net.dims.H
    cdef Range units = columns_of_thread(&work.group, H)
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        clear_rows(work.embedding.n_symbols, units.count, work.embedding.table + g * H + units.first, net.dims.G * H)


cdef inline void embed_symbols_back(const Weights* w, const Workspace* work) noexcept nogil:
    """dbh = dtable.sum(axis=0); dEmb[symbols] = dtable @ Wx.T; dWx = Emb[symbols].T @ dtable

    (G H,) = (n, G H);  (n, E) = (n, G H) (E, G H)';  (E, G H) = (n, E)' (n, G H)
    """
    cdef const Network* net = w.net
    cdef const EmbeddingArrays* chunk = &work.embedding
    cdef Py_ssize_t E = net.dims.E
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Range part = columns_of_thread(&work.group, N)
    cdef real* dtable = chunk.table + part.first
    cdef real* dWx = work.d + net.layer[0].Wx + part.first
    add_column_sums(dtable, chunk.n_symbols, part.count, N, work.d + net.layer[0].bh + part.first)
    multiply_vectors_back(w, work)
    if net.packing.gemm != NULL:
        transposed_product(net.packing.gemm, E, part.count, chunk.n_symbols, chunk.vectors, E, dtable, N, dWx, N)
    else:
        add_packed_gradient(work, chunk.n_symbols, E, part.count, chunk.vectors, E, dtable, N, dWx, N)


cdef inline void multiply_vectors_back(const Weights* w, const Workspace* work) noexcept nogil:
    """dEmb[symbols] = dtable @ Wx.T                   (n, E) = (n, G H) (E, G H)': the thread's share of the symbols"""
    cdef const Network* net = w.net
    cdef const EmbeddingArrays* chunk = &work.embedding
    cdef Py_ssize_t E = net.dims.E
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Range part = share_of_thread(&work.group, chunk.n_symbols)
    cdef Py_ssize_t stop = part.first + part.count
    cdef real* dvectors = chunk.vectors + chunk.vectors_stride
    cdef real* dEmb = work.d + net.inputs.table[SYMBOLS].place
    cdef Py_ssize_t r = part.first
    cdef Py_ssize_t i, count
    while r < stop and not is_canceled(work):
        count = min(<Py_ssize_t>BLOCK_ROWS, stop - r)
        multiply_rows_back(work, count, N, E, chunk.table + r * N, N, w.panels + net.layer[0].WxT_panels,
                           net.packing.max_row_vectors, dvectors + r * E, E)
        r += count
    for i in range(part.first, stop):
        memcpy(dEmb + chunk.symbols[i] * E, dvectors + i * E, E * sizeof(real))
