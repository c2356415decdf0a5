"""Input tables: rows looked up by the symbols of a stream, whose sum is the input of the first layer.

z = Symbols[x[t]] + Pairs[x[t - 1], x[t]] + bh, see "Bigrams" in `docs/mathematics.md`. The table of symbols is Wx, or
with an embedding the table of the chunk's symbols (see `embedding`). Only the rows that a chunk reads are cleared and
have a gradient (see `update`). A row has G H columns, gates side by side; z has them at the input part of each gate.

Pairs are sorted by their first symbol, then by their second. A search among those with the same first symbol takes
at most log2(V) comparisons, whatever the pairs are.
"""
# The same in NumPy: `reference/network.py`, `rows_of_pairs` and `pair_input`.
from libc.string cimport memset
from ..common.interface cimport PAIRS, InputRows, Network, PairIndex, Weights, Workspace, real
from ..products.panels cimport Range
from ..threads.thread_group cimport columns_of_thread
from .boundary cimport starts
from .embedding cimport clear_table, embed_symbols, embed_symbols_back, lookup_gradient, lookup_rows, lookup_table
from .network cimport input_block
from .row_products cimport add_column_sums

cdef enum:
    NO_ROW = -1


# ------------------------------------------------------------------------------------------------- which rows


cdef inline int row_of_pair(const Network* net, int before, int symbol) noexcept nogil:
    """Return the row of a symbol and its previous symbol (-1 for none); NO_ROW if the pair has no row."""
    cdef const PairIndex* pairs = &net.inputs.pairs
    cdef Py_ssize_t first, n, half
    if not 0 <= before < net.dims.V or starts(net, symbol):
        return NO_ROW
    first = pairs.starts[before]
    n = pairs.starts[before + 1] - first
    if n == 0:
        return NO_ROW
    while n > 1:
        half = n // 2
        first += half if pairs.symbols[first + half] <= symbol else 0
        n -= half
    return pairs.rows[first] if pairs.symbols[first] == symbol else NO_ROW


cdef inline int symbol_of(int state) noexcept nogil:
    """Return the symbol that a state represents, -1 for none. A caller may have written any number."""
    return state - 1 if state > 0 else -1


cdef inline InputRows rows_at(const Network* net, const Workspace* work, const int* x, Py_ssize_t t,
                              Py_ssize_t b) noexcept nogil:
    """Return the rows read by time step t of stream b, whose symbol is x[t, b]; the symbol before the first one is in
    the state."""
    cdef InputRows rows
    rows.symbol = x[t * work.B + b]
    rows.pair = NO_ROW
    if net.inputs.has_before and t:
        rows.pair = row_of_pair(net, x[(t - 1) * work.B + b], rows.symbol)
    elif net.inputs.has_before:
        rows.pair = row_of_pair(net, symbol_of(work.inputs.before[b]), rows.symbol)
    return rows


cdef inline void carry_symbols(const Network* net, const Workspace* work, const int* x,
                               Py_ssize_t steps) noexcept nogil:
    """before = x[steps - 1]                           (B,): the last symbols read, once for each group"""
    cdef Py_ssize_t b
    if net.inputs.has_before and work.group.rank == 0:
        for b in range(work.B):
            work.inputs.before[b] = x[(steps - 1) * work.B + b] + 1


# ------------------------------------------------------------------------------------------------- inference


cdef inline void add_input(const Weights* w, InputRows rows, Range units, real* z) noexcept nogil:
    """z += Symbols[symbol] + Pairs[pair]              (G H,): the input of one stream, without the bias"""
    cdef const Network* net = w.net
    add_row(net, w.p + net.layer[0].Wx, rows.symbol, units, z)
    if net.inputs.has_before:
        add_row(net, w.p + net.inputs.table[PAIRS].place, rows.pair, units, z)


