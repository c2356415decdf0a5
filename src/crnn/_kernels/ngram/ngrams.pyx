"""The entry points for n-grams that are counted; `reading` has those that predict symbols from the previous ones.

Every argument is checked here, once; then a kernel is called that does not check and runs without the GIL. Any number
of threads may read a `Trie`, but only while none changes it.

The known symbols before a text are its context; only the last order - 1 count. A negative id stands for a position
before the beginning of a text.
"""
from libc.math cimport log
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset
import numpy as np
from ..entry.core import require_size
from .counting cimport read_on
from .levels cimport edge_at, edge_count, symbol_at
from .probabilities cimport (
    after_symbol, after_symbols, back_off, discounted, fill_after, fill_row, probability, sum_of_counts
)
from .reading cimport ContextReader, check_ids
from .removing cimport remove_on
from .trie cimport (
    MAX_ORDER, NO_EDGE, SEPARATOR, Cursor, Edge, Node, Place, Slot, append_text, block_of, context_at, edge_of,
    first_not_below, has_block, place_of, slot_of, symbol_room, text_at,
)
from .trie cimport Trie as TrieData

LONGEST_ORDER = MAX_ORDER

cdef extern from "prefetch.h" nogil:
    void PREFETCH(const void*)

cdef enum:
    MAX_NUMBER = 0x7fffffff  # of nodes, of pool entries

cdef double SMALL = 1e-100  # a product of probabilities above it, times another, is a normal float64


