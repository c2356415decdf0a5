"""The symbol that followed the last symbols of a text where the same symbols occurred before.

A history is the text learned, with -1 between parts that do not follow each other. A place is the index of a symbol in
the history. `slots` (K, 2**b) are hash tables of places, one table for each of the `LENGTHS`: a slot contains the last
place after symbols with its hash, or -1. Symbols with the same hash are compared, so the place found does not depend
on the tables' size. The reference implementation is `reference/longest_match.py`.
"""
from libc.math cimport log
from libc.stdint cimport uint32_t, uint64_t
import numpy as np
from ..common.row_source cimport RowSource, row_source_capsule
from ..entry.core import require_size
from .symbol_checks cimport check_symbols

cdef enum:
    N_LENGTHS = 2
    SHORTEST = 8
    LONGEST = 32  # symbols that are compared
    N_CLASSES = 13
    SMALLEST = 64  # symbols of initial memory
    MAX_SIZE = 1 << 30

cdef int[N_LENGTHS] FOUND_LENGTHS = [SHORTEST, 16]
cdef int[N_CLASSES] CLASS_LENGTHS = [8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 28, LONGEST]
cdef int[LONGEST + 1] CLASS_OF

LENGTHS = tuple(FOUND_LENGTHS)
CLASSES = tuple(CLASS_LENGTHS)
WINDOW = LONGEST
for _length in range(LONGEST + 1):
    CLASS_OF[_length] = max(0, sum(_length >= least for least in CLASSES) - 1)

cdef struct Places:  # a history with its tables
    int* symbols
    Py_ssize_t size
    int* slots
    uint32_t mask  # the number of slots of a table, less 1

cdef struct Match:
    int symbol  # that followed; -1: no match
    int of_class


cdef inline uint64_t longer_hash(uint64_t h, int symbol) noexcept nogil:
    """Return the hash of a symbol and the symbols after it, whose hash is h."""
    h = (h ^ <uint64_t>(<uint32_t>symbol)) * <uint64_t>0x9E3779B97F4A7C15
    return h ^ (h >> 29)


cdef inline int* slot_of(const Places* h, int table, uint64_t hashed, const int* after) noexcept nogil:
    """Return the slot of the place that follows the same symbols as `after`, or an empty slot."""
    cdef uint32_t i = <uint32_t>(hashed >> 32) & h.mask
    cdef int* slots = h.slots + table * (<Py_ssize_t>h.mask + 1)
    cdef int k, length = FOUND_LENGTHS[table]
    cdef const int* before
    while slots[i] >= 0:
        before = h.symbols + slots[i]
        for k in range(1, length + 1):
            if before[-k] != after[-k]:
                break
        else:
            break
        i = (i + 1) & h.mask
    return &slots[i]


cdef inline void put_place(const Places* h, Py_ssize_t place) noexcept nogil:
    """Make the symbols before a place lead to it."""
    cdef const int* after = h.symbols + place
    cdef uint64_t hashed = 0
    cdef int table, k, read = 0
    for table in range(N_LENGTHS):
        if place < FOUND_LENGTHS[table] or h.symbols[place] < 0:
            return
        for k in range(read + 1, FOUND_LENGTHS[table] + 1):
            hashed = longer_hash(hashed, after[-k])
        read = FOUND_LENGTHS[table]
        slot_of(h, table, hashed, after)[0] = <int>place


cdef inline void append(Places* h, int symbol) noexcept nogil:
    """Add a symbol, or -1 between parts. The caller has made room."""
    h.symbols[h.size] = symbol
    put_place(h, h.size)
    h.size += 1


