"""The occurrences of all n-grams, from Kneser-Ney counts of the longest ones; and the losses of models of every order.

A model of order m < order shares the larger model's counts for n-grams shorter than m, but counts each occurrence of an
n-gram of length m. An n-gram occurs as often as all those longer by a first symbol together, plus the times it starts a
text, which is its Kneser-Ney count minus the number of the longer ones.
"""
from libc.math cimport log
from libc.stdint cimport int64_t
from .levels cimport edge_at, edge_count, raw_of, symbol_at
from .probabilities cimport after_symbol, back_off, discounted, sum_of_counts
from .trie cimport MAX_ORDER, NO_EDGE, Cursor, Edge, Place, Trie, edge_of, has_no_edge, has_one_edge, place_of, text_at

cdef struct RawCounts:  # occurrences of n-grams, in arrays like the trie's
    int* nodes
    int* pool
    double discounts[MAX_ORDER][4]


cdef inline void pass_on(const Trie* t, const int* nodes, Py_ssize_t n, RawCounts* raw) noexcept nogil:
    """Add the occurrences of the edges of n contexts of one length, -1 for none, to those without their first symbol.

    Initially all occurrences are the counts of the trie.
    """
    cdef Py_ssize_t i, j
    cdef Place p, shorter
    cdef Edge e
    for i in range(n):
        if nodes[i] <= 0:
            continue
        p = place_of(t, nodes[i])
        if has_one_edge(p.node) and raw.nodes[p.node - t.nodes] == 1:
            continue  # most contexts: their only n-gram occurs once and adds 0, so their suffix need not be fetched
        shorter = place_of(t, p.node.suffix)
        for j in range(edge_count(p)):
            e = edge_of(shorter, symbol_at(p, j))
            raw_of(t, shorter, e, raw.nodes, raw.pool)[0] += (
                raw_of(t, p, edge_at(p, j), raw.nodes, raw.pool)[0] - 1)


cdef inline void count_raw_counts(const Trie* t, const int* nodes, Py_ssize_t n, RawCounts* raw,
                                  int64_t* counts) noexcept nogil:
    """counts[k] += the number of edges of n contexts that occur k times, for k = 1, …, 4; counts[0] += their number."""
    cdef Py_ssize_t i, j
    cdef int occurrences
    cdef Place p
    for i in range(n):
        if nodes[i] < 0:
            continue
        p = place_of(t, nodes[i])
        counts[0] += edge_count(p)
        for j in range(edge_count(p)):
            occurrences = raw_of(t, p, edge_at(p, j), raw.nodes, raw.pool)[0]
            if occurrences <= 4:
                counts[occurrences] += 1


cdef inline double raw_probability(const Trie* t, Place p, int depth, int symbol, RawCounts* raw,
                                   double shorter) noexcept nogil:
    """p(symbol | c) if the n-grams c w are the longest counted; `shorter` is p(symbol) after the shorter context."""
    cdef const double* D = raw.discounts[depth]
    cdef double total = 0, left = 0, found = 0
    cdef Py_ssize_t j
    cdef int occurrences
    for j in range(edge_count(p)):
        occurrences = raw_of(t, p, edge_at(p, j), raw.nodes, raw.pool)[0]
        total += occurrences
        left += D[min(occurrences, 3)]
        if symbol_at(p, j) == symbol:
            found = occurrences - D[min(occurrences, 3)]
    return (found + left * shorter) / total


cdef inline void score_orders(const Trie* t, RawCounts* raw, const int* ids, Py_ssize_t n, Cursor c,
                              double* losses) noexcept nogil:
    """losses[m - 1] -= log P of n symbols after a context by the model of order m, for m = 1, …, order."""
    cdef int chain[MAX_ORDER]
    cdef Py_ssize_t i
    cdef int depth, node, following
    cdef double shorter, left
    cdef Place p
    cdef Edge e
    for i in range(n):
        node = c.node
        for depth in range(c.depth, -1, -1):
            chain[depth] = node
            node = place_of(t, node).node.suffix
        shorter = 1. / t.symbols
        following = text_at(t, c.place) if c.full > c.depth else NO_EDGE
        for depth in range(t.order):
            if c.depth < depth <= c.full and following != NO_EDGE:
                left = raw.discounts[depth][1]
                losses[depth] -= log((1 - left) * (ids[i] == following) + left * shorter)
                left = t.discounts[depth][1]
                shorter = (1 - left) * (ids[i] == following) + left * shorter
                continue
            p = place_of(t, chain[min(depth, c.depth)])
            if depth > c.depth or has_no_edge(p.node):
                losses[depth] -= log(shorter)
                continue
            losses[depth] -= log(raw_probability(t, p, depth, ids[i], raw, shorter))
            e = edge_of(p, ids[i])
            shorter *= back_off(t, p, depth)
            if e.count != NULL:
                shorter += discounted(t, depth, e.count[0]) / sum_of_counts(p)
        c = after_symbol(t, c, ids[i])
