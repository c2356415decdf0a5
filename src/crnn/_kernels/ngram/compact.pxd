"""The contexts of counts in a compact layout, which cannot grow: about 10 bytes for a context with one symbol after it.

The contexts are numbered level by level: the empty one is 0; those of one symbol follow, in the order of their symbols,
and the context of just a boundary, if any; then those of two symbols, in the order of the n-grams that lead to them,
and so on. Only contexts that something followed have a number, but the context of a boundary always has one.

An n-gram is a cell: a symbol and its count after a context. The cells of a context are consecutive, sorted by symbol. A
count that does not fit is in a sorted list of large counts. A context with more than `FEW` cells begins with
`HEADER_BYTES` bytes of `Totals`. Where an n-gram leads to a context, a bit is set; the number of bits set before it
gives the context's number.

The probabilities have the same bits as in `probabilities.pxd`.
"""
from libc.math cimport log
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from .trie cimport MAX_ORDER, Cursor

cdef extern from "prefetch.h" nogil:
    void PREFETCH(const void*)

cdef enum:
    FEW = 8  # cells of a context whose totals are computed when needed
    HEADER_BYTES = 12
    NARROW_BITS = 8  # of a symbol in a cell of 16 bits
    WIDE_BITS = 21  # of a symbol in a cell of 32 bits: all code points, and some more
    NARROW_LARGE = 0xff  # counts from here on are in the list
    WIDE_LARGE = 0x7ff

cdef struct Context:
    int suffix
    int first  # cell

cdef struct Totals:
    int sum  # of the counts
    int ones  # cells with count 1
    int twos

cdef struct Cells:
    Py_ssize_t first
    Py_ssize_t n
    bint has_totals  # before the first

cdef struct Word:  # of 64 cells
    uint64_t bits  # set where a cell leads to a context
    int64_t rank  # bits set in all words before

cdef struct Entry:  # of a symbol after a context
    Py_ssize_t cell  # -1: none
    int count
    Totals totals  # of the context

cdef struct Compact:
    int order, symbols, boundary, start
    bint wide  # cells of 32 bits
    Py_ssize_t root_end  # the first cell that is not the empty context's
    Context* contexts  # one more than there are
    uint16_t* narrow_cells
    uint32_t* wide_cells
    Word* words
    int* large_cells
    int* large_counts
    Py_ssize_t large
    double discounts[MAX_ORDER][4]


cdef inline Cells cells_of(const Compact* t, int context) noexcept nogil:
    """The cells of a context."""
    cdef Cells found
    found.first = t.contexts[context].first
    found.n = t.contexts[context + 1].first - found.first
    found.has_totals = found.n > FEW
    if found.has_totals:
        found.first += header_cells(t)
        found.n -= header_cells(t)
    return found


cdef inline Py_ssize_t header_cells(const Compact* t) noexcept nogil:
    """The number of cells that the totals of a context take."""
    return HEADER_BYTES // (4 if t.wide else 2)


cdef inline int symbol_in(const Compact* t, Py_ssize_t cell) noexcept nogil:
    """The symbol of a cell."""
    if t.wide:
        return t.wide_cells[cell] & ((1 << WIDE_BITS) - 1)
    return t.narrow_cells[cell] & ((1 << NARROW_BITS) - 1)


cdef inline int large_count(const Compact* t, Py_ssize_t cell) noexcept nogil:
    """The count of a cell in the list."""
    cdef Py_ssize_t first = 0, n = t.large, half
    while n > 1:
        half = n // 2
        if t.large_cells[first + half] <= cell:
            first += half
            n -= half
        else:
            n = half
    return t.large_counts[first]


cdef inline int count_in(const Compact* t, Py_ssize_t cell) noexcept nogil:
    """The count of a cell."""
    cdef int count = t.wide_cells[cell] >> WIDE_BITS if t.wide else t.narrow_cells[cell] >> NARROW_BITS
    return large_count(t, cell) if count == (WIDE_LARGE if t.wide else NARROW_LARGE) else count