cdef inline Match longest_match(const Places* h, const int* text, Py_ssize_t n) noexcept nogil:
    """Find what followed the last symbols of a text (n,), in which negative numbers stand for no symbol."""
    cdef const int* after = text + n
    cdef uint64_t hashed = 0
    cdef int table, k, read = 0, place = -1, found
    cdef Match match
    match.symbol = -1
    match.of_class = 0
    for table in range(N_LENGTHS):
        if n < FOUND_LENGTHS[table]:
            break
        for k in range(read + 1, FOUND_LENGTHS[table] + 1):
            if after[-k] < 0:
                break
            hashed = longer_hash(hashed, after[-k])
        else:
            read = FOUND_LENGTHS[table]
            found = slot_of(h, table, hashed, after)[0]
            if found < 0:
                break
            place = found
            continue
        break
    if place < 0:
        return match
    k = 0
    while k < LONGEST and k < n and k < place and after[-k - 1] >= 0 and after[-k - 1] == h.symbols[place - k - 1]:
        k += 1
    match.symbol = h.symbols[place]
    match.of_class = CLASS_OF[k]
    return match


cdef inline void fill_row(Match match, const double* hits, Py_ssize_t V, double* row) noexcept nogil:
    """Fill a row of logits (V,): 0, but for the matched symbol.

    The matched symbol gets its log odds over one of the other symbols, at least 0.
    """
    cdef Py_ssize_t w
    cdef const double* of_class = hits + 2 * match.of_class
    for w in range(V):
        row[w] = 0
    if match.symbol >= 0 and V > 1:
        row[match.symbol] = max(0.0, log(of_class[0] * (V - 1) / (of_class[1] - of_class[0])))


# ------------------------------------------------------------------------------------------------- entry points


