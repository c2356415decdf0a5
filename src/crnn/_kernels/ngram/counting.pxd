"""Count a symbol after its context by Kneser-Ney's rule: each time in the longest context, once in shorter ones."""
from .trie cimport (MAX_COUNT, NO_EDGE, Edge, Place, Trie, add_edge, add_to_statistics, edge_of, new_node, owned,
                    place_of)

cdef struct Cursor:  # the longest context in a trie that a text has reached
    int node
    int depth  # its length


cdef inline void add_one(Trie* t, Place p, Edge e, int depth) noexcept nogil:
    """Add 1 to an edge of an owned context; a count at its limit, possible only in a crafted file, stays there."""
    cdef int count = e.count[0] + 1 if e.count[0] < MAX_COUNT else MAX_COUNT
    e.count[0] = count
    if p.node.symbol < NO_EDGE:
        add_to_statistics(p.pool + p.node.count, count)
    if count == 1:
        t.edges[depth] += 1
    elif count <= 5:
        t.counts_of_counts[depth][count - 1] -= 1
    if count <= 4:
        t.counts_of_counts[depth][count] += 1


cdef inline Cursor begin(const Trie* t) noexcept nogil:
    """The context at the start of a document: a boundary."""
    cdef Cursor c
    c.node, c.depth = t.start, t.start != 0
    return c


cdef inline Cursor read_on(Trie* t, Cursor c, int symbol, bint counting) noexcept nogil:
    """Count a symbol, unless only the context is wanted, and return the context after it, creating it if new.

    From the longest context down, 1 is added to the symbol's count, up to and including the first context that the
    symbol followed before: in a shorter context, a count is the number of distinct symbols before the context,
    plus the number of texts that start with it. On the way, the nodes of the contexts after the symbol are made and
    linked.
    """
    cdef int node = c.node, depth = c.depth, last = -1
    cdef Cursor after
    cdef Place p
    cdef Edge e
    cdef bint linked = symbol == t.boundary  # every new node has its suffix; after a boundary there are no new nodes
    after.node, after.depth = 0, 0
    if linked:
        after = begin(t)
    while True:
        p = owned(t, node, depth) if counting else place_of(t, node)
        e = edge_of(p, symbol)
        if counting:
            counting = e.count == NULL
            if counting:
                e = add_edge(t, p, depth, symbol)
            add_one(t, p, e, depth)
        if not linked and e.count != NULL and depth < t.order - 1:
            linked = e.child[0] != 0
            if not linked:
                p = owned(t, node, depth)
                e = edge_of(p, symbol)
                e.child[0] = new_node(t)
            if last < 0:
                after.node, after.depth = e.child[0], depth + 1
            else:
                place_of(t, last).node.suffix = e.child[0]
            last = e.child[0]
        if not node or (linked and not counting):
            return after
        node = p.node.suffix
        depth -= 1
