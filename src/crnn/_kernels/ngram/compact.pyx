"""Counts of n-grams in the compact layout of `compact.pxd`: made from the bytes of a file, and written back.

`reading` has the functions that read texts by them.
"""
from libc.math cimport log
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
import numpy as np
from ..entry.core import require_size
from .compact cimport (
    FEW, HEADER_BYTES, NARROW_BITS, NARROW_LARGE, WIDE_BITS, WIDE_LARGE, Cells, Compact, Context, Totals, Word,
    after_symbol, after_symbols, bits_set, cell_of, cells_of, child_of, count_in, fill_after, fill_row, header_cells,
    probability, symbol_in,
)
from .levels cimport NO_COUNT, NO_SUFFIX, NO_SYMBOL, TRUNCATED, WRONG_SIZE, Bytes, bytes_of, put, take
from .reading cimport ContextReader
from .trie cimport MAX_COUNT, MAX_ORDER, Cursor

MAX_SYMBOLS = 1 << WIDE_BITS


cdef inline void emit(Bytes* runs, Py_ssize_t* lengths, int which, unsigned int number) noexcept nogil:
    """Append a number to a run of bytes; without runs, add the length of its bytes."""
    if runs != NULL:
        put(&runs[which], number)
        return
    lengths[which] += 1
    while number >= 128:
        lengths[which] += 1
        number >>= 7


