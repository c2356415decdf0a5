"""The most probable original of a damaged text among the texts of a list.

The list is a trie, stored in preorder: the descendants of a node follow it. A search goes through the nodes and fills,
for each, a row: `rows[d, j]` is the log-probability of the best alignment of the node's d symbols with the first j
symbols of the damaged text. A node is left out with all its descendants if none of them can exceed the best score.

`reference/closed_list.py` does the same text by text with Python's lists.
"""
from libc.math cimport INFINITY
import numpy as np

cdef enum:
    MAX_LENGTH = 0x7fffffff


cdef class TextTrie:
    """Distinct texts in ascending order, `ids` one after another, with the log-probability and the number of each.

    Of texts with equal scores, the one with the smallest number is found.
    """
    cdef readonly Py_ssize_t nodes
    cdef readonly Py_ssize_t longest  # symbols of the longest text
    cdef readonly int vocab_size
    cdef readonly double best_log_p
    cdef int[::1] symbols       # of each node
    cdef int[::1] depths
    cdef Py_ssize_t[::1] after  # the first node that is not a descendant
    cdef Py_ssize_t[::1] texts  # the number of the text that ends here, or -1
    cdef double[::1] log_p      # of this text
    cdef double[::1] best       # of the texts that begin like this: the largest log-probability,
    cdef int[::1] fewest        # and the smallest
    cdef int[::1] most          # and largest length

    def __init__(self, const int[::1] ids not None, const Py_ssize_t[::1] lengths not None,
                 const double[::1] log_p not None, const Py_ssize_t[::1] numbers not None, int vocab_size):
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t i
        for i in range(lengths.shape[0]):
            if lengths[i] < 0:
                raise ValueError(f"lengths[{i}] is {lengths[i]}, but must not be negative")
            total += lengths[i]
            self.longest = max(self.longest, lengths[i])
        if not total == ids.shape[0] or not lengths.shape[0] == log_p.shape[0] == numbers.shape[0] >= 1:
            raise ValueError("the arrays of a trie do not fit together, or have no text")
        for i in range(total):
            if not 0 <= ids[i] < vocab_size:
                raise ValueError(f"ids[{i}] is {ids[i]}, but must be at least 0 and below {vocab_size}")
        self.vocab_size = vocab_size
        self.symbols = np.empty(total + 1, np.int32)
        self.depths = np.empty(total + 1, np.int32)
        self.fewest = np.empty(total + 1, np.int32)
        self.most = np.empty(total + 1, np.int32)
        self.after = np.empty(total + 1, np.intp)
        self.texts = np.empty(total + 1, np.intp)
        self.log_p = np.full(total + 1, -INFINITY)
        self.best = np.full(total + 1, -INFINITY)
        cdef Py_ssize_t[::1] open_nodes = np.zeros(self.longest + 1, np.intp)
        cdef bint ascending
        with nogil:
            ascending = _build(self, ids, lengths, log_p, numbers, open_nodes)
        if not ascending:
            raise ValueError("the texts of a trie must be distinct and in ascending order")
        self.best_log_p = self.best[0]


cdef bint _build(TextTrie trie, const int[::1] ids, const Py_ssize_t[::1] lengths, const double[::1] log_p,
                 const Py_ssize_t[::1] numbers, Py_ssize_t[::1] open_nodes) noexcept nogil:
    """Append the nodes of each text; `open_nodes` are the last text's nodes by depth. Return whether texts ascend."""
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t depth = 0
    cdef Py_ssize_t i, d, node, shared
    trie.nodes = 0
    _add_node(trie, symbol=-1, depth=0)
    for i in range(lengths.shape[0]):
        shared = 0
        while shared < depth and shared < lengths[i] and (
                trie.symbols[open_nodes[shared + 1]] == ids[start + shared]):
            shared += 1
        if i and shared == lengths[i]:
            return False
        if shared < depth and trie.symbols[open_nodes[shared + 1]] > ids[start + shared]:
            return False
        _close(trie, open_nodes, depth, shared)
        depth = lengths[i]
        for d in range(shared, depth):
            open_nodes[d + 1] = _add_node(trie, ids[start + d], <int>(d + 1))
        node = open_nodes[depth]
        trie.texts[node] = numbers[i]
        trie.log_p[node] = log_p[i]
        trie.best[node] = log_p[i]
        trie.fewest[node] = <int>depth
        trie.most[node] = <int>depth
        start += depth
    _close(trie, open_nodes, depth, 0)
    trie.after[0] = trie.nodes
    return True


cdef inline Py_ssize_t _add_node(TextTrie trie, int symbol, int depth) noexcept nogil:
    """Append a node at which no text ends; return its number."""
    cdef Py_ssize_t node = trie.nodes
    trie.symbols[node] = symbol
    trie.depths[node] = depth
    trie.texts[node] = -1
    trie.fewest[node] = MAX_LENGTH
    trie.most[node] = 0
    trie.nodes += 1
    return node


