"""Bigrams: z += Bigrams[row], a row for the last two symbols beside that of the last one.

The most frequent pairs of symbols have a row in a table, others have none (see `crnn.model.bigram_pairs`). Two symbols
have none either if the second one starts a document: what came before does not count there. A chunk reads a part of the
table. Only the rows that it reads are cleared, have a gradient and are updated (see `update`).

The symbol that was read last is a state like h: a number, so that it is carried, copied and stored as h is, plus 1; 0
stands for none.
"""
from libc.stdint cimport uint64_t
from libc.string cimport memset
from .boundary cimport starts
from ..entry.interface cimport Network, Workspace, real
from .pair_slots cimport NO_ROW, first_slot, pair_key
from ..products.panels cimport Columns
from .table_rows cimport add_row


cdef inline int row_of(const Network* net, int before, int symbol) noexcept nogil:
    """The row of a symbol and the one before it, -1 if there was none; NO_ROW if the pair has none."""
    cdef uint64_t key = pair_key(before, symbol)
    cdef Py_ssize_t slot = first_slot(key, net.pair_slots)
    if before < 0 or starts(net, symbol):
        return NO_ROW
    while net.pair_rows[slot] != NO_ROW and net.pair_keys[slot] != key:
        slot = (slot + 1) & (net.pair_slots - 1)
    return net.pair_rows[slot]


cdef inline int symbol_of(real state) noexcept nogil:
    """The symbol that a state stands for, -1 if it stands for none. A caller may have written any number."""
    return <int>state - 1 if 1 <= state < <real>2147483648 else -1


cdef inline int row_at(const Network* net, const Workspace* work, const int* x, Py_ssize_t t,
                       Py_ssize_t b) noexcept nogil:
    """The row of time step t of stream b, which reads x[t, b]; the symbol before the first one is in the state."""
    if not net.R:
        return NO_ROW
    return row_of(net, x[(t - 1) * work.B + b] if t else symbol_of(work.before[b]), x[t * work.B + b])


cdef inline void carry_symbols(const Network* net, const Workspace* work, const int* x,
                               Py_ssize_t steps) noexcept nogil:
    """before = x[steps - 1]                           (B,): the symbols that were read last, once for each group"""
    cdef Py_ssize_t b
    if net.R and work.group.rank == 0:
        for b in range(work.B):
            work.before[b] = <real>(x[(steps - 1) * work.B + b] + 1)


cdef inline void find_rows(const Network* net, Workspace* work) noexcept nogil:
    """bigram_rows[t, b] = the row of each time step of the chunk; notes for the update which of them are read."""
    cdef Py_ssize_t t, b
    cdef int row
    cdef unsigned char* occurs = work.occurs + net.V
    memset(occurs, False, net.R)
    for t in range(work.T):
        for b in range(work.B):
            row = row_at(net, work, work.x, t, b)
            work.bigram_rows[t * work.B + b] = row
            if row != NO_ROW:
                occurs[row] = True


cdef inline void add_rows(const Network* net, const Workspace* work, const real* p, Py_ssize_t t, Columns own,
                          real* z) noexcept nogil:
    """z += Bigrams[bigram_rows]                       (B, G H): the input of time step t"""
    cdef Py_ssize_t b
    for b in range(work.B):
        add_row(net, p + net.bigrams, work.bigram_rows[t * work.B + b], own, z + b * net.ldg)