cdef class Trie(ContextReader):
    """The n-grams of up to `order` symbols and their counts, in arrays provided by `grow`.

    With a `base`, counts continue from the base's, which must not change again; its discounts stay.
    """
    cdef TrieData t
    cdef int[:, ::1] nodes
    cdef int[::1] pool
    cdef int[:, ::1] slots
    cdef unsigned char[::1] text
    cdef readonly Trie base
    cdef int next_level, level_first, level_end  # for `unpack`: the next level, and the contexts of the previous one

    def __cinit__(self, int order, int symbols, boundary=None, Trie base=None):
        cdef TrieData* t = &self.t
        if not 1 <= order <= MAX_ORDER:
            raise ValueError(f"order must be from 1 to {MAX_ORDER}, not {order}")
        if symbols < 1 or boundary is not None and not 0 <= boundary < symbols:
            raise ValueError(f"boundary must be None or below the number of symbols, at least 1; got {boundary} and "
                             f"{symbols}")
        memset(t, 0, sizeof(t[0]))
        t.order = order
        t.symbols = symbols
        t.boundary = -1 if boundary is None else boundary
        t.start = order > 1 and boundary is not None
        self.source.source = NULL
        self.source.fill = fill_after
        self.source.symbols = symbols
        self.source.context = order - 1
        self.missing = "the trie has no arrays: call grow"
        if base is not None:
            if base.base is not None or (base.t.order, base.t.symbols, base.t.boundary) != (order, symbols, t.boundary):
                raise ValueError("base must have no base of its own, and this trie's order, symbols and boundary")
            t.base = &base.t
            t.base_count = <int>base.t.node_count
            t.text_start = base.t.text_count
            memcpy(t.edges, base.t.edges, sizeof(t.edges))
            memcpy(t.counts_of_counts, base.t.counts_of_counts, sizeof(t.counts_of_counts))
            memcpy(t.discounts, base.t.discounts, sizeof(t.discounts))
        self.base = base

    def grow(self, int[:, ::1] nodes not None, int[::1] pool not None, int[:, ::1] slots=None):
        """Continue in larger arrays: nodes (n, 4), the pool (m,) and, with a base, slots (k, 2) with k a power of 2."""
        cdef TrieData* t = &self.t
        cdef const Slot* old_slots = t.slots
        cdef Py_ssize_t i, old_count = t.slot_count
        if (nodes.shape[1] != 4 or nodes.shape[0] < max(t.node_count, 2) or pool.shape[0] < max(t.pool_used, 1)
                or max(nodes.shape[0] + t.base_count, pool.shape[0]) > MAX_NUMBER):
            raise ValueError(f"nodes ({nodes.shape[0]}) or pool ({pool.shape[0]}) is too small or too large")
        if (slots is not None) != (t.base != NULL):
            raise ValueError("slots must be given if, and only if, the trie has a base")
        if slots is not None and (slots.shape[1] != 2 or slots.shape[0] & (slots.shape[0] - 1)
                                  or slots.shape[0] <= 2 * t.slots_used):
            raise ValueError(f"slots must have 2 columns and as many rows as a power of 2 above {2 * t.slots_used}, "
                             f"not {slots.shape[0]}")
        if t.node_count:
            memcpy(&nodes[0, 0], t.nodes, t.node_count * sizeof(Node))
            memcpy(&pool[0], t.pool, t.pool_used * sizeof(int))
        elif t.base == NULL:
            nodes[:2] = 0
            nodes[:2, 1] = NO_EDGE  # their tags
            pool[0] = 0
            t.node_count = 1 + (t.start > 0)
            t.pool_used = 1  # no block starts at 0
        t.pool_used = max(t.pool_used, 1)
        t.nodes = <Node*>&nodes[0, 0]
        t.node_room = nodes.shape[0]
        t.pool = &pool[0]
        t.pool_room = pool.shape[0]
        if slots is not None:
            slots[:] = -1
            t.slots = <Slot*>&slots[0, 0]
            t.slot_count = slots.shape[0]
            for i in range(old_count):
                if old_slots[i].node >= 0:
                    t.slots[slot_of(t, old_slots[i].node)] = old_slots[i]
        self.nodes = nodes  # may free the old array, as may the next two
        self.pool = pool
        self.slots = slots
        self.source.source = t

    def keep_text(self, unsigned char[::1] text not None):
        """Keep the text counted from now on in an array, copied from the one before; see `trie.pxd`.

        A symbol takes one byte, or four if there are more than 255. A trie that has counted must already keep its text.
        """
        cdef TrieData* t = &self.t
        cdef Py_ssize_t width = 4 if t.symbols > SEPARATOR else 1
        if t.text == NULL and (t.edges[0] if t.base == NULL else t.base.text == NULL):
            raise ValueError("the trie has counted symbols, or extends a trie, without a text")
        if not t.text_count < text.shape[0] // width <= MAX_NUMBER - 2 - t.text_start:
            raise ValueError(f"a text of {text.shape[0]} bytes is too short or too long")
        if t.text_count:
            memcpy(&text[0], t.text, t.text_count * width)
        t.text = &text[0]
        t.text_room = text.shape[0] // width
        self.text = text  # may free the old array

    def assign(self, Trie other not None, int[:, ::1] nodes not None, int[::1] pool not None, int[:, ::1] slots=None):
        """Become a copy of a trie with the same order, symbols and base, in new arrays.

        A copy of a trie with a text can count only after `keep_text`.
        """
        cdef TrieData* t = &self.t
        if self.base is not other.base or (
                (other.t.order, other.t.symbols, other.t.boundary) != (t.order, t.symbols, t.boundary)):
            raise ValueError("other must have this trie's base, order, symbols and boundary")
        cdef TrieData before = t[0]
        t[0] = other.t
        try:
            self.grow(nodes, pool, slots)
        except BaseException:
            t[0] = before  # not the other trie's arrays
            raise
        t.text_room = t.text_count
        if t.text != NULL:
            self.text = other.text

    @property
    def node_count(self) -> int:
        """Nodes in use, without the base's nodes."""
        return self.t.node_count

    @property
    def pool_used(self) -> int:
        """Pool entries in use."""
        return self.t.pool_used

    @property
    def text_used(self) -> int:
        """Symbols and separators in use of the text, without the base's."""
        return self.t.text_count

    @property
    def beginning(self) -> list:
        """The node of a context that starts with a boundary; empty without a boundary."""
        return [self.t.start] if self.t.start else []

    @property
    def room_for_symbol(self) -> tuple:
        """Nodes and pool entries that must be free for a symbol to be counted."""
        return 2 * self.t.order, symbol_room(&self.t)

    @property
    def edges(self) -> list:
        """The number of distinct n-grams of each length."""
        return [self.t.edges[k] for k in range(self.t.order)]

    def counts_of_counts(self):
        """Return how many n-grams of each length have count 1, 2, 3 and 4, (order, 4)."""
        return np.array([[self.t.counts_of_counts[k][n] for n in range(1, 5)] for k in range(self.t.order)], np.int64)

    def set_discounts(self, const double[:, ::1] discounts not None):
        """Use these discounts, (order, 4), for counts of 0, 1, 2 and 3 or more of n-grams of each length."""
        require_size("discounts", discounts.shape[0], self.t.order)
        require_size("discounts of a length", discounts.shape[1], 4)
        memcpy(self.t.discounts, &discounts[0, 0], self.t.order * 4 * sizeof(double))

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil:
        return after_symbols(&self.t, symbols, n)

    cdef void contexts_after(self, const int[:, ::1] contexts, const Py_ssize_t* rows, Py_ssize_t n, Cursor* c) \
            noexcept nogil:
        """A symbol of each stream in turn: the processor waits for the memory of many streams at once."""
        cdef const TrieData* t = &self.t
        cdef Py_ssize_t k = contexts.shape[1], b, i
        cdef Place p
        for b in range(n):
            c[b].node = 0
            c[b].depth = 0
            c[b].full = 0
            c[b].place = 0
        for i in range(max(0, k - t.order + 1), k):
            for b in range(n):
                if contexts[rows[b], i] >= 0:  # see `after_symbols`
                    c[b] = after_symbol(t, c[b], contexts[rows[b], i])
                    PREFETCH(place_of(t, c[b].node).node)
            for b in range(n):
                p = place_of(t, c[b].node)
                if has_block(p.node):
                    PREFETCH(block_of(p))
                    PREFETCH(block_of(p) + 16)

    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            out[i * stride] = log(probability(&self.t, c, ids[i * stride]))

    cdef void fill(self, Cursor c, double* row) noexcept nogil:
        fill_row(&self.t, c, row)

    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil:
        return after_symbol(&self.t, c, symbol)

    cdef bint has_room(self) noexcept nogil:
        """Whether a symbol can be counted: each context may be copied from the base, and the next one may be new."""
        cdef const TrieData* t = &self.t
        if (t.text != NULL or t.base != NULL and t.base.text != NULL) and t.text_room - t.text_count < 2:
            return False
        return (t.node_room - t.node_count >= 2 * t.order and t.pool_room - t.pool_used >= symbol_room(t)
                and (t.base == NULL or t.slot_count > 2 * (t.slots_used + 2 * t.order)))

    cdef bint come_to(self, const int* context, Py_ssize_t n, Cursor* c) noexcept nogil:
        """Find the context at the end of some symbols, creating missing nodes. False: no room."""
        cdef Py_ssize_t i, end = self.t.text_start + self.t.text_count
        if self.t.text != NULL and end and text_at(&self.t, end - 1) != NO_EDGE:
            if not self.has_room():
                return False
            append_text(&self.t, NO_EDGE)
        c.node = c.depth = c.full = c.place = 0
        for i in range(max(0, n - self.t.order + 1), n):
            if not self.has_room():
                return False
            if context[i] >= 0:
                c[0] = read_on(&self.t, c[0], context[i], 0)
        return True