cdef inline void _close(TextTrie trie, const Py_ssize_t[::1] open_nodes, Py_ssize_t depth,
                        Py_ssize_t shared) noexcept nogil:
    """Set what is known of the nodes below a depth when all their descendants are stored."""
    cdef Py_ssize_t d, node, above
    for d in range(depth, shared, -1):
        node = open_nodes[d]
        above = open_nodes[d - 1]
        trie.after[node] = trie.nodes
        trie.best[above] = max(trie.best[above], trie.best[node])
        trie.fewest[above] = min(trie.fewest[above], trie.fewest[node])
        trie.most[above] = max(trie.most[above], trie.most[node])


cdef class ListSearch:
    """The search for the `count` best originals of one damaged text of n symbols.

    `reads` (V, n) are log-probabilities of each original symbol at each place, `skips` (n,) of symbols in excess,
    `inserts` (V,) of missing symbols. `swap` is added to two `plain` costs (V, n) if two symbols were
    swapped. A replacement (place, taken, first, stop) lets `taken` symbols from its place on stand for
    `replacing[first:stop]`. The replacements are sorted by place.
    """
    cdef const double[:, ::1] reads
    cdef const double[:, ::1] plain
    cdef const double[::1] skips
    cdef const double[::1] inserts
    cdef const Py_ssize_t[:, ::1] replacements
    cdef const double[::1] replacement_costs
    cdef const int[::1] replacing
    cdef double swap
    cdef readonly TextTrie trie
    cdef double[:, ::1] rows
    cdef double[::1] rest  # of the damaged text from each place on: the largest log-probability,
    cdef double[::1] jump  # and that after a step that takes several original symbols
    cdef double[::1] reach  # by depth: the largest score of an alignment of the whole damaged text
    cdef double[::1] leap   # and of one whose next step takes several original symbols
    cdef Py_ssize_t[::1] first  # by depth: the range of a row that alignments reach; elsewhere it is -inf
    cdef Py_ssize_t[::1] last
    cdef int[::1] path      # the node's symbols, by depth
    cdef Py_ssize_t[::1] numbers  # of the best texts, the best first; -1: none yet
    cdef double[::1] scores
    cdef Py_ssize_t n
    cdef Py_ssize_t node
    cdef Py_ssize_t lookback
    cdef double floor
    cdef double excess   # the least that a symbol in excess costs, compared with the same symbol read
    cdef double missing  # and a missing symbol; replacements may change a text's length at other costs

    def __init__(self, TextTrie trie not None, const double[:, ::1] reads not None, const double[:, ::1] plain not None,
                 const double[::1] skips not None, const double[::1] inserts not None, double swap, replacements,
                 Py_ssize_t count):
        cdef Py_ssize_t depths = trie.longest + 1
        self.trie = trie
        self.reads = reads
        self.plain = plain
        self.skips = skips
        self.inserts = inserts
        self.swap = swap
        self.replacements, self.replacement_costs, self.replacing = replacements
        self.n = reads.shape[1]
        self.node = 0
        self.lookback = 2
        self._check(count)
        self.rows = np.empty((depths, self.n + 1))
        self.rest = np.empty(self.n + 1)
        self.jump = np.empty(self.n + 1)
        self.reach = np.full(depths, -INFINITY)
        self.leap = np.full(depths, -INFINITY)
        self.first = np.zeros(depths, np.intp)
        self.last = np.zeros(depths, np.intp)
        self.path = np.empty(depths, np.int32)
        self.numbers = np.full(count, -1, np.intp)
        self.scores = np.full(count, -INFINITY)
        self.floor = -INFINITY
        with nogil:
            _bound_rest(self)

    cdef int _check(self, Py_ssize_t count) except -1:
        """Check that the tables fit together, and find how many symbols a step may take."""
        cdef Py_ssize_t V = self.trie.vocab_size
        cdef Py_ssize_t n = self.n
        cdef Py_ssize_t i
        cdef bint good = (self.reads.shape[0] == self.plain.shape[0] == self.inserts.shape[0] == V and count >= 1
                          and self.plain.shape[1] == self.skips.shape[0] == n
                          and self.replacements.shape[1] == 4
                          and self.replacements.shape[0] == self.replacement_costs.shape[0])
        if good:
            for i in range(self.replacements.shape[0]):
                good = good and self._replacement_fits(i)
                self.lookback = max(self.lookback, self.replacements[i, 3] - self.replacements[i, 2])
        if not good:
            raise ValueError("the tables of a search among texts do not fit together")
        return 0

    cdef bint _replacement_fits(self, Py_ssize_t i) except -1:
        """Return whether replacement i comes after the one before it, within the text, and has its symbols."""
        cdef Py_ssize_t place = self.replacements[i, 0]
        if place < 0 or i and place < self.replacements[i - 1, 0]:
            return False
        if not 1 <= self.replacements[i, 1] <= self.n - place:
            return False
        return 0 <= self.replacements[i, 2] <= self.replacements[i, 3] <= self.replacing.shape[0]

    @property
    def highest(self) -> float:
        """A score that no text can exceed."""
        return self.trie.best_log_p + self.rest[0]

    def start(self, double floor):
        """Begin anew, without texts whose score is below a floor."""
        self.floor = floor
        self.node = 0
        self.numbers[:] = -1
        self.scores[:] = -INFINITY

    def advance(self, Py_ssize_t cells):
        """Fill about so many cells of rows, and return whether all nodes have been visited."""
        with nogil:
            _advance(self, self.trie, cells)
        return self.node >= self.trie.nodes

    def found(self):
        """Return the numbers of the best texts found, -1 for none, and their scores, the best first."""
        return np.array(self.numbers), np.array(self.scores)


