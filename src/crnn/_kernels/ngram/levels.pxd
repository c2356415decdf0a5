"""The n-grams of one length at a time, as bytes and back: sorted, each number in as few bytes as needed.

A level is the sorted contexts of one length, including those never followed by anything. Three runs of bytes contain,
for each context, its number of edges; for each edge, the symbol minus the previous one minus 1; and for each edge, the
count. The edges of a level, in this order, are the contexts of the next level.
"""
from libc.stdint cimport int64_t
from .trie cimport (
    HEADER, MAX_COUNT, ONES, TWOS, Edge, Node, Place, Trie, block_of, block_words, capacity_for, edge_in_block,
    edge_in_node, edge_of, edges_in_block, has_block, has_no_edge, has_one_edge, new_node, place_of, place_of_context,
    take_block,
)

cdef enum Fault:  # in bytes; negative
    TRUNCATED = -1
    NO_SYMBOL = -2
    NO_COUNT = -3
    NO_SUFFIX = -4
    WRONG_SIZE = -5

cdef struct Bytes:
    unsigned char* at
    const unsigned char* end

cdef struct Level:  # of contexts: the nodes, or what leads to them
    Py_ssize_t size
    int* nodes
    int* symbols


cdef inline Bytes bytes_of(const unsigned char[::1] array) noexcept nogil:
    """The bytes of an array, to be read or written from the first one on."""
    cdef Bytes found
    found.at = <unsigned char*>&array[0] if array.shape[0] else NULL
    found.end = found.at + array.shape[0]
    return found


cdef inline void put(Bytes* b, unsigned int number) noexcept nogil:
    """Append a number, seven bits per byte, lowest first; all bytes but the last have the eighth bit set."""
    while number >= 128:
        b.at[0] = <unsigned char>(number | 128)
        b.at += 1
        number >>= 7
    b.at[0] = <unsigned char>number
    b.at += 1


cdef inline int64_t take(Bytes* b) noexcept nogil:
    """Read a number of at most 31 bits, or return TRUNCATED."""
    cdef int64_t number = 0
    cdef int shift = 0
    cdef unsigned char byte
    while b.at < b.end and shift < 35:
        byte = b.at[0]
        b.at += 1
        number |= <int64_t>(byte & 127) << shift
        if byte < 128:
            return number if number <= MAX_COUNT else TRUNCATED
        shift += 7
    return TRUNCATED


cdef inline Py_ssize_t edge_count(Place p) noexcept nogil:
    """The number of edges of a context."""
    return edges_in_block(p.node) if has_block(p.node) else not has_no_edge(p.node)


cdef inline Py_ssize_t edges_of_node(const Trie* t, int node) noexcept nogil:
    """The number of edges of a node, or of a context that occurred once; 0 if it is -1."""
    cdef Node once
    return edge_count(place_of_context(t, node, &once)) if node != -1 else 0


cdef inline int symbol_at(Place p, Py_ssize_t i) noexcept nogil:
    """The symbol of a context's i-th edge."""
    return p.node.tag if has_one_edge(p.node) else block_of(p)[HEADER + i]


cdef inline Edge edge_at(Place p, Py_ssize_t i) noexcept nogil:
    """A context's i-th edge."""
    return edge_in_block(block_of(p), edges_in_block(p.node), i) if has_block(p.node) else edge_in_node(p)


cdef inline int* raw_of(const Trie* t, Place p, Edge e, int* raw_nodes, int* raw_pool) noexcept nogil:
    """The entry for an edge in arrays like the trie's: one array for nodes with one edge, and one like the pool."""
    return raw_nodes + (p.node - t.nodes) if has_one_edge(p.node) else raw_pool + (e.count - t.pool)


cdef inline Py_ssize_t children_of_level(const Trie* t, const int* nodes, Py_ssize_t n, int* children) noexcept nogil:
    """Write the child of each edge of n contexts shorter than order - 1, -1 for none; return their number."""
    cdef Py_ssize_t i, j, found = 0
    cdef int child
    cdef Place p
    cdef Node once
    for i in range(n):
        if nodes[i] == -1:
            continue
        p = place_of_context(t, nodes[i], &once)
        for j in range(edge_count(p)):
            child = edge_at(p, j).child[0]
            children[found] = child if child else -1
            found += 1
    return found


cdef inline void depths_of_nodes(const Trie* t, unsigned char* depths) noexcept nogil:
    """depths[i] = the number of symbols of context i; nodes behind a node's edges have larger numbers than its own."""
    cdef Py_ssize_t i, j
    cdef int child
    cdef Place p
    depths[0] = 0
    if t.start:
        depths[t.start] = 1
    for i in range(t.node_count):
        p = place_of(t, <int>i)
        for j in range(edge_count(p) if depths[i] < t.order - 1 else 0):
            child = edge_at(p, j).child[0]
            if child > 0:
                depths[child] = depths[i] + 1


