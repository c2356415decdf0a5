"""The trie of n-grams: which symbols followed each context, how often, and where the longer context is.

A context is a node. Its edges are the symbols that followed it, sorted by id, with their counts; an edge also
has the node of the context longer by its symbol, or 0 if nothing has followed that yet. Most contexts have one
edge, stored in the node itself. Those with more have a block of the pool: a header of `HEADER` numbers, then symbols,
counts and, for contexts shorter than order - 1, children, each with room for `capacity_for` the edges. The sign of a
node's tag says which: read it with `has_no_edge`, `has_one_edge` and `has_block`. A block with one edge exists only
while an edge is added or removed.

Node 0 is the empty context. With a boundary, node `start` is the context of just a boundary; no edge leads to it.
`suffix` is the context without its first symbol; the trie has it for each of its nodes.

A trie may keep its text. A context that has occurred once, and is followed by the symbol at some place of the text,
then has no node: a child of `context_at(place)` stands for it, and all its edges are known from the text, since every
n-gram with this context occurred once. The second occurrence makes its node. Texts are separated, so that nothing
follows a context at the end of one.

A trie may extend another one, its `base`, which it never changes. It copies a node, with its block, before it changes
the node. The copy keeps the number, and `slots` give its location; new nodes are numbered after the base's nodes.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memmove

cdef enum:
    MAX_ORDER = 64
    CLASSES = 64  # of blocks by capacity
    HEADER = 2  # numbers at the start of a block:
    ONES = 0  # the edges with count 1,
    TWOS = 1  # and those with count 2
    NODE_WORDS = 4  # numbers in a Node
    MAX_COUNT = 0x7fffffff

cdef struct Node:
    int suffix
    int tag  # the symbol of the only edge; NO_EDGE; or else, with a block, minus its number of edges
    int count  # of the only edge, or the start of the block in the pool
    int child  # of the only edge, or the sum of the block's counts

cdef enum:
    NO_EDGE = -1  # a node's tag; also in place of a symbol, where a text ends
    SEPARATOR = 255  # in a text of bytes; in a text of ints, NO_EDGE

cdef struct Cursor:  # the longest context in a trie that a text has reached
    int node  # the longest one with a node
    int depth  # its length
    int full  # length of the longest one; those longer than `depth` occurred once,
    int place  # followed by the symbol at this place of the kept text

cdef struct Slot:  # of the hash table from nodes of the base to their copies
    int node  # -1: free
    int place

cdef struct Trie:
    int order  # length of the longest n-gram
    int symbols
    int boundary  # -1: none
    int start  # the node of an initial context
    Node* nodes
    int* pool
    Py_ssize_t node_count, node_room, pool_used, pool_room
    void* text  # bytes, or ints for more than 255 symbols; NULL: not kept
    Py_ssize_t text_start, text_count, text_room  # the base's text is before the start
    Cursor cursor  # after the last symbol counted
    const Trie* base  # NULL: none
    int base_count  # its nodes
    Slot* slots
    Py_ssize_t slot_count, slots_used
    int free_blocks[2][CLASSES]  # the first of each capacity, without and with children; 0: none
    int64_t edges[MAX_ORDER]  # edges of the contexts of each length
    int64_t counts_of_counts[MAX_ORDER][5]  # of these edges, those with count 1, 2, 3 and 4
    double discounts[MAX_ORDER][4]  # of counts 1, 2, and 3 or more

cdef struct Place:  # a node, and the pool that contains its block
    Node* node
    int* pool

cdef struct Edge:
    int* count  # NULL: no such edge
    int* child


cdef inline bint has_no_edge(const Node* node) noexcept nogil:
    """Whether nothing has followed a context."""
    return node.tag == NO_EDGE


cdef inline bint has_one_edge(const Node* node) noexcept nogil:
    """Whether a context has a single edge, in the node: its symbol is the tag."""
    return node.tag > NO_EDGE


cdef inline bint has_block(const Node* node) noexcept nogil:
    """Whether a context's edges are in a block of the pool."""
    return node.tag < NO_EDGE


cdef inline int edges_in_block(const Node* node) noexcept nogil:
    """The number of edges in a context's block."""
    return -node.tag


cdef inline int* block_of(Place p) noexcept nogil:
    """The block of a context that has one."""
    return p.pool + p.node.count


cdef inline Edge edge_in_node(Place p) noexcept nogil:
    """The edge in the node of a context with a single one."""
    cdef Edge e
    e.count = &p.node.count
    e.child = &p.node.child
    return e


cdef inline Py_ssize_t slot_of(const Trie* t, int node) noexcept nogil:
    """The slot that contains a node of the base, or the free slot where it belongs."""
    cdef Py_ssize_t slot = (<unsigned int>node * 0x9E3779B1u) & (t.slot_count - 1)
    while t.slots[slot].node != node and t.slots[slot].node >= 0:
        slot = (slot + 1) & (t.slot_count - 1)
    return slot


