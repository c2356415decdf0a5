"""Take a symbol's count back from its contexts: the reverse of counting it, see `counting.pxd`."""
from libc.string cimport memmove
from .counting cimport add
from .probabilities cimport after_symbol
from .trie cimport (
    HEADER, NO_EDGE, Cursor, Edge, Place, Trie, capacity_for, edge_of, edges_in_block, give_block, has_one_edge, owned,
)


cdef inline void drop_edge(Trie* t, Place p, int depth, Edge e) noexcept nogil:
    """Remove an edge with count 0 from an owned context. The context that it led to stays, without edges."""
    cdef bint children = depth < t.order - 1
    cdef Py_ssize_t n = edges_in_block(p.node)
    cdef Py_ssize_t size, left, i, part
    cdef int at = p.node.count
    cdef int child
    cdef int* edges
    if has_one_edge(p.node):
        p.node.tag = NO_EDGE
        return
    edges = p.pool + at + HEADER
    size = capacity_for(n)
    left = capacity_for(n - 1)
    i = e.count - edges - size
    for part in range(3 if children else 2):  # a smaller block leaves its last numbers unused
        memmove(edges + part * left, edges + part * size, i * sizeof(int))
        memmove(edges + part * left + i, edges + part * size + i + 1, (n - i - 1) * sizeof(int))
    p.node.tag = <int>(1 - n)
    if n == 2:  # the only edge left is in the node itself
        child = edges[2 * left] if children else 0
        p.node.tag = edges[0]
        p.node.count = edges[left]
        p.node.child = child
        give_block(t, at, left, children)


cdef inline Cursor remove_on(Trie* t, Cursor c, int symbol, int times) noexcept nogil:
    """Remove a symbol, counted at least `times` times in this context, and return the context after it.

    If its count in the longest context becomes 0, 1 is subtracted in the next shorter one, and so on.
    """
    cdef Cursor after = after_symbol(t, c, symbol)  # first, because an edge leads to it
    cdef Place p
    cdef Edge e
    while True:
        p = owned(t, c.node, c.depth)
        e = edge_of(p, symbol)
        if e.count == NULL:  # not what was counted
            return after
        add(t, p, e, c.depth, -min(times, e.count[0]))
        if e.count[0]:
            return after
        t.edges[c.depth] -= 1
        drop_edge(t, p, c.depth, e)
        if not c.node:
            return after
        c.node = p.node.suffix
        c.depth -= 1
        times = 1
