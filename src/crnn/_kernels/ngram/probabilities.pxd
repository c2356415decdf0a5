"""Interpolated modified Kneser-Ney: the probability of a symbol after a context, or of all symbols.

    p(w | c) = (n(c w) - D[n(c w)]) / n(c) + g(c) p(w | c without its first symbol)
    g(c) = sum over w of D[n(c w)] / n(c)

with the discounts D for contexts of c's length, n(c) the sum of the counts n(c w), and 1 / V below the empty context.
The terms are added from the longest context to the shortest, so a symbol has the same bits alone and in a row.
"""
# The same in NumPy: `reference/kneser_ney.py`.
from libc.math cimport log
from .counting cimport begin
from .trie cimport (
    HEADER, NO_EDGE, ONES, TWOS, Cursor, Edge, Place, Trie, block_of, capacity_for, context_at, edge_of,
    edges_in_block, has_block, has_no_edge, has_one_edge, place_of, text_at,
)


cdef inline double discounted(const Trie* t, int depth, int count) noexcept nogil:
    """count - D[count], with the discounts for contexts of a length."""
    return count - t.discounts[depth][min(count, 3)]


cdef inline double back_off(const Trie* t, Place p, int depth) noexcept nogil:
    """g(c) of a context with edges."""
    cdef const double* D = t.discounts[depth]
    cdef const int* block
    if has_one_edge(p.node):
        return D[min(p.node.count, 3)] / p.node.count
    block = block_of(p)
    return (D[1] * block[ONES] + D[2] * block[TWOS]
            + D[3] * (edges_in_block(p.node) - block[ONES] - block[TWOS])) / p.node.child


cdef inline int sum_of_counts(Place p) noexcept nogil:
    """n(c): the sum of the counts of a context's edges."""
    return p.node.count if has_one_edge(p.node) else p.node.child


cdef inline void step(const Trie* t, Cursor* after, int depth, int child) noexcept nogil:
    """Move to the child of a context, unless a longer context has been found or, without a node, its place."""
    if child > 0:
        after.node = child
        after.depth = depth + 1
    if after.full <= depth:
        after.full = depth + 1
        after.place = context_at(child)


cdef inline Cursor within_text(const Trie* t, Cursor c, int symbol, int following) noexcept nogil:
    """The context after a symbol if it follows in the text a context that occurred once, else the empty context.

    `following` is the symbol of the text, or NO_EDGE.
    """
    cdef Cursor after
    after.node = 0
    after.depth = 0
    after.full = 0
    after.place = 0
    if symbol == following:
        after.full = min(c.full + 1, t.order - 1)
        after.place = c.place + 1
    return after


cdef inline double probability(const Trie* t, Cursor* c, int symbol) noexcept nogil:
    """p(symbol | context); the context becomes the longest one in the trie after the symbol."""
    cdef double p = 0, factor = 1
    cdef int node = c.node, depth = c.depth, following = NO_EDGE
    cdef bint found = symbol == t.boundary
    cdef Place place
    cdef Edge e
    if c.full > depth:
        following = text_at(t, c.place)
        if following != NO_EDGE:
            for depth in range(c.full, c.depth, -1):
                p += factor * (1 - t.discounts[depth][1]) * (symbol == following)
                factor *= t.discounts[depth][1]
            depth = c.depth
    c[0] = begin(t) if found else within_text(t, c[0], symbol, following)
    while True:
        place = place_of(t, node)
        if not has_no_edge(place.node):
            e = edge_of(place, symbol)
            if e.count != NULL:
                p += factor / sum_of_counts(place) * discounted(t, depth, e.count[0])
                if not found and depth < t.order - 1 and e.child[0]:
                    step(t, c, depth, e.child[0])
                    found = c.node != 0
            factor *= back_off(t, place, depth)
        if not node:
            return p + factor / t.symbols
        node = place.node.suffix
        depth -= 1


cdef inline Cursor after_symbol(const Trie* t, Cursor c, int symbol) noexcept nogil:
    """The longest context in the trie that a text has reached after another symbol."""
    cdef int node = c.node, depth = c.depth
    cdef Cursor after
    cdef Place p
    cdef Edge e
    if symbol == t.boundary:
        return begin(t)
    after = within_text(t, c, symbol, text_at(t, c.place) if c.full > depth else NO_EDGE)
    while True:
        p = place_of(t, node)
        if depth < t.order - 1:
            e = edge_of(p, symbol)
            if e.count != NULL and e.child[0]:
                step(t, &after, depth, e.child[0])
        if after.node or not node:
            return after
        node = p.node.suffix
        depth -= 1


cdef inline Cursor after_symbols(const Trie* t, const int* symbols, Py_ssize_t n) noexcept nogil:
    """The longest context in the trie at the end of n symbols; only the last order - 1 symbols count."""
    cdef Cursor c
    cdef Py_ssize_t i
    c.node = 0
    c.depth = 0
    c.full = 0
    c.place = 0
    for i in range(max(0, n - t.order + 1), n):
        if symbols[i] >= 0:  # others represent what comes before a text
            c = after_symbol(t, c, symbols[i])
    return c


cdef inline void fill_row(const Trie* t, Cursor c, double* row) noexcept nogil:
    """row[w] = log p(w | context) for all symbols w."""
    cdef Py_ssize_t w, i, n
    cdef int following = text_at(t, c.place) if c.full > c.depth else NO_EDGE
    cdef double factor = 1, scale
    cdef double* D
    cdef const int* block
    cdef const int* symbols
    cdef const int* counts
    cdef Place p
    for w in range(t.symbols):
        row[w] = 0
    while c.full > c.depth and following != NO_EDGE:
        row[following] += factor * (1 - t.discounts[c.full][1])
        factor *= t.discounts[c.full][1]
        c.full -= 1
    while True:
        p = place_of(t, c.node)
        D = <double*>t.discounts[c.depth]
        if has_one_edge(p.node):
            row[p.node.tag] += factor / p.node.count * discounted(t, c.depth, p.node.count)
        elif has_block(p.node):
            n = edges_in_block(p.node)
            block = block_of(p)
            symbols = block + HEADER
            counts = symbols + capacity_for(n)
            scale = factor / p.node.child
            for i in range(n):
                row[symbols[i]] += scale * (counts[i] - D[min(counts[i], 3)])
        if not has_no_edge(p.node):
            factor *= back_off(t, p, c.depth)
        if not c.node:
            break
        c.node = p.node.suffix
        c.depth -= 1
    for w in range(t.symbols):
        row[w] = log(row[w] + factor / t.symbols)


cdef inline void fill_after(const void* trie, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    """A row of logits for any caller, see `row_source`."""
    cdef const Trie* t = <const Trie*>trie
    fill_row(t, after_symbols(t, symbols, n), row)