cdef const int* _first(const int[::1] ids) noexcept nogil:
    return &ids[0] if ids.shape[0] else NULL


cdef bint _arrive(Trie trie, const int[::1] context, Cursor* c) noexcept nogil:
    """Find the context at the end of some symbols, or after the last symbol counted, if None. False: no room."""
    if context is None:
        c[0] = trie.t.cursor
        return True
    return trie.come_to(_first(context), context.shape[0], c)


def count(Trie trie not None, const int[::1] ids not None, const int[::1] context, const int[::1] times=None) -> int:
    """Count symbols after their context, already counted; return how many, fewer if the arrays have no room.

    The context None is the end of the symbols counted last: kept text continues there. `times` (n,) counts each symbol
    so often, as if its text were read so often from the beginning; None: once.
    """
    return _count(trie, ids, context, times, None, None)


def count_and_score(Trie trie not None, const int[::1] ids not None, const int[::1] context,
                    double[::1] out not None, double[:, ::1] rows=None) -> int:
    """Count symbols like `count`, but first set out[i] = log P(ids[i]) from the counts so far; return how many.

    If `rows` (n, V) are given, rows[i] are the log-probabilities of all symbols.
    """
    return _count(trie, ids, context, None, out, rows)


cdef Py_ssize_t _count(Trie trie, const int[::1] ids, const int[::1] context, const int[::1] times, double[::1] out,
                       double[:, ::1] rows) except -1:
    cdef Py_ssize_t i = 0, n = ids.shape[0]
    cdef Cursor c, before
    cdef bint weighted = times is not None, scored = out is not None, all_symbols = rows is not None
    check_ids(trie, _first(ids), n)
    if context is not None:
        check_ids(trie, _first(context), context.shape[0], -1)
    if weighted:
        require_size("times", times.shape[0], n)
        if trie.t.text != NULL:
            raise ValueError("a trie that keeps its text counts each symbol once")
        for i in range(n):
            if times[i] < 1:
                raise ValueError(f"times[{i}] is {times[i]}, but must be at least 1")
        i = 0
    if scored:
        require_size("log-probabilities", out.shape[0], n)
    if all_symbols:
        require_size("rows", rows.shape[0], n)
        require_size("symbols of a row", rows.shape[1], trie.t.symbols)
    with nogil:
        if _arrive(trie, context, &c):
            while i < n and trie.has_room():
                if all_symbols:
                    fill_row(&trie.t, c, &rows[i, 0])
                    out[i] = rows[i, ids[i]]
                elif scored:
                    before = c
                    out[i] = log(probability(&trie.t, &before, ids[i]))
                c = read_on(&trie.t, c, ids[i], times[i] if weighted else 1)
                i += 1
            trie.t.cursor = c
    return i


