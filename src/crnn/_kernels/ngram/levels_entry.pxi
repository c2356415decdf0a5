"""Entry points to n-grams as bytes, and to models of a smaller order. Part of `ngrams`."""
from .levels cimport (
    NO_COUNT, NO_SUFFIX, NO_SYMBOL, Bytes, Level, bytes_of, children_of_level, depths_of_nodes, edges_of_node,
    pack_level, unpack_level, words_of_sizes,
)
from .orders cimport RawCounts, count_raw_counts, pass_on, score_orders


cdef class Raw:
    """The occurrences of a trie's n-grams, in arrays: nodes (n,) and the pool (m,), initially the trie's counts."""
    cdef RawCounts raw
    cdef int[::1] nodes
    cdef int[::1] pool

    def __cinit__(self, Trie trie not None, int[::1] nodes not None, int[::1] pool not None):
        cdef Py_ssize_t i
        check_ids(trie, NULL, 0)
        require_size("nodes", nodes.shape[0], trie.t.node_count)
        require_size("pool", pool.shape[0], trie.t.pool_used)
        memset(&self.raw, 0, sizeof(self.raw))
        memcpy(&pool[0], trie.t.pool, trie.t.pool_used * sizeof(int))
        for i in range(trie.t.node_count):
            nodes[i] = trie.t.nodes[i].count
        self.nodes = nodes
        self.pool = pool
        self.raw.nodes = &nodes[0]
        self.raw.pool = &pool[0]

    def pass_on(self, Trie trie not None, const int[::1] nodes not None):
        """Add the occurrences in contexts to the contexts without their first symbol; call with the longest first."""
        _check_raw(self, trie)
        _check_nodes(trie, nodes)
        with nogil:
            pass_on(&trie.t, _first(nodes), nodes.shape[0], &self.raw)

    def counts_of_counts(self, Trie trie not None, const int[::1] nodes not None) -> list:
        """Return the number of n-grams of some contexts, and how many of them occur 1, 2, 3 and 4 times."""
        cdef int64_t[5] counts
        memset(counts, 0, sizeof(counts))
        _check_raw(self, trie)
        _check_nodes(trie, nodes)
        with nogil:
            count_raw_counts(&trie.t, _first(nodes), nodes.shape[0], &self.raw, counts)
        return [counts[0], counts[1], counts[2], counts[3], counts[4]]

    def score_orders(self, Trie trie not None, const double[:, ::1] discounts not None, const int[::1] ids not None,
                     const int[::1] context not None, double[::1] losses not None):
        """losses[m - 1] -= log P(ids | context) by the model of order m, with discounts (order, 4) of occurrences."""
        cdef Cursor c
        _check_raw(self, trie)
        require_size("discounts", discounts.shape[0], trie.t.order)
        require_size("discounts of a length", discounts.shape[1], 4)
        require_size("losses", losses.shape[0], trie.t.order)
        check_ids(trie, _first(ids), ids.shape[0])
        check_ids(trie, _first(context), context.shape[0], -1)
        memcpy(self.raw.discounts, &discounts[0, 0], trie.t.order * 4 * sizeof(double))
        with nogil:
            c = after_symbols(&trie.t, _first(context), context.shape[0])
            score_orders(&trie.t, &self.raw, _first(ids), ids.shape[0], c, &losses[0])


cdef int _check_raw(Raw raw, Trie trie) except -1:
    """Raise an error unless the occurrences are of this trie's n-grams."""
    check_ids(trie, NULL, 0)
    require_size("nodes", raw.nodes.shape[0], trie.t.node_count)
    require_size("pool", raw.pool.shape[0], trie.t.pool_used)
    return 0


cdef int _check_nodes(Trie trie, const int[::1] nodes, bint once=False) except -1:
    """Raise an error unless all nodes are a trie's, -1 for none, or with `once` contexts that occurred once."""
    cdef Py_ssize_t i
    cdef Py_ssize_t least = context_at(trie.t.text_count) if once and trie.t.text != NULL else -1
    if trie.t.base != NULL:
        raise ValueError("this call needs a trie without a base")
    for i in range(nodes.shape[0]):
        if not least <= nodes[i] < trie.t.node_count:
            raise ValueError(f"nodes must be from {least} to {trie.t.node_count - 1}, not {nodes[i]}")
    return 0


def children(Trie trie not None, const int[::1] nodes not None, int[::1] out not None):
    """Write the node behind each edge of contexts of one length, shorter than order - 1; -1: it has no edges.

    A context that occurred once, in a trie with its text, has a number below -1 for a node.
    """
    cdef Py_ssize_t i, n = 0
    check_ids(trie, NULL, 0)
    _check_nodes(trie, nodes, True)
    for i in range(nodes.shape[0]):
        n += edges_of_node(&trie.t, nodes[i])
    require_size("children", out.shape[0], n)
    with nogil:
        if n:
            children_of_level(&trie.t, _first(nodes), nodes.shape[0], &out[0])


def depths(Trie trie not None, unsigned char[::1] out not None):
    """Write the number of symbols of each node's context."""
    check_ids(trie, NULL, 0)
    if trie.t.base != NULL:
        raise ValueError("this call needs a trie without a base")
    require_size("depths", out.shape[0], trie.t.node_count)
    with nogil:
        depths_of_nodes(&trie.t, &out[0])