cdef inline void pack_level(const Trie* t, const int* nodes, Py_ssize_t n, int* raw_nodes, int* raw_pool,
                            Bytes* sizes, Bytes* symbols, Bytes* counts) noexcept nogil:
    """Append n contexts, -1 for one without edges, to bytes with room for them, with counts from `raw_*` if given."""
    cdef Py_ssize_t i, j, edges
    cdef int last
    cdef Place p
    cdef Edge e
    cdef Node once
    for i in range(n):
        if nodes[i] == -1:
            put(sizes, 0)
            continue
        p = place_of_context(t, nodes[i], &once)
        edges = edge_count(p)
        last = -1
        put(sizes, <unsigned int>edges)
        for j in range(edges):
            e = edge_at(p, j)
            put(symbols, symbol_at(p, j) - last - 1)
            last = symbol_at(p, j)
            put(counts, e.count[0] if raw_nodes == NULL or nodes[i] < 0 else raw_of(t, p, e, raw_nodes, raw_pool)[0])


cdef inline int64_t words_of_sizes(Bytes sizes, int V, int64_t* contexts) noexcept nogil:
    """Pool entries needed by contexts of these sizes, and how many have edges; a Fault if one has too many."""
    cdef int64_t words = 0, size
    contexts[0] = 0
    while sizes.at < sizes.end:
        size = take(&sizes)
        if size < 0 or size > V:
            return WRONG_SIZE
        contexts[0] += size > 0
        if size > 1:
            words += block_words(capacity_for(size), True)
    return words


cdef inline int context_for(Trie* t, int owner, int symbol) noexcept nogil:
    """Make the context longer than `owner` by a symbol; NO_SUFFIX if the trie lacks it without its first symbol.

    NO_SYMBOL if the owner has no edge for the symbol.
    """
    cdef Place p = place_of(t, owner)
    cdef Edge e = edge_of(p, symbol), shorter
    cdef int made, suffix = 0
    if e.count == NULL:
        return NO_SYMBOL
    if owner:
        shorter = edge_of(place_of(t, p.node.suffix), symbol)
        if shorter.count == NULL or not shorter.child[0]:
            return NO_SUFFIX
        suffix = shorter.child[0]
    made = new_node(t)
    e.child[0] = made
    t.nodes[made].suffix = suffix
    return made


cdef inline int64_t unpack_context(Trie* t, int node, int depth, int64_t size, Bytes* symbols, Bytes* counts,
                                   int* next_owners, int* next_symbols) noexcept nogil:
    """Give `size` edges to a context without edges; return the sum of their counts, or a Fault."""
    cdef Place p = place_of(t, node)
    cdef Edge e
    cdef int64_t symbol = -1, count, total = 0, step, i
    cdef int at = 0
    if size > 1:
        at = take_block(t, capacity_for(size), depth < t.order - 1)
        t.pool[at + ONES] = 0
        t.pool[at + TWOS] = 0
        p.node.count = at
    for i in range(size):
        step = take(symbols)
        count = take(counts)
        if step < 0 or count < 0:
            return TRUNCATED
        symbol += step + 1
        total += count
        if symbol >= t.symbols:
            return NO_SYMBOL
        if count == 0 or total > MAX_COUNT:
            return NO_COUNT
        if node and edge_of(place_of(t, p.node.suffix), <int>symbol).count == NULL:
            return NO_SUFFIX
        p.node.tag = <int>symbol if size == 1 else <int>-size
        e = edge_at(p, i)
        e.count[0] = <int>count
        if size > 1:
            t.pool[at + HEADER + i] = <int>symbol
            t.pool[at + ONES] += count == 1
            t.pool[at + TWOS] += count == 2
        if depth < t.order - 1:
            e.child[0] = 0
            next_owners[i] = node
            next_symbols[i] = <int>symbol
        if count <= 4:
            t.counts_of_counts[depth][count] += 1
    if size > 1:
        p.node.child = <int>total
    t.edges[depth] += size
    return total


cdef inline int64_t unpack_level(Trie* t, int depth, Level level, Bytes* sizes, Bytes* symbols, Bytes* counts,
                                 Level following) noexcept nogil:
    """Add the edges of a level's contexts; write what leads to the contexts of the next level, and return their number.

    `level.nodes` own the edges that lead to the contexts, with `level.symbols`; an initial context is its own owner,
    with symbol -1. Returns a Fault if the bytes do not contain valid n-grams.
    """
    cdef Py_ssize_t i
    cdef int64_t size, used = 0, fault
    cdef int node
    for i in range(level.size):
        size = take(sizes)
        if size < 0:
            return TRUNCATED
        if size == 0:
            continue
        if size > t.symbols or used + size > following.size:
            return WRONG_SIZE
        node = level.nodes[i] if level.symbols[i] < 0 else context_for(t, level.nodes[i], level.symbols[i])
        if node < 0:
            return node
        fault = unpack_context(t, node, depth, size, symbols, counts, following.nodes + used, following.symbols + used)
        if fault < 0:
            return fault
        used += size
    return used