cdef void _bound_rest(ListSearch s) noexcept nogil:
    """Compute what the damaged text from each place on can gain at most, whatever the original is."""
    cdef Py_ssize_t i = s.replacements.shape[0] - 1
    cdef Py_ssize_t j, c
    cdef double best, other
    s.rest[s.n] = 0
    s.jump[s.n] = -INFINITY
    s.excess = -INFINITY
    s.missing = -INFINITY
    for c in range(s.trie.vocab_size):
        s.missing = max(s.missing, s.inserts[c])
    for j in range(s.n - 1, -1, -1):
        best = s.skips[j]
        s.jump[j] = -INFINITY
        for c in range(s.trie.vocab_size):
            best = max(best, s.reads[c, j])
        if best > -INFINITY:
            s.excess = max(s.excess, s.skips[j] - best)
        best += s.rest[j + 1]
        if j + 1 < s.n:
            s.jump[j] = s.swap + _best_plain(s, j) + _best_plain(s, j + 1) + s.rest[j + 2]
        while i >= 0 and s.replacements[i, 0] == j:
            other = s.replacement_costs[i] + s.rest[j + s.replacements[i, 1]]
            if s.replacements[i, 3] - s.replacements[i, 2] > 1:
                s.jump[j] = max(s.jump[j], other)
            best = max(best, other)
            i -= 1
        s.rest[j] = max(best, s.jump[j])
    if s.replacements.shape[0]:
        s.excess = 0
        s.missing = 0


cdef inline double _best_plain(ListSearch s, Py_ssize_t j) noexcept nogil:
    """Return the largest plain cost of the damaged text's symbol j."""
    cdef double best = -INFINITY
    cdef Py_ssize_t c
    for c in range(s.trie.vocab_size):
        best = max(best, s.plain[c, j])
    return best


cdef void _advance(ListSearch s, TextTrie trie, Py_ssize_t cells) noexcept nogil:
    """Visit nodes in preorder until the cells are filled."""
    cdef Py_ssize_t node = s.node
    cdef Py_ssize_t d, back
    cdef double bound, least
    while node < trie.nodes and cells > 0:
        cells -= s.n + 1
        d = trie.depths[node]
        s.path[d] = trie.symbols[node]
        least = max(s.floor, s.scores[s.scores.shape[0] - 1]) - trie.best[node]
        _fill_row(s, d)
        _leave_out(s, d, least, trie.fewest[node] - d, trie.most[node] - d)
        bound = s.reach[d]
        for back in range(1, min(s.lookback, d + 1)):
            bound = max(bound, s.leap[d - back])
        if bound < least or bound == -INFINITY:
            node = trie.after[node]
            continue
        if trie.texts[node] >= 0:
            _offer(s, trie.texts[node], s.rows[d, s.n] + trie.log_p[node])
        node += 1
    s.node = node


cdef void _fill_row(ListSearch s, Py_ssize_t d) noexcept nogil:
    """Fill the row of a node at depth d from the rows of the nodes above it."""
    cdef Py_ssize_t n = s.n
    cdef Py_ssize_t first = 0
    cdef Py_ssize_t last = n
    cdef Py_ssize_t j
    cdef double* row = &s.rows[d, 0]
    cdef const double* above
    cdef const double* reads
    cdef double insert
    for j in range(n + 1):
        row[j] = -INFINITY
    if d == 0:
        row[0] = 0
    else:
        if s.replacements.shape[0] == 0:  # otherwise steps may come from any of the rows above
            first = s.first[d - 1]
            last = min(s.last[d - 1] + 1, n)
            if d > 1:
                first = min(first, s.first[d - 2] + 2)
                last = max(last, min(s.last[d - 2] + 2, n))
        above = &s.rows[d - 1, 0]
        insert = s.inserts[s.path[d]]
        reads = &s.reads[s.path[d], 0] if n else NULL
        if first == 0:
            row[0] = above[0] + insert
        for j in range(max(first, 1), last + 1):
            row[j] = max(above[j - 1] + reads[j - 1], above[j] + insert)
        if d > 1:
            _swap(s, d, row)
        _replace(s, d, row)
    _skip(s, row, first)
    s.first[d] = first