def pack(Trie trie not None, const int[::1] nodes not None, unsigned char[::1] sizes not None,
         unsigned char[::1] symbols not None, unsigned char[::1] counts not None, Raw raw=None) -> tuple:
    """Write the edges of contexts of one length, -1 for none, as bytes; return how many bytes of each array are used.

    The counts are taken from `raw`, if given. Five bytes per number suffice.
    """
    cdef Bytes of_sizes, of_symbols, of_counts
    cdef Py_ssize_t i, n = 0
    check_ids(trie, NULL, 0)
    _check_nodes(trie, nodes, True)
    if raw is not None:
        _check_raw(raw, trie)
    for i in range(nodes.shape[0]):
        n += edges_of_node(&trie.t, nodes[i])
    if sizes.shape[0] < 5 * nodes.shape[0] or min(symbols.shape[0], counts.shape[0]) < 5 * n:
        raise ValueError("the buffers need 5 bytes per number")
    of_sizes = bytes_of(sizes)
    of_symbols = bytes_of(symbols)
    of_counts = bytes_of(counts)
    with nogil:
        pack_level(&trie.t, _first(nodes), nodes.shape[0], raw.raw.nodes if raw is not None else NULL,
                   raw.raw.pool if raw is not None else NULL, &of_sizes, &of_symbols, &of_counts)
    return (of_sizes.at - bytes_of(sizes).at, of_symbols.at - bytes_of(symbols).at, of_counts.at - bytes_of(counts).at)


def unpacked_size(const unsigned char[::1] sizes not None, int symbols) -> tuple:
    """Return the numbers of nodes and of pool entries taken by contexts of these sizes."""
    cdef int64_t nodes, words
    with nogil:
        words = words_of_sizes(bytes_of(sizes), symbols, &nodes)
    if words < 0:
        raise ValueError("the number of symbols after a context is invalid")
    return nodes, words


def unpack(Trie trie not None, int depth, const int[::1] owners not None, const int[::1] owner_symbols not None,
           tuple packed not None, int[::1] next_owners not None, int[::1] next_symbols not None) -> tuple:
    """Add the edges of all contexts of one length to a trie that already has the shorter ones; see `levels`.

    `packed` are the bytes of sizes, symbols and counts; the number of bytes read of each is returned. The arrays of the
    next level have its size.
    """
    cdef const unsigned char[::1] sizes, symbols, counts
    sizes, symbols, counts = packed
    cdef Bytes of_sizes = bytes_of(sizes), of_symbols = bytes_of(symbols), of_counts = bytes_of(counts)
    cdef Level level, following
    cdef int64_t nodes, used
    cdef Py_ssize_t i
    check_ids(trie, _first(owner_symbols), owner_symbols.shape[0], -1)
    _check_nodes(trie, owners)
    require_size("symbols of the level", owner_symbols.shape[0], owners.shape[0])
    require_size("symbols of the next level", next_symbols.shape[0], next_owners.shape[0])
    if not 0 <= depth < trie.t.order or trie.t.base != NULL or trie.t.text != NULL:
        raise ValueError(f"depth must be from 0 to {trie.t.order - 1}, and the trie without base and text; got depth "
                         f"{depth}")
    if depth != trie.next_level or depth == 0 and trie.t.edges[0]:
        raise ValueError(f"level {depth} is out of order: unpack the levels of an empty trie from 0 on")
    for i in range(owners.shape[0]):
        if not _is_owner(trie, depth, owners[i], owner_symbols[i]):
            raise ValueError(f"node {owners[i]} has no edge to a context of {depth} symbols")
    words = words_of_sizes(of_sizes, trie.t.symbols, &nodes)
    if words < 0 or nodes > trie.t.node_room - trie.t.node_count or words > trie.t.pool_room - trie.t.pool_used:
        raise ValueError("the trie's arrays are too small for these sizes")
    level.size = owners.shape[0]
    level.nodes = <int*>_first(owners)
    level.symbols = <int*>_first(owner_symbols)
    following.size = next_owners.shape[0]
    following.nodes = <int*>_first(next_owners)
    following.symbols = <int*>_first(next_symbols)
    trie.level_first = <int>trie.t.node_count
    with nogil:
        used = unpack_level(&trie.t, depth, level, &of_sizes, &of_symbols, &of_counts, following)
    if used == NO_SYMBOL:
        raise ValueError(f"an n-gram has a symbol that is not below the vocabulary's size {trie.t.symbols}")
    if used == NO_COUNT:
        raise ValueError("the count of an n-gram is 0 or too large")
    if used == NO_SUFFIX:
        raise ValueError("an n-gram's suffix (the n-gram without its first symbol) is missing")
    if used != next_owners.shape[0]:
        raise ValueError(f"there are not {next_owners.shape[0]} n-grams of length {depth + 1} with valid sizes")
    trie.next_level = depth + 1
    trie.level_end = <int>trie.t.node_count
    return of_sizes.at - bytes_of(sizes).at, of_symbols.at - bytes_of(symbols).at, of_counts.at - bytes_of(counts).at


cdef bint _is_owner(Trie trie, int depth, int node, int symbol) noexcept nogil:
    """Whether a node may own an edge to a context of `depth` symbols, or with symbol -1 is itself such a context.

    Nodes are numbered level by level while a trie is unpacked.
    """
    cdef bint begins = trie.t.start > 0 and node == trie.t.start
    if symbol < 0:
        return node == 0 if depth == 0 else depth == 1 and begins
    if depth < 2:
        return depth == 1 and node == 0
    return trie.level_first <= node < trie.level_end or depth == 2 and begins