def remove(Trie trie not None, const int[::1] ids not None, const int[::1] context not None,
           const int[::1] times=None):
    """Take back the counts of symbols after their context, which must have been counted by `count`."""
    cdef Py_ssize_t i, n = ids.shape[0]
    cdef Cursor c
    cdef bint weighted = times is not None
    check_ids(trie, _first(ids), n)
    check_ids(trie, _first(context), context.shape[0], -1)
    if trie.t.base != NULL or trie.t.text != NULL:
        raise ValueError("this call needs a trie without a base or a text")
    if weighted:
        require_size("times", times.shape[0], n)
    with nogil:
        c = after_symbols(&trie.t, _first(context), context.shape[0])
        for i in range(n):
            c = remove_on(&trie.t, c, ids[i], max(1, times[i]) if weighted else 1)


def unroll(Trie trie not None, int depth, const int[::1] nodes not None, const int[::1] numbers not None,
           int[::1] suffixes not None, double[::1] scales not None, int[::1] firsts not None, int[::1] symbols not None,
           int[::1] nexts not None, int[::1] shorter not None, double[::1] p not None):
    """Write the contexts of one length as rows of arrays; call from the empty context to the longest ones.

    numbers[node] is a node's row; the nodes' own are consecutive. Row i has entries firsts[i], …, firsts[i + 1] - 1:
    the symbols that followed the context, sorted, with p(symbol | context), the next context's row, and the same
    symbol's entry after suffixes[i]. Other symbols have scales[i] times their p after suffixes[i], and the same next
    context. The empty context has an entry for every symbol.
    """
    cdef const TrieData* t = &trie.t
    cdef Py_ssize_t n = nodes.shape[0], i, k, edges, room = t.symbols, e = 0, first = 0
    cdef int symbol, suffix, other
    cdef double scale
    cdef Place place
    cdef Edge edge
    check_ids(trie, NULL, 0)
    if t.text != NULL:
        raise ValueError("this call needs a trie without a text")
    for i in range(n):
        if not 0 <= nodes[i] < numbers.shape[0] <= t.node_count or numbers[nodes[i]] != numbers[nodes[0]] + i:
            raise ValueError(f"node {nodes[i]} has no number, or the nodes are not in order")
    if not n:
        return
    first = numbers[nodes[0]]
    for k in range(t.order):
        room += t.edges[k]
    if min(suffixes.shape[0], scales.shape[0], firsts.shape[0] - 1) < first + n:
        raise ValueError(f"{suffixes.shape[0]} rows: too few")
    require_size("symbols", symbols.shape[0], room)
    require_size("next contexts", nexts.shape[0], room)
    require_size("shorter entries", shorter.shape[0], room)
    require_size("probabilities", p.shape[0], room)
    with nogil:
        e = firsts[first]
        for i in range(n):
            place = place_of(t, nodes[i])
            edges = edge_count(place)
            scale = back_off(t, place, depth) if edges else 1
            if depth == 0:
                suffixes[0] = 0
                scales[0] = 0
                for symbol in range(t.symbols):
                    edge = edge_of(place, symbol)
                    symbols[e] = symbol
                    shorter[e] = <int>e
                    p[e] = scale / t.symbols
                    nexts[e] = 0
                    if edge.count != NULL:
                        p[e] += discounted(t, 0, edge.count[0]) / sum_of_counts(place)
                        if t.order > 1 and edge.child[0]:
                            nexts[e] = numbers[edge.child[0]]
                    if symbol == t.boundary:
                        nexts[e] = numbers[t.start]
                    e += 1
            else:
                suffix = numbers[place.node.suffix]
                suffixes[first + i] = suffix
                scales[first + i] = scale
                for k in range(edges):
                    symbol = symbol_at(place, k)
                    edge = edge_at(place, k)
                    other = firsts[suffix] + <int>first_not_below(  # it is there: see `unpack_context` and `read_on`
                        &symbols[firsts[suffix]], firsts[suffix + 1] - firsts[suffix], symbol)
                    symbols[e] = symbol
                    shorter[e] = other
                    nexts[e] = nexts[other]
                    p[e] = discounted(t, depth, edge.count[0]) / sum_of_counts(place) + scale * p[other]
                    if depth < t.order - 1 and edge.child[0] and symbol != t.boundary:
                        nexts[e] = numbers[edge.child[0]]
                    e += 1
            firsts[first + i + 1] = <int>e