cdef inline Totals totals_of(const Compact* t, Cells cells) noexcept nogil:
    """The totals of a context with cells."""
    cdef Totals found
    cdef Py_ssize_t i
    cdef int count
    if cells.has_totals:
        if t.wide:
            memcpy(&found, &t.wide_cells[cells.first - header_cells(t)], HEADER_BYTES)
        else:
            memcpy(&found, &t.narrow_cells[cells.first - header_cells(t)], HEADER_BYTES)
        return found
    found.sum = found.ones = found.twos = 0
    for i in range(cells.first, cells.first + cells.n):
        count = count_in(t, i)
        found.sum += count
        found.ones += count == 1
        found.twos += count == 2
    return found


cdef inline Py_ssize_t cell_of(const Compact* t, Cells cells, int symbol) noexcept nogil:
    """The cell of a symbol; -1 if the context has none."""
    cdef Py_ssize_t first = cells.first, n = cells.n, half
    while n > 8:
        half = n // 2
        if symbol_in(t, first + half - 1) < symbol:
            first += half
            n -= half
        else:
            n = half
    while n and symbol_in(t, first) < symbol:
        first += 1
        n -= 1
    return first if n and symbol_in(t, first) == symbol else -1


cdef inline int bits_set(uint64_t word) noexcept nogil:
    """The number of bits set."""
    word -= (word >> 1) & 0x5555555555555555u
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u)
    return <int>((((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u) >> 56)


cdef inline int child_of(const Compact* t, Py_ssize_t cell) noexcept nogil:
    """The context to which a cell leads; 0: none."""
    cdef const Word* word = t.words + (cell >> 6)
    cdef int shift = cell & 63
    cdef bint is_behind_start = t.start != 0 and cell >= t.root_end
    if not (word.bits >> shift) & 1:
        return 0
    return 1 + <int>word.rank + bits_set(word.bits & ((<uint64_t>1 << shift) - 1)) + is_behind_start


cdef inline Entry entry_of(const Compact* t, Cells cells, int symbol) noexcept nogil:
    """The entry of a symbol after a context with cells."""
    cdef Entry found
    cdef Py_ssize_t i
    cdef int count
    if cells.has_totals:
        found.totals = totals_of(t, cells)
        found.cell = cell_of(t, cells, symbol)
        found.count = count_in(t, found.cell) if found.cell >= 0 else 0
        return found
    found.cell = -1
    found.count = 0
    found.totals.sum = found.totals.ones = found.totals.twos = 0
    for i in range(cells.first, cells.first + cells.n):
        count = count_in(t, i)
        found.totals.sum += count
        found.totals.ones += count == 1
        found.totals.twos += count == 2
        if symbol_in(t, i) == symbol:
            found.cell = i
            found.count = count
    return found


cdef inline double back_off(const double* D, Cells cells, Totals totals) noexcept nogil:
    """g(c) of a context with cells."""
    return (D[1] * totals.ones + D[2] * totals.twos + D[3] * (cells.n - totals.ones - totals.twos)) / totals.sum


cdef inline Cursor beginning(const Compact* t, bint of_document) noexcept nogil:
    """The context at the start of a document, a boundary, or the empty context."""
    cdef Cursor c
    c.node = t.start if of_document else 0
    c.depth = c.full = c.node != 0
    c.place = 0
    return c


cdef inline double probability(const Compact* t, Cursor* c, int symbol) noexcept nogil:
    """p(symbol | context); the context becomes the longest one after the symbol."""
    cdef double p = 0, factor = 1
    cdef int node = c.node, depth = c.depth, child
    cdef bint found = symbol == t.boundary
    cdef Cells cells
    cdef Entry entry
    c[0] = beginning(t, found)
    while True:
        PREFETCH(t.contexts + t.contexts[node].suffix)
        cells = cells_of(t, node)
        if cells.n:
            entry = entry_of(t, cells, symbol)
            if entry.cell >= 0:
                p += factor / entry.totals.sum * (entry.count - t.discounts[depth][min(entry.count, 3)])
                if not found and depth < t.order - 1:
                    child = child_of(t, entry.cell)
                    if child:
                        c.node = child
                        c.depth = depth + 1
                        found = True
            factor *= back_off(t.discounts[depth], cells, entry.totals)
        if not node:
            return p + factor / t.symbols
        node = t.contexts[node].suffix
        depth -= 1


cdef inline Cursor after_symbol(const Compact* t, Cursor c, int symbol) noexcept nogil:
    """The longest context after another symbol."""
    cdef int node = c.node, depth = c.depth, child
    cdef Py_ssize_t cell
    cdef Cursor after = beginning(t, symbol == t.boundary)
    if symbol == t.boundary:
        return after
    while True:
        if depth < t.order - 1:
            PREFETCH(t.contexts + t.contexts[node].suffix)
            PREFETCH(t.words + (t.contexts[node].first >> 6))
            cell = cell_of(t, cells_of(t, node), symbol)
            child = child_of(t, cell) if cell >= 0 else 0
            if child:
                after.node = child
                after.depth = depth + 1
                return after
        if not node:
            return after
        node = t.contexts[node].suffix
        depth -= 1


cdef inline Cursor after_symbols(const Compact* t, const int* symbols, Py_ssize_t n) noexcept nogil:
    """The longest context at the end of n symbols; only the last order - 1 symbols count."""
    cdef Cursor c = beginning(t, False)
    cdef Py_ssize_t i
    for i in range(max(0, n - t.order + 1), n):
        if symbols[i] >= 0:  # others represent what comes before a text
            c = after_symbol(t, c, symbols[i])
    return c


cdef inline void add_narrow(const Compact* t, Cells cells, double scale, const double* D, double* row) noexcept nogil:
    """row[w] += scale * (count - D[count]) for the cells of a context, of 16 bits."""
    cdef Py_ssize_t i
    cdef int count
    cdef uint16_t cell
    for i in range(cells.first, cells.first + cells.n):
        cell = t.narrow_cells[i]
        count = cell >> NARROW_BITS
        if count == NARROW_LARGE:
            count = large_count(t, i)
        row[cell & ((1 << NARROW_BITS) - 1)] += scale * (count - D[min(count, 3)])


cdef inline void add_wide(const Compact* t, Cells cells, double scale, const double* D, double* row) noexcept nogil:
    """The same for cells of 32 bits."""
    cdef Py_ssize_t i
    cdef int count
    for i in range(cells.first, cells.first + cells.n):
        count = count_in(t, i)
        row[symbol_in(t, i)] += scale * (count - D[min(count, 3)])


cdef inline void fill_row(const Compact* t, Cursor c, double* row) noexcept nogil:
    """row[w] = log p(w | context) for all symbols w."""
    cdef Py_ssize_t w
    cdef double factor = 1
    cdef int node = c.node, depth = c.depth
    cdef const double* D
    cdef Cells cells
    cdef Totals totals
    for w in range(t.symbols):
        row[w] = 0
    while True:
        PREFETCH(t.contexts + t.contexts[node].suffix)
        cells = cells_of(t, node)
        if cells.n:
            D = t.discounts[depth]
            totals = totals_of(t, cells)
            if t.wide:
                add_wide(t, cells, factor / totals.sum, D, row)
            else:
                add_narrow(t, cells, factor / totals.sum, D, row)
            factor *= back_off(D, cells, totals)
        if not node:
            break
        node = t.contexts[node].suffix
        depth -= 1
    for w in range(t.symbols):
        row[w] = log(row[w] + factor / t.symbols)


cdef inline void fill_after(const void* contexts, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    """A row of logits for any caller, see `row_source`."""
    cdef const Compact* t = <const Compact*>contexts
    fill_row(t, after_symbols(t, symbols, n), row)
