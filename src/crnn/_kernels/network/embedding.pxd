"""The embedding below the first layer: z = Emb[x] Wx + bh, with Emb (V, E) and Wx (E, G H).

A chunk contains most of its symbols several times. Emb[x] Wx is therefore computed once per distinct symbol, into a
table (n, G H), where the first layer looks up its input (see `input_tables`). In the backward pass, each symbol's sum
of dz replaces its row. Symbols are numbered in order of their first occurrence, so that no sum depends on the threads.

Inference needs nothing here: when the network is packed, the table of all symbols replaces Wx.
"""
from libc.string cimport memcpy, memset
from ..common.interface cimport SYMBOLS, Network, Weights, Workspace, real
from ..products.blas cimport add_product, transposed_product
from ..products.panels cimport Range, as_operand, multiply_panels, operand_rows
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport own_columns, own_share, wait_for_group
from .row_products cimport add_column_sums, add_packed_gradient, clear_rows, multiply_rows_back
from .workspace cimport BLOCK_ROWS


cdef inline const real* lookup_table(const Weights* w, const Workspace* work) noexcept nogil:
    """The first layer's lookup table: rows of G H columns."""
    return work.table if w.net.E else w.p + w.net.layer[0].Wx


cdef inline real* lookup_gradient(const Network* net, const Workspace* work) noexcept nogil:
    """The gradient of `lookup_table`."""
    return work.table if net.E else work.d + net.layer[0].Wx


cdef inline const int* lookup_rows(const Network* net, const Workspace* work, const int* x,
                                   Py_ssize_t t) noexcept nogil:
    """The rows of `lookup_table` read by time step t of the symbols x, (B,)."""
    if net.E:
        x = work.rows
    return x + t * work.B


cdef inline void number_symbols(const Network* net, Workspace* work) noexcept nogil:
    """rows[t, b] = the number of x[t, b] among the chunk's symbols, listed in `symbols`; this sets `occurs`, too."""
    cdef Py_ssize_t i
    cdef int v
    work.n_symbols = 0
    memset(work.occurs, False, net.V)
    for i in range(work.T * work.B):
        v = work.x[i]
        if not work.occurs[v]:
            work.occurs[v] = True
            work.numbers[v] = <int>work.n_symbols
            work.symbols[work.n_symbols] = v
            work.n_symbols += 1
        work.rows[i] = work.numbers[v]


cdef inline void embed_symbols(const Weights* w, Workspace* work) noexcept nogil:
    """table = Emb[symbols] @ Wx                       (n, G H) = (n, E) (E, G H)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t i, r, count, stop, E = net.E, N = net.G * net.H
    cdef real* table
    cdef const real* vectors
    cdef Range own
    cdef operand_rows a
    number_symbols(net, work)
    own = own_share(&work.group, work.n_symbols)
    r, stop = own.first, own.first + own.count
    for i in range(r, stop):
        memcpy(work.vectors + i * E, w.p + net.table[SYMBOLS].place + work.symbols[i] * E, E * sizeof(real))
    while r < stop and not is_canceled(work):
        count = min(<Py_ssize_t>BLOCK_ROWS, stop - r)
        vectors, table = work.vectors + r * E, work.table + r * N
        clear_rows(count, N, table, N)
        if net.gemm == NULL:
            a = as_operand(count, E, vectors, E, work.scratch)
            multiply_panels(count, E, N, a.first, a.stride, w.panels + net.layer[0].Wx_panels, net.max_row_vectors,
                            table, N)
        else:
            add_product(net.gemm, count, N, E, vectors, E, w.p + net.layer[0].Wx, N, table, N)
        r += count
    wait_for_group(&work.group)


cdef inline void clear_table(const Network* net, const Workspace* work) noexcept nogil:
    """table = 0: the thread's units, before the gradients of the table are summed"""
    cdef Py_ssize_t g
    cdef Range own = own_columns(&work.group, net.H)
    for g in range(net.G):
        clear_rows(work.n_symbols, own.count, work.table + g * net.H + own.first, net.G * net.H)


cdef inline void embed_symbols_back(const Weights* w, const Workspace* work) noexcept nogil:
    """dbh = dtable.sum(axis=0); dEmb[symbols] = dtable @ Wx.T; dWx = Emb[symbols].T @ dtable

    (G H,) = (n, G H);  (n, E) = (n, G H) (E, G H)';  (E, G H) = (n, E)' (n, G H)
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t i, r, count, stop, E = net.E, N = net.G * net.H
    cdef Range own = own_share(&work.group, work.n_symbols), part = own_columns(&work.group, N)
    cdef real* dvectors = work.vectors + work.vectors_stride
    cdef real* dtable
    cdef real* dWx
    add_column_sums(work.table + part.first, work.n_symbols, part.count, N, work.d + net.layer[0].bh + part.first)
    r, stop = own.first, own.first + own.count
    while r < stop and not is_canceled(work):
        count = min(<Py_ssize_t>BLOCK_ROWS, stop - r)
        multiply_rows_back(work, count, N, E, work.table + r * N, N, w.panels + net.layer[0].WxT_panels,
                           net.max_row_vectors, dvectors + r * E, E)
        r += count
    for i in range(own.first, stop):
        memcpy(work.d + net.table[SYMBOLS].place + work.symbols[i] * E, dvectors + i * E, E * sizeof(real))
    dWx, dtable = work.d + net.layer[0].Wx + part.first, work.table + part.first
    if net.gemm != NULL:
        transposed_product(net.gemm, E, part.count, work.n_symbols, work.vectors, E, dtable, N, dWx, N)
    else:
        add_packed_gradient(work, work.n_symbols, E, part.count, work.vectors, E, dtable, N, dWx, N)