cdef void _leave_out(ListSearch s, Py_ssize_t d, double least, Py_ssize_t fewest, Py_ssize_t most) noexcept nogil:
    """Leave out alignments that cannot reach a score with `fewest` to `most` further symbols; set what others reach."""
    cdef Py_ssize_t n = s.n
    cdef Py_ssize_t first = n + 1
    cdef Py_ssize_t last = -1
    cdef Py_ssize_t j, left
    cdef double* row = &s.rows[d, 0]
    cdef const double* rest = &s.rest[0]
    cdef const double* jump = &s.jump[0]
    cdef double reach = -INFINITY
    cdef double leap = -INFINITY
    cdef double highest
    for j in range(s.first[d], n + 1):
        left = n - j
        highest = row[j] + rest[j]
        if left > most:
            highest += <double>(left - most) * s.excess
        elif left < fewest:
            highest += <double>(fewest - left) * s.missing
        if highest < least or highest == -INFINITY:
            row[j] = -INFINITY
        else:
            first = min(first, j)
            last = j
            reach = max(reach, highest)
            leap = max(leap, row[j] + jump[j])
    s.reach[d] = reach
    s.leap[d] = leap
    s.first[d] = first
    s.last[d] = last


cdef inline void _swap(ListSearch s, Py_ssize_t d, double* row) noexcept nogil:
    """Let the last two symbols of a node stand for two damaged ones in the other order."""
    cdef Py_ssize_t j
    cdef const double* before = &s.rows[d - 2, 0]
    cdef const double* last = &s.plain[s.path[d], 0] if s.n else NULL
    cdef const double* previous = &s.plain[s.path[d - 1], 0] if s.n else NULL
    cdef double swap = s.swap
    for j in range(s.first[d - 2], min(s.last[d - 2] + 1, s.n - 1)):
        row[j + 2] = max(row[j + 2], before[j] + swap + last[j] + previous[j + 1])


cdef inline void _replace(ListSearch s, Py_ssize_t d, double* row) noexcept nogil:
    """Let the last symbols of a node stand for what may have replaced them."""
    cdef Py_ssize_t i, k, m, j, stop
    for i in range(s.replacements.shape[0]):
        j = s.replacements[i, 0]
        m = s.replacements[i, 3] - s.replacements[i, 2]
        if not 1 <= m <= d:
            continue
        k = 0
        while k < m and s.replacing[s.replacements[i, 3] - 1 - k] == s.path[d - k]:
            k += 1
        if k == m:
            stop = j + s.replacements[i, 1]
            row[stop] = max(row[stop], s.rows[d - m, j] + s.replacement_costs[i])


cdef inline void _skip(ListSearch s, double* row, Py_ssize_t first) noexcept nogil:
    """Let damaged symbols stand for nothing, from a place on."""
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t j, stop
    cdef const double* skips = &s.skips[0] if s.n else NULL
    if s.replacements.shape[0] == 0:
        for j in range(first, s.n):
            row[j + 1] = max(row[j + 1], row[j] + skips[j])
        return
    for j in range(first, s.n):
        row[j + 1] = max(row[j + 1], row[j] + skips[j])
        while i < s.replacements.shape[0] and s.replacements[i, 0] == j:
            if s.replacements[i, 2] == s.replacements[i, 3]:
                stop = j + s.replacements[i, 1]
                row[stop] = max(row[stop], row[j] + s.replacement_costs[i])
            i += 1


cdef inline void _offer(ListSearch s, Py_ssize_t number, double score) noexcept nogil:
    """Keep a text if it is one of the best."""
    cdef Py_ssize_t i = s.scores.shape[0] - 1
    if score < s.floor or score == -INFINITY or not _is_before(number, score, s.numbers[i], s.scores[i]):
        return
    while i and _is_before(number, score, s.numbers[i - 1], s.scores[i - 1]):
        s.numbers[i] = s.numbers[i - 1]
        s.scores[i] = s.scores[i - 1]
        i -= 1
    s.numbers[i] = number
    s.scores[i] = score


cdef inline bint _is_before(Py_ssize_t number, double score, Py_ssize_t other, double other_score) noexcept nogil:
    """Return whether a text comes before another: by its score, then by its number; -1 stands for no text."""
    return score > other_score or (score == other_score and (other < 0 or number < other))