cdef inline void add_row(const Network* net, const real* table, int row, Range units, real* z) noexcept nogil:
    """z += table[row]                                 (G H,): nothing for NO_ROW"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t j, g
    cdef const real* gate
    cdef real* out
    if row == NO_ROW:
        return
    for g in range(net.dims.G):
        gate = table + (row * net.dims.G + g) * H + units.first
        out = z + input_block(net, g) * H + units.first
        for j in range(units.count):
            out[j] += gate[j]


# ------------------------------------------------------------------------------------------------- training


cdef inline void prepare_inputs(const Weights* w, Workspace* work) noexcept nogil:
    """Prepare the time steps of a chunk: the rows of its pairs, and with an embedding its table of symbols."""
    if w.net.inputs.has_before:
        find_rows_of_pairs(w.net, work)
    if w.net.dims.E:
        embed_symbols(w, work)


cdef inline void find_rows_of_pairs(const Network* net, Workspace* work) noexcept nogil:
    """rows_of_pairs[t, b] = the row for each time step of the chunk; marks for the update which rows are read."""
    cdef Py_ssize_t t, b
    cdef int row
    cdef unsigned char* occurs = work.inputs.occurs + net.dims.V
    memset(occurs, 0, net.inputs.table[PAIRS].rows)
    for t in range(work.T):
        for b in range(work.B):
            row = rows_at(net, work, work.x, t, b).pair
            work.inputs.rows_of_pairs[t * work.B + b] = row
            if row != NO_ROW:
                occurs[row] = True


cdef inline void look_up_inputs(const Weights* w, const Workspace* work, const int* x, Py_ssize_t t, Range units,
                                real* z) noexcept nogil:
    """z = Symbols[x[t]] + Pairs[x[t - 1], x[t]] + bh  (B, G H): the input of time step t"""
    cdef const Network* net = w.net
    cdef const real* pairs = w.p + net.inputs.table[PAIRS].place
    cdef Py_ssize_t b
    look_up_symbols(net, w.p, lookup_table(w, work), lookup_rows(net, work, x, t), units, work.B, z)
    if net.inputs.has_before:
        for b in range(work.B):
            add_row(net, pairs, work.inputs.rows_of_pairs[t * work.B + b], units, z + b * net.dims.ldg)


cdef inline void look_up_symbols(const Network* net, const real* p, const real* table, const int* rows, Range units,
                                 Py_ssize_t B, real* z) noexcept nogil:
    """z = table[rows] + bh                            (B, G H)"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, j, g
    cdef const real* bias
    cdef const real* row
    cdef real* out
    for b in range(B):
        for g in range(net.dims.G):
            bias = p + net.layer[0].bh + g * H + units.first
            row = table + (rows[b] * net.dims.G + g) * H + units.first
            out = z + b * net.dims.ldg + input_block(net, g) * H + units.first
            for j in range(units.count):
                out[j] = row[j] + bias[j]


cdef inline void clear_input_gradients(const Network* net, const Workspace* work) noexcept nogil:
    """Clear the table of a chunk's symbols, before their gradients are summed in it; the update clears other tables."""
    if net.dims.E:
        clear_table(net, work)


cdef inline void add_input_gradients(const Network* net, const Workspace* work, const int* x, Py_ssize_t t,
                                     Range units, const real* dz) noexcept nogil:
    """dSymbols[x[t]] += dz; dPairs[x[t - 1], x[t]] += dz          (B, G H): all streams, while dz is in the cache"""
    cdef real* dPairs = work.d + net.inputs.table[PAIRS].place
    add_row_gradients(net, dz, lookup_rows(net, work, x, t), units, work.B, lookup_gradient(net, work))
    if net.inputs.has_before:
        add_row_gradients(net, dz, work.inputs.rows_of_pairs + t * work.B, units, work.B, dPairs)


cdef inline void add_row_gradients(const Network* net, const real* dz, const int* rows, Range units, Py_ssize_t B,
                                   real* dtable) noexcept nogil:
    """dtable[rows] += dz                              (B, G H)"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, j, g
    cdef const real* out
    cdef real* row
    for b in range(B):
        if rows[b] == NO_ROW:
            continue
        for g in range(net.dims.G):
            row = dtable + (rows[b] * net.dims.G + g) * H + units.first
            out = dz + b * net.dims.ldg + input_block(net, g) * H + units.first
            for j in range(units.count):
                row[j] += out[j]


cdef inline void finish_input_gradients(const Weights* w, Workspace* work) noexcept nogil:
    """Compute what follows from the gradients of the symbols' rows: dbh, and with an embedding dEmb and dWx."""
    if w.net.dims.E:
        embed_symbols_back(w, work)
    else:
        add_lookup_bias_gradient(w.net, work)


cdef inline void add_lookup_bias_gradient(const Network* net, Workspace* work) noexcept nogil:
    """dbh = dWx.sum(axis=0)                           every dz is in one row of dWx; rows of other symbols are zero

    Marks the symbols that occur, for the update.
    """
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t N = net.dims.G * H
    cdef Range units = columns_of_thread(&work.group, H)
    cdef const real* dWx = work.d + net.layer[0].Wx
    cdef real* dbh = work.d + net.layer[0].bh
    cdef unsigned char* occurs = work.inputs.occurs
    cdef Py_ssize_t i, g, start
    cdef int symbol
    memset(occurs, 0, net.dims.V)
    for i in range(work.T * work.B):
        symbol = work.x[i]
        if occurs[symbol]:
            continue
        occurs[symbol] = True
        for g in range(net.dims.G):
            start = g * H + units.first
            add_column_sums(dWx + symbol * N + start, 1, units.count, N, dbh + start)
