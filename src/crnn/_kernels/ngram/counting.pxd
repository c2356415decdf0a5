"""Count a symbol after its context by Kneser-Ney's rule: each time in the longest context, once in shorter ones."""
from .trie cimport (
    MAX_COUNT, Cursor, Edge, Place, Trie, add_edge, add_to_statistics, append_text, context_at, edge_of, has_block,
    new_node, owned, place_of,
)


cdef inline void add(Trie* t, Place p, Edge e, int depth, int times) noexcept nogil:
    """Add a number to the count of an edge of an owned context; a count at its limit, as in a crafted file, stays."""
    cdef int old = e.count[0]
    cdef int new = MAX_COUNT if times > MAX_COUNT - old else old + times
    e.count[0] = new
    if has_block(p.node):
        add_to_statistics(p, old, new)
    if not old:
        t.edges[depth] += 1
    elif old <= 4:
        t.counts_of_counts[depth][old] -= 1
    if new <= 4:
        t.counts_of_counts[depth][new] += 1


cdef inline Cursor begin(const Trie* t) noexcept nogil:
    """The context at the start of a document: a boundary."""
    cdef Cursor c
    c.node = t.start
    c.place = 0
    c.depth = c.full = t.start != 0
    return c


cdef inline Cursor read_on(Trie* t, Cursor c, int symbol, int times) noexcept nogil:
    """Count a symbol `times` times and return the context after it, creating it if new; 0: only return the context.

    The symbol's count in the longest context becomes larger by `times`, as if the text up to here were read again from
    its beginning. If the symbol had not followed before, 1 is added in the next shorter context, and so on: in a
    shorter context, a count is the number of distinct symbols before the context, plus the number of texts that start
    with it. On the way, the nodes of the contexts after the symbol are made and linked.

    Where the text is kept, a context without a node has not occurred before. Its n-gram is counted only in the totals.
    """
    cdef int node = c.node, depth = c.depth, last = -1, length
    cdef Cursor after
    cdef Place p
    cdef Edge e
    cdef bint is_new, kept = times and t.text != NULL
    cdef bint linked = symbol == t.boundary  # every new node has its suffix; after a boundary there are no new nodes
    after.node = 0
    after.depth = 0
    if kept:
        append_text(t, symbol)
        for length in range(depth + 1, c.full + 1):
            t.edges[length] += 1
            t.counts_of_counts[length][1] += 1
    after.full = min(c.full + 1, t.order - 1) if kept else 0
    after.place = <int>(t.text_start + t.text_count)
    if linked:
        after = begin(t)
    while True:
        p = owned(t, node, depth) if times else place_of(t, node)
        e = edge_of(p, symbol)
        is_new = e.count == NULL
        if times and is_new:
            e = add_edge(t, p, depth, symbol)
            add(t, p, e, depth, times)
            times = 1
        elif times:
            add(t, p, e, depth, times)
            times = 0
        if not linked and is_new and kept and depth < t.order - 1:
            e.child[0] = context_at(after.place)
        elif not linked and e.count != NULL and depth < t.order - 1:
            linked = e.child[0] > 0
            if not linked:
                p = owned(t, node, depth)
                e = edge_of(p, symbol)
                e.child[0] = new_node(t, e.child[0])
            if last < 0:
                after.node = e.child[0]
                after.depth = depth + 1
                after.full = max(after.full, after.depth)
            else:
                place_of(t, last).node.suffix = e.child[0]
            last = e.child[0]
        if not node or (linked and not times):
            return after
        node = p.node.suffix
        depth -= 1