cdef class ClassCounts:
    """Several tries as one set of arrays, see `unroll`, which score strings faster than the tries.

    Parameters
    ----------
    roots : (K,) array
        The row of each trie's empty context, increasing from 0; a trie's rows and entries are consecutive.
    boundary : int
        The symbol in whose context a string starts.
    suffixes, scales : (N,) arrays
    firsts : (N + 1,) array
    symbols, nexts, p : (E,) arrays
    """
    cdef const int[::1] roots, suffixes, firsts, symbols, nexts
    cdef const double[::1] scales, p
    cdef int V, boundary

    def __cinit__(self, const int[::1] roots not None, int boundary, const int[::1] suffixes not None,
                  const double[::1] scales not None, const int[::1] firsts not None, const int[::1] symbols not None,
                  const int[::1] nexts not None, const double[::1] p not None):
        cdef Py_ssize_t K = roots.shape[0], N = suffixes.shape[0], E = symbols.shape[0], i, k
        cdef int root, end
        cdef bint good = K > 0 and N > 0
        require_size("scales", scales.shape[0], N)
        require_size("firsts", firsts.shape[0], N + 1)
        require_size("next contexts", nexts.shape[0], E)
        require_size("probabilities", p.shape[0], E)
        good = good and roots[0] == 0 and firsts[0] == 0 and firsts[N] == E
        for i in range(N if good else 0):
            good &= firsts[i] <= firsts[i + 1]
        self.V = firsts[1] if good else 0
        good &= 0 <= boundary < self.V
        for k in range(K if good else 0):
            root = roots[k]
            end = roots[k + 1] if k + 1 < K else <int>N
            if not 0 <= root < end <= N or firsts[root + 1] - firsts[root] != self.V:
                good = False
                break
            for i in range(root, end):  # a suffix comes before its context, so that the empty one is always reached
                good &= root <= suffixes[i] < max(i, root + 1)
            for i in range(firsts[root], firsts[end]):
                good &= root <= nexts[i] < end and 0 <= symbols[i] < self.V
            for i in range(self.V):
                good &= symbols[firsts[root] + i] == i
        if not good:
            raise ValueError("the arrays do not hold contexts of n-grams")
        self.roots = roots
        self.boundary = boundary
        self.suffixes = suffixes
        self.scales = scales
        self.firsts = firsts
        self.symbols = symbols
        self.nexts = nexts
        self.p = p

    def log_likelihoods(self, const int[::1] ids not None, const Py_ssize_t[::1] lengths not None,
                        double[:, ::1] out not None):
        """out[k, b] = log P of string b by trie k after a boundary; ids are the strings one after another."""
        cdef Py_ssize_t K = self.roots.shape[0], B = lengths.shape[0], b, k, first, n = 0
        cdef bint good = True
        cdef double total, product
        cdef int c
        require_size("rows of output", out.shape[0], K)
        require_size("strings of output", out.shape[1], B)
        for b in range(B):
            good &= 0 <= lengths[b] <= ids.shape[0] - n
            n += lengths[b]
        good &= n == ids.shape[0] and self.are_symbols(ids)
        if not good:
            raise ValueError(f"lengths must add up to the number of ids, which must be below {self.V}")
        with nogil:
            for k in range(K):  # a trie stays in the cache while it reads all strings
                first = 0
                for b in range(B):
                    c = self.nexts[self.firsts[self.roots[k]] + self.boundary]
                    total = 0
                    product = 1
                    self.read(_first(ids) + first, lengths[b], self.roots[k], &c, &total, &product)
                    first += lengths[b]
                    out[k, b] = total + log(product)

    def read_part(self, const int[::1] ids not None, int[::1] contexts not None, double[:, ::1] sums not None):
        """Read a part of a string by each trie: log P of the parts up to here is sums[k, 0] + log(sums[k, 1]).

        contexts (K,) and sums (K, 2) are from the part before, and updated. For the first part, a context of -1 is that
        of the boundary, and the sums are 0 and 1.
        """
        cdef Py_ssize_t K = self.roots.shape[0], k
        cdef int end
        cdef bint good = self.are_symbols(ids)
        require_size("contexts", contexts.shape[0], K)
        require_size("rows of sums", sums.shape[0], K)
        require_size("sums", sums.shape[1], 2)
        for k in range(K):
            end = self.roots[k + 1] if k + 1 < K else <int>self.suffixes.shape[0]
            good &= contexts[k] == -1 or self.roots[k] <= contexts[k] < end
        if not good:
            raise ValueError(f"ids must be below {self.V}, and contexts must belong to the tries")
        with nogil:
            for k in range(K):
                if contexts[k] == -1:
                    contexts[k] = self.nexts[self.firsts[self.roots[k]] + self.boundary]
                self.read(_first(ids), ids.shape[0], self.roots[k], &contexts[k], &sums[k, 0], &sums[k, 1])

    cdef bint are_symbols(self, const int[::1] ids) noexcept:
        """Whether all ids are symbols."""
        cdef Py_ssize_t i
        cdef bint good = True
        for i in range(ids.shape[0]):
            good &= 0 <= ids[i] < self.V
        return good

    cdef inline void read(self, const int* ids, Py_ssize_t n, int root, int* c, double* total, double* product) \
            noexcept nogil:
        """Add log p of n symbols from the context c on, which moves, to total + log(product)."""
        cdef Py_ssize_t i
        for i in range(n):
            product[0] *= self.advance(c, ids[i], root)
            if product[0] < SMALL:  # a logarithm for many symbols at once
                total[0] += log(product[0])
                product[0] = 1

    cdef inline double advance(self, int* c, int symbol, int root) noexcept nogil:
        """p(symbol | context c); c becomes the next context."""
        cdef double scale = 1
        cdef int row = c[0], first
        cdef Py_ssize_t n, i
        while row != root:
            first = self.firsts[row]
            n = self.firsts[row + 1] - first
            if n:
                i = first + first_not_below(&self.symbols[first], n, symbol)
                if i < first + n and self.symbols[i] == symbol:
                    c[0] = self.nexts[i]
                    return scale * self.p[i]
            scale *= self.scales[row]
            row = self.suffixes[row]
        i = self.firsts[root] + symbol
        c[0] = self.nexts[i]
        return scale * self.p[i]


include "levels_entry.pxi"