cdef inline Place place_of(const Trie* t, int node) noexcept nogil:
    """The current location of a node."""
    cdef Place p
    cdef Py_ssize_t slot
    p.pool = t.pool
    if node >= t.base_count:
        p.node = t.nodes + (node - t.base_count)
        return p
    slot = slot_of(t, node)
    if t.slots[slot].node >= 0:
        p.node = t.nodes + t.slots[slot].place
    else:
        p.node = t.base.nodes + node
        p.pool = t.base.pool
    return p


cdef inline int context_at(Py_ssize_t place) noexcept nogil:
    """The number of a context that occurred once, before this place; its own inverse."""
    return <int>(-2 - place)


cdef inline int text_at(const Trie* t, Py_ssize_t place) noexcept nogil:
    """The symbol at a place of the kept text; NO_EDGE at the end of a text."""
    cdef int byte
    if place < t.text_start:
        t = t.base
    place -= t.text_start
    if place >= t.text_count:
        return NO_EDGE
    if t.symbols > SEPARATOR:
        return (<int*>t.text)[place]
    byte = (<unsigned char*>t.text)[place]
    return byte if byte < SEPARATOR else NO_EDGE


cdef inline void append_text(Trie* t, int symbol) noexcept nogil:
    """Append a symbol, or NO_EDGE as a separator; the caller has made sure of room."""
    if t.symbols > SEPARATOR:
        (<int*>t.text)[t.text_count] = symbol
    else:
        (<unsigned char*>t.text)[t.text_count] = <unsigned char>symbol  # SEPARATOR is NO_EDGE as a byte
    t.text_count += 1


cdef inline Node node_at(const Trie* t, Py_ssize_t place) noexcept nogil:
    """The node of a context that occurred once, before a place of the kept text; its suffix is not set."""
    cdef Node node
    node.suffix = 0
    node.tag = text_at(t, place)
    node.count = node.tag != NO_EDGE
    node.child = 0
    if node.count and node.tag != t.boundary:
        node.child = context_at(place + 1)
    return node


cdef inline Place place_of_context(const Trie* t, int context, Node* once) noexcept nogil:
    """The location of a node, or of a context that occurred once, whose node is then written to `once`."""
    cdef Place p
    if context >= 0:
        return place_of(t, context)
    once[0] = node_at(t, context_at(context))
    p.node = once
    p.pool = t.pool
    return p


cdef inline Py_ssize_t next_capacity(Py_ssize_t capacity) noexcept nogil:
    """The capacity after this one in the series 2, 3, 4, 6, 8, 12, 16, …"""
    if capacity < 4:
        return capacity + 1
    if capacity & (capacity - 1) == 0:  # a power of 2
        return capacity * 3 // 2
    return capacity // 3 * 4


cdef inline Py_ssize_t capacity_for(Py_ssize_t edges) noexcept nogil:
    """The smallest capacity with room for so many edges."""
    cdef Py_ssize_t half = 2
    if edges <= 4:
        return max(edges, 2)
    while 2 * half < edges:
        half *= 2
    return 2 * half if edges > half * 3 // 2 else half * 3 // 2


cdef inline int class_of(Py_ssize_t capacity) noexcept nogil:
    """The place of a capacity in the series; free blocks are found by it."""
    cdef int found = 0
    cdef Py_ssize_t c = 2
    while c < capacity:
        c = next_capacity(c)
        found += 1
    return found


cdef inline Py_ssize_t block_words(Py_ssize_t capacity, bint children) noexcept nogil:
    """Pool entries of a block with room for so many edges, with or without their children."""
    return HEADER + capacity * (3 if children else 2)


cdef inline Py_ssize_t symbol_room(const Trie* t) noexcept nogil:
    """Pool entries that counting a symbol may need: each context copies its block to a larger one."""
    return 2 * t.order * block_words(next_capacity(capacity_for(t.symbols)), True)


cdef inline int take_block(Trie* t, Py_ssize_t capacity, bint children) noexcept nogil:
    """The start of a block with room for this many edges; the caller has made sure of room in the pool."""
    cdef int size_class = class_of(capacity)
    cdef int block = t.free_blocks[children][size_class]
    if block:
        t.free_blocks[children][size_class] = t.pool[block]
    else:
        block = <int>t.pool_used
        t.pool_used += block_words(capacity, children)
    return block


cdef inline void give_block(Trie* t, int block, Py_ssize_t capacity, bint children) noexcept nogil:
    """Add a block to the free ones of its capacity: a list linked by the blocks' first numbers."""
    cdef int size_class = class_of(capacity)
    t.pool[block] = t.free_blocks[children][size_class]
    t.free_blocks[children][size_class] = block


cdef inline Place owned(Trie* t, int node, int depth) noexcept nogil:
    """The location of a node that may be changed: a copy if the node belongs to the base."""
    cdef Place p
    cdef Py_ssize_t slot, capacity
    cdef int block
    cdef bint children = depth < t.order - 1
    p = place_of(t, node)
    if p.pool == t.pool:
        return p
    slot = slot_of(t, node)
    t.slots[slot].node = node
    t.slots[slot].place = <int>t.node_count
    t.slots_used += 1
    t.nodes[t.node_count] = p.node[0]
    if has_block(p.node):
        capacity = capacity_for(edges_in_block(p.node))
        block = take_block(t, capacity, children)
        memcpy(t.pool + block, block_of(p), block_words(capacity, children) * sizeof(int))
        t.nodes[t.node_count].count = block
    p.node = t.nodes + t.node_count
    p.pool = t.pool
    t.node_count += 1
    return p