cdef class CompactCounts(ContextReader):
    """The n-grams of up to `order` symbols, which `unpack` adds level by level from the bytes of a file.

    Parameters
    ----------
    order, symbols : int
    boundary : int or None
    sizes, symbol_steps, counts : (n,) arrays of bytes
        See `levels.pxd`. They are needed until all levels are added.
    """
    cdef Compact t
    cdef Context[::1] contexts
    cdef uint16_t[::1] narrow_cells
    cdef uint32_t[::1] wide_cells
    cdef uint64_t[:, ::1] words
    cdef int[::1] large_cells, large_counts
    cdef const unsigned char[::1] size_bytes, step_bytes, count_bytes
    cdef Bytes sizes, steps, numbers
    cdef int made  # contexts so far
    cdef int last_first  # the first of the longest contexts; 0 at order 1
    cdef int level  # the contexts of so many symbols come next
    cdef int level_first, level_end  # the contexts of the level before
    cdef Py_ssize_t cell, cell_room, context_room, large_room
    cdef int64_t[64] n_grams
    cdef int64_t[64][5] with_count
    cdef readonly Py_ssize_t nbytes

    def __cinit__(self, int order, int symbols, boundary, const unsigned char[::1] sizes not None,
                  const unsigned char[::1] symbol_steps not None, const unsigned char[::1] counts not None):
        cdef Compact* t = &self.t
        cdef int64_t size, count, n_contexts = 2, n_cells = 0, n_large = 0
        cdef Bytes run
        if not 1 <= order <= MAX_ORDER or not 1 <= symbols <= MAX_SYMBOLS:
            raise ValueError(f"order must be from 1 to {MAX_ORDER}, and symbols from 1 to {MAX_SYMBOLS}; got {order} "
                             f"and {symbols}")
        if boundary is not None and not 0 <= boundary < symbols:
            raise ValueError(f"boundary must be None or below {symbols}, not {boundary}")
        memset(t, 0, sizeof(t[0]))
        t.order = order
        t.symbols = symbols
        t.boundary = -1 if boundary is None else boundary
        t.wide = symbols > 1 << NARROW_BITS
        run = bytes_of(sizes)
        while run.at < run.end:
            size = take(&run)
            if size < 0 or size > symbols:
                raise ValueError("the number of symbols after a context is invalid")
            n_contexts += size > 0
            n_cells += size + (header_cells(t) if size > FEW else 0)
        run = bytes_of(counts)
        while run.at < run.end:
            count = take(&run)
            if count < 0:
                raise ValueError("the count of an n-gram is cut off or too large")
            n_large += count >= (WIDE_LARGE if t.wide else NARROW_LARGE)
        if max(n_contexts, n_cells) >= MAX_COUNT:
            raise ValueError("there are too many n-grams")
        self.context_room = n_contexts
        self.cell_room = n_cells
        self.large_room = n_large
        self._reserve()
        self.size_bytes = sizes
        self.step_bytes = symbol_steps
        self.count_bytes = counts
        self.sizes = bytes_of(sizes)
        self.steps = bytes_of(symbol_steps)
        self.numbers = bytes_of(counts)
        self.source.source = NULL
        self.source.fill = fill_after
        self.missing = "the reader has no contexts"
        self.source.symbols = symbols
        self.source.context = order - 1

    def _reserve(self):
        """Provide the arrays."""
        cdef Compact* t = &self.t
        cdef Py_ssize_t words = self.cell_room // 64 + 1
        self.contexts = np.zeros(2 * (self.context_room + 1), np.int32).view([("suffix", np.intc), ("first", np.intc)])
        if t.wide:
            self.wide_cells = np.zeros(self.cell_room + 1, np.uint32)
            t.wide_cells = &self.wide_cells[0]
        else:
            self.narrow_cells = np.zeros(self.cell_room + 1, np.uint16)
            t.narrow_cells = &self.narrow_cells[0]
        self.words = np.zeros((words, 2), np.uint64)
        self.large_cells = np.zeros(self.large_room + 1, np.int32)
        self.large_counts = np.zeros(self.large_room + 1, np.int32)
        t.contexts = &self.contexts[0]
        t.words = <Word*>&self.words[0, 0]
        t.large_cells = &self.large_cells[0]
        t.large_counts = &self.large_counts[0]
        self.nbytes = (8 * (self.context_room + 1) + (4 if t.wide else 2) * (self.cell_room + 1) + 16 * words
                       + 8 * (self.large_room + 1))

    def unpack(self):
        """Add the contexts of one length, in the first call the empty one. After the last length, texts can be read."""
        cdef int64_t fault
        if self.level >= self.t.order:
            raise ValueError("all levels have been added")
        with nogil:
            fault = self.add_level()
        if fault == NO_SYMBOL:
            raise ValueError(f"an n-gram has a symbol that is not below the vocabulary's size {self.t.symbols}")
        if fault == NO_COUNT:
            raise ValueError("the count of an n-gram is 0 or too large")
        if fault == NO_SUFFIX:
            raise ValueError("an n-gram's suffix (the n-gram without its first symbol) is missing")
        if fault < 0:
            raise ValueError(f"there are not as many n-grams of length {self.level + 1} as declared, with valid sizes")
        self.level += 1
        if self.level == self.t.order:
            self.size_bytes = self.step_bytes = self.count_bytes = None
            self.source.source = &self.t

    @property
    def contexts_made(self) -> int:
        """The number of contexts so far."""
        return self.made

    @property
    def bytes_left(self) -> int:
        """Bytes that have not been read."""
        cdef Py_ssize_t left = self.sizes.end - self.sizes.at
        left += self.steps.end - self.steps.at
        return left + (self.numbers.end - self.numbers.at)

    @property
    def edges(self) -> list:
        """The number of distinct n-grams of each length."""
        return [self.n_grams[k] for k in range(self.t.order)]

    def counts_of_counts(self):
        """Return how many n-grams of each length have count 1, 2, 3 and 4, (order, 4)."""
        return np.array([[self.with_count[k][n] for n in range(1, 5)] for k in range(self.t.order)], np.int64)

    def set_discounts(self, const double[:, ::1] discounts not None):
        """Use these discounts, (order, 4), for counts of 0, 1, 2 and 3 or more of n-grams of each length."""
        require_size("discounts", discounts.shape[0], self.t.order)
        require_size("discounts of a length", discounts.shape[1], 4)
        memcpy(self.t.discounts, &discounts[0, 0], self.t.order * 4 * sizeof(double))

    cdef int64_t add_level(self) noexcept nogil:
        """Add the contexts of `level` symbols; return 0 or a Fault."""
        cdef Compact* t = &self.t
        cdef int64_t size, fault
        cdef int owner, first = self.made, suffix
        cdef Py_ssize_t cell
        cdef Cells cells
        if self.level == 0:
            size = take(&self.sizes)
            if size < 0:
                return TRUNCATED
            fault = self.add_context(0, size)
            t.root_end = self.cell
            self.level_first = 0
            self.level_end = self.made
            return fault
        for owner in range(self.level_first, self.level_end):
            cells = cells_of(t, owner)
            for cell in range(cells.first, cells.first + cells.n):
                size = take(&self.sizes)
                if size < 0:
                    return TRUNCATED
                if size:
                    suffix = self.suffix_for(owner, symbol_in(t, cell))
                    if suffix < 0:
                        return suffix
                    t.words[cell >> 6].bits |= <uint64_t>1 << (cell & 63)
                    fault = self.add_context(suffix, size)
                    if fault < 0:
                        return fault
        if self.level == 1 and t.boundary >= 0:
            size = take(&self.sizes)
            if size < 0:
                return TRUNCATED
            t.start = self.made
            fault = self.add_context(0, size)
            if fault < 0:
                return fault
        self.last_first = first
        self.count_bits(t.contexts[self.level_first].first, t.contexts[self.level_end].first)
        self.level_first = first
        self.level_end = self.made
        return 0

    cdef int suffix_for(self, int owner, int symbol) noexcept nogil:
        """The suffix of the context longer than `owner` by a symbol; NO_SUFFIX if it is missing."""
        cdef Py_ssize_t cell
        cdef int found
        if not owner:
            return 0
        cell = cell_of(&self.t, cells_of(&self.t, self.t.contexts[owner].suffix), symbol)
        found = child_of(&self.t, cell) if cell >= 0 else 0
        return found if found else NO_SUFFIX

    cdef void count_bits(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        """Bring the ranks up to date after the bits of the cells [first, last) have been set."""
        cdef Py_ssize_t word
        for word in range(first >> 6, last >> 6):
            self.t.words[word + 1].rank = self.t.words[word].rank + bits_set(self.t.words[word].bits)

    cdef int64_t add_context(self, int suffix, int64_t size) noexcept nogil:
        """Add a context with `size` cells; return 0 or a Fault."""
        cdef Compact* t = &self.t
        cdef int64_t symbol = -1, step, count, i, sum = 0
        cdef Cells shorter
        cdef Totals totals
        cdef Py_ssize_t first = self.cell
        cdef int large = WIDE_LARGE if t.wide else NARROW_LARGE
        if size > t.symbols or self.made >= self.context_room:
            return WRONG_SIZE
        if size > FEW:
            first += header_cells(t)
        if first + size > self.cell_room:
            return WRONG_SIZE
        if self.level:
            shorter = cells_of(t, suffix)
        totals.ones = totals.twos = 0
        for i in range(size):
            step = take(&self.steps)
            count = take(&self.numbers)
            if step < 0 or count < 0:
                return TRUNCATED
            symbol += step + 1
            sum += count
            if symbol >= t.symbols:
                return NO_SYMBOL
            if count == 0 or sum > MAX_COUNT:
                return NO_COUNT
            if self.level and cell_of(t, shorter, <int>symbol) < 0:
                return NO_SUFFIX
            if count >= large:
                t.large_cells[t.large] = <int>(first + i)
                t.large_counts[t.large] = <int>count
                t.large += 1
            if t.wide:
                t.wide_cells[first + i] = <uint32_t>(symbol | min(count, large) << WIDE_BITS)
            else:
                t.narrow_cells[first + i] = <uint16_t>(symbol | min(count, large) << NARROW_BITS)
            totals.ones += count == 1
            totals.twos += count == 2
            if count <= 4:
                self.with_count[self.level][count] += 1
        totals.sum = <int>sum
        if size > FEW and t.wide:
            memcpy(&t.wide_cells[self.cell], &totals, HEADER_BYTES)
        elif size > FEW:
            memcpy(&t.narrow_cells[self.cell], &totals, HEADER_BYTES)
        t.contexts[self.made].suffix = suffix
        t.contexts[self.made].first = <int>self.cell
        self.cell = first + size
        self.made += 1
        t.contexts[self.made].first = <int>self.cell
        self.n_grams[self.level] += size
        return 0

    def pack(self) -> tuple:
        """Return the bytes that these counts were made from: arrays of sizes, symbols and counts."""
        cdef Py_ssize_t[3] lengths
        cdef unsigned char[::1] sizes, steps, counts
        cdef Bytes[3] runs
        if self.source.source == NULL:
            raise ValueError("levels are missing: call unpack")
        lengths[0] = lengths[1] = lengths[2] = 0
        with nogil:
            self.write(NULL, lengths)
        arrays = [np.empty(lengths[i], np.uint8) for i in range(3)]
        sizes, steps, counts = arrays
        runs[0] = bytes_of(sizes)
        runs[1] = bytes_of(steps)
        runs[2] = bytes_of(counts)
        with nogil:
            self.write(runs, lengths)
        return tuple(arrays)

    cdef void write(self, Bytes* runs, Py_ssize_t* lengths) noexcept nogil:
        """Write the bytes of sizes, symbols and counts; without `runs`, only add up their lengths."""
        cdef const Compact* t = &self.t
        cdef int context, child, last
        cdef Py_ssize_t cell
        cdef Cells cells
        emit(runs, lengths, 0, <unsigned int>cells_of(t, 0).n)
        for context in range(self.made):
            cells = cells_of(t, context)
            last = -1
            for cell in range(cells.first, cells.first + cells.n):
                emit(runs, lengths, 1, <unsigned int>(symbol_in(t, cell) - last - 1))
                emit(runs, lengths, 2, <unsigned int>count_in(t, cell))
                last = symbol_in(t, cell)
                if context < self.last_first:
                    child = child_of(t, cell)
                    emit(runs, lengths, 0, <unsigned int>cells_of(t, child).n if child else 0)
            if context == 0 and t.start:
                emit(runs, lengths, 0, <unsigned int>cells_of(t, t.start).n)

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil:
        """The longest context at the end of n symbols; negative symbols stand for what comes before a text."""
        return after_symbols(&self.t, symbols, n)

    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil:
        """out[i * stride] = log P(ids[i * stride]); the context becomes the one after the symbols."""
        cdef Py_ssize_t i
        for i in range(n):
            out[i * stride] = log(probability(&self.t, c, ids[i * stride]))

    cdef void fill(self, Cursor c, double* row) noexcept nogil:
        """row[w] = log p(w | context) for all symbols w."""
        fill_row(&self.t, c, row)

    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil:
        """The longest context after another symbol."""
        return after_symbol(&self.t, c, symbol)