cdef class History:
    """A learned text, in which the place after some symbols is found quickly.

    Parameters
    ----------
    V : int
        The number of symbols.
    symbols : (n,) array
        The text; -1 stands between parts that do not follow each other.
    """
    cdef Places places
    cdef readonly Py_ssize_t symbol_count
    cdef int[::1] symbols
    cdef int[:, ::1] slots

    def __cinit__(self, Py_ssize_t V, const int[::1] symbols not None):
        cdef Py_ssize_t n = symbols.shape[0], i
        self.symbol_count = V
        check_symbols(&symbols[0] if n else NULL, n, V, -1)
        self.reserve(n)
        with nogil:
            for i in range(n):
                append(&self.places, symbols[i])

    @property
    def size(self):
        """The number of symbols, plus one -1 between two parts."""
        return self.places.size

    @property
    def text(self):
        """A copy of the symbols and the -1 between parts, as a new history takes them."""
        return np.array(self.symbols[:self.places.size])

    def reserve(self, Py_ssize_t n):
        """Reserve room for n more symbols."""
        cdef Py_ssize_t size = self.places.size, wanted = size + n, i
        cdef int[::1] symbols
        if n < 0 or wanted > MAX_SIZE:
            raise ValueError(f"a history has room for {MAX_SIZE - size} more symbols, not {n}")
        if self.places.symbols != NULL and wanted <= self.symbols.shape[0]:
            return
        symbols = np.empty(max(wanted + wanted // 2, <Py_ssize_t>SMALLEST), np.int32)
        if size:
            symbols[:size] = self.symbols[:size]
        # At least a fourth of the slots is free.
        self.hold(symbols, np.full((N_LENGTHS, 1 << (symbols.shape[0] * 4 // 3).bit_length()), -1, np.int32))
        with nogil:
            for i in range(size):
                put_place(&self.places, i)

    cdef void hold(self, int[::1] symbols, int[:, ::1] slots) noexcept:
        """Replace the arrays of symbols and of slots."""
        self.symbols = symbols
        self.slots = slots
        self.places.symbols = &symbols[0]
        self.places.slots = &slots[0, 0]
        self.places.mask = <uint32_t>slots.shape[1] - 1

    def copy(self):
        """Return a history of the same text that grows on its own. The arrays are copied, so nothing is hashed."""
        cdef History copied = History.__new__(History, self.symbol_count, np.empty(0, np.int32))
        copied.hold(np.array(self.symbols), np.array(self.slots))
        copied.places.size = self.places.size
        return copied

    def end_part(self):
        """Begin a new part: the next symbol does not follow the symbols learned so far."""
        self.reserve(1)
        append(&self.places, -1)

    def row_source(self, const double[:, ::1] hits not None):
        """Return a capsule with a function that fills rows of logits, see `row_source.pxd`; it keeps this alive."""
        return MatchRows(self, hits).row_source()


cdef int check_hits(const double[:, ::1] hits) except -1:
    """Raise an error unless each class has a number of hits and a larger number of matches."""
    cdef Py_ssize_t k
    require_size("classes of matches", hits.shape[0], N_CLASSES)
    require_size("numbers of a class", hits.shape[1], 2)
    for k in range(N_CLASSES):
        if not 0 < hits[k, 0] < hits[k, 1]:
            raise ValueError(f"hits[{k}] must be two numbers with 0 < hits < matches")
    return 0


def rows_before(History history not None, const double[:, ::1] hits not None, const int[:, ::1] x not None,
                const int[:, ::1] before not None, double[:, :, ::1] rows not None):
    """rows[t, b] (V,) = the row after before[b] and x[:t, b], for symbols x (n, B) and contexts (B, k).

    `hits` (13, 2) contains the number of correct matches and the number of all matches for each class. There may be
    one row more than symbols: the last row then predicts what follows the symbols.
    """
    cdef Py_ssize_t n = x.shape[0], T = rows.shape[0], B = before.shape[0], k = before.shape[1], V = rows.shape[2], b, i
    cdef int[::1] text = np.empty(k + n + 1, np.int32)
    check_hits(hits)
    require_size("symbols of a row", V, history.symbol_count)
    require_size("streams of symbols", x.shape[1], B)
    require_size("streams of rows", rows.shape[1], B)
    if not n <= T <= n + 1:
        raise ValueError(f"expected {n} or {n + 1} rows, got {T}")
    if not T * B:
        return
    check_symbols(&x[0, 0] if n else NULL, n * B, V)
    check_symbols(&before[0, 0] if k else NULL, B * k, V, -1)
    with nogil:
        for b in range(B):
            for i in range(k):
                text[i] = before[b, i]
            for i in range(n):
                text[k + i] = x[i, b]
            for i in range(T):
                fill_row(longest_match(&history.places, &text[0], k + i), &hits[0, 0], V, &rows[i, b, 0])


def learn_rows(History history not None, double[:, ::1] hits not None, const int[::1] x not None,
               const int[::1] before not None, double[:, ::1] rows not None):
    """rows[t] (V,) = the row after a context `before` (k,) and x[:t], for symbols x (n,) that are learned one by one.

    The history grows by x, and the numbers in `hits` (13, 2) by the matches of each class.
    """
    cdef Py_ssize_t n = x.shape[0], k = before.shape[0], V = rows.shape[1], i
    cdef int[::1] text = np.empty(k + n + 1, np.int32)
    cdef Match match
    check_hits(hits)
    require_size("symbols of a row", V, history.symbol_count)
    require_size("rows", rows.shape[0], n)
    check_symbols(&x[0] if n else NULL, n, V)
    check_symbols(&before[0] if k else NULL, k, V, -1)
    history.reserve(n)
    with nogil:
        for i in range(k):
            text[i] = before[i]
        for i in range(n):
            match = longest_match(&history.places, &text[0], k + i)
            fill_row(match, &hits[0, 0], V, &rows[i, 0])
            if match.symbol >= 0:
                hits[match.of_class, 0] += match.symbol == x[i]
                hits[match.of_class, 1] += 1
            text[k + i] = x[i]
            append(&history.places, x[i])


# ------------------------------------------------------------------------------------------------- rows of a mixture


cdef class MatchRows:
    """Rows of the longest match in a history, for a compiled loop."""
    cdef RowSource source
    cdef History history
    cdef const double[:, ::1] hits

    def __cinit__(self, History history not None, const double[:, ::1] hits not None):
        check_hits(hits)
        self.history = history
        self.hits = hits
        self.source.source = <const void*>self
        self.source.fill = _fill
        self.source.symbols = history.symbol_count
        self.source.context = LONGEST

    def row_source(self):
        """Return a capsule with the function, which keeps this alive."""
        return row_source_capsule(&self.source, self)


cdef void _fill(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    cdef const Places* places = &(<MatchRows>source).history.places
    fill_row(longest_match(places, symbols, n), &(<MatchRows>source).hits[0, 0],
             (<MatchRows>source).source.symbols, row)