cdef inline int new_node(Trie* t, int context=0) noexcept nogil:
    """The number of a new node: of a context that occurred once, or without edges if `context` is 0.

    Its suffix is still to be set.
    """
    cdef Node* node = t.nodes + t.node_count
    node.suffix = 0
    node.tag = NO_EDGE
    node.count = 0
    node.child = 0
    if context:
        node[0] = node_at(t, context_at(context))
    t.node_count += 1
    return t.base_count + <int>t.node_count - 1


cdef inline Py_ssize_t first_not_below(const int* symbols, Py_ssize_t n, int symbol) noexcept nogil:
    """How many of n sorted symbols are below a symbol."""
    cdef Py_ssize_t first = 0, half
    while n > 8:
        half = n // 2
        if symbols[first + half - 1] < symbol:
            first += half
            n -= half
        else:
            n = half
    while n and symbols[first] < symbol:
        first += 1
        n -= 1
    return first


cdef inline Edge edge_in_block(int* block, Py_ssize_t n, Py_ssize_t i) noexcept nogil:
    """The i-th of n edges."""
    cdef Edge e
    cdef Py_ssize_t capacity = capacity_for(n)
    e.count = block + HEADER + capacity + i
    e.child = e.count + capacity
    return e


cdef inline Edge edge_of(Place p, int symbol) noexcept nogil:
    """The edge of a context for a symbol. Its child is meaningful only in contexts shorter than order - 1."""
    cdef Edge e
    cdef Py_ssize_t n, i
    cdef int* block
    e.count = NULL
    e.child = NULL
    if not has_block(p.node):
        if p.node.tag == symbol:
            e = edge_in_node(p)
        return e
    n = edges_in_block(p.node)
    block = block_of(p)
    i = first_not_below(block + HEADER, n, symbol)
    if i < n and block[HEADER + i] == symbol:
        e = edge_in_block(block, n, i)
    return e


cdef inline void add_to_statistics(Place p, int old, int new) noexcept nogil:
    """Record in a node with a block that a count has risen from `old` to `new`."""
    cdef int* block = block_of(p)
    p.node.child = MAX_COUNT if new - old > MAX_COUNT - p.node.child else p.node.child + new - old
    block[ONES] += (new == 1) - (old == 1)
    block[TWOS] += (new == 2) - (old == 2)


cdef inline void make_block(Trie* t, Place p, bint children) noexcept nogil:
    """Move a context's only edge into a block."""
    cdef int at = take_block(t, 2, children)
    cdef int* block = t.pool + at
    block[ONES] = p.node.count == 1
    block[TWOS] = p.node.count == 2
    block[HEADER] = p.node.tag
    block[HEADER + 2] = p.node.count
    if children:
        block[HEADER + 4] = p.node.child
    p.node.tag = -1  # one edge in a block, until `open_gap` makes it two
    p.node.child = p.node.count
    p.node.count = at


cdef inline Py_ssize_t open_gap(Trie* t, Place p, int symbol, bint children) noexcept nogil:
    """Make room for an edge in its place among the n edges of a context's block; return the place."""
    cdef Py_ssize_t n = edges_in_block(p.node)
    cdef Py_ssize_t old_size = capacity_for(n)
    cdef Py_ssize_t size = old_size
    cdef Py_ssize_t part, i
    cdef int* old = block_of(p)
    cdef int* new = old
    cdef int at = p.node.count
    if n == size:
        size = next_capacity(size)
        at = take_block(t, size, children)
        new = t.pool + at
        memcpy(new, old, HEADER * sizeof(int))
    i = first_not_below(old + HEADER, n, symbol)
    for part in range(3 if children else 2):
        memmove(new + HEADER + part * size + i + 1, old + HEADER + part * old_size + i, (n - i) * sizeof(int))
        if new != old:
            memcpy(new + HEADER + part * size, old + HEADER + part * old_size, i * sizeof(int))
    if new != old:
        give_block(t, p.node.count, old_size, children)
    p.node.tag = <int>-(n + 1)
    p.node.count = at
    return i


cdef inline Edge add_edge(Trie* t, Place p, int depth, int symbol) noexcept nogil:
    """Add an edge with count 0 to an owned context that lacks it, and return it."""
    cdef bint children = depth < t.order - 1
    cdef Edge e
    cdef Py_ssize_t i
    cdef int* block
    if has_no_edge(p.node):
        p.node.tag = symbol
        p.node.count = 0
        p.node.child = 0
        return edge_in_node(p)
    if has_one_edge(p.node):
        make_block(t, p, children)
    i = open_gap(t, p, symbol, children)
    block = block_of(p)
    block[HEADER + i] = symbol
    e = edge_in_block(block, edges_in_block(p.node), i)
    e.count[0] = 0
    if children:
        e.child[0] = 0
    return e
