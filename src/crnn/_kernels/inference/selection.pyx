"""Beam search for the originals of damaged texts: candidates, recombination and selection, for many texts at a time.

A hypothesis has read the first p symbols of a damaged text, and the network the original so far. At each position it
emits one symbol of the original: a candidate for the damaged symbol (`plain` ones, then substitutions), or the next
damaged symbol, if two were swapped; or it skips a symbol that was typed in excess. Before that it may insert a symbol
that is missing. Hypotheses of a text with the same last `RECENT` symbols and the same obligation merge: the better one
stays. Ties go to the earlier parent, then to the earlier candidate.

`reference/restoring.py` does the same for one text with Python's lists.
"""
from libc.math cimport exp, log
from libc.string cimport memcmp, memcpy, memmove
import numpy as np

RECENT_SYMBOLS = RECENT

cdef enum:
    RECENT = 8
    MAX_NODES = 0x7fffffff

cdef enum Obligation:
    FREE, SWAPPED, SKIPPED, INSERTED

cdef double LOWEST = -1e300  # of scores: a symbol of probability 0 is a last resort


cdef struct Hypothesis:
    double score
    double cost    # the log-probability of the damage in the last step, which is part of the score
    int row        # of the parent among the current hypotheses and insertions
    int symbol     # read last; -1 for a skipped symbol of the damaged text
    int obligation
    int node
    int recent[RECENT]


ctypedef fused real:
    float
    double


cdef class Selection:
    """The hypotheses of several texts that are read side by side, from the longest text to the shortest.

    `x` are the texts' symbols as numbers of kinds, joined; `lengths` their lengths. Kind k has the candidates
    `symbols[first[k]:first[k + 1]]`; the first `plain[k]` are no substitutions. Costs are log-probabilities of the
    damage: `costs` of each candidate, `skip[k]` of an excess symbol, `swap` of two swapped `letters`, `insert_costs` of
    the missing symbols `inserted`: `near_letters`, only next to a letter, or else anywhere within a text. `end` is the
    symbol that ends a text, or -1.
    """
    cdef const int[::1] x
    cdef const Py_ssize_t[::1] starts
    cdef const Py_ssize_t[::1] lengths
    cdef const int[::1] first
    cdef const int[::1] plain
    cdef const int[::1] symbols
    cdef const double[::1] costs
    cdef const double[::1] skip
    cdef const unsigned char[::1] letters
    cdef const int[::1] inserted
    cdef const double[::1] insert_costs
    cdef const unsigned char[::1] near_letters
    cdef double swap, margin
    cdef int end, beams, vocab_size
    cdef Py_ssize_t texts, position, node_count
    cdef int[:, ::1] nodes  # of each step that was kept: the node before it, its symbol, how much it took
    cdef double[::1] node_costs
    cdef int[::1] counts  # hypotheses of each text now; then of the next position; insertions
    cdef int[::1] next_counts
    cdef int[::1] insert_counts
    cdef double[::1] totals  # log of the sum of each row's exponentials
    cdef object memory
    cdef Hypothesis* now
    cdef Hypothesis* next
    cdef Hypothesis* insertions
    cdef const int* ids  # of all texts
    cdef bint gathered
    cdef int[::1] ends  # the last node of each text's best hypothesis

    def __init__(self, const int[::1] x not None, const Py_ssize_t[::1] lengths not None, tables, int vocab_size, end,
                 int beams, double margin):
        cdef Py_ssize_t i, k, texts = lengths.shape[0], rows
        self.first, self.plain, self.symbols, self.costs, self.skip, self.letters = tables[:6]
        self.inserted, self.insert_costs, self.near_letters, self.swap = tables[6:]
        self.x, self.lengths, self.texts = x, lengths, texts
        self.starts = np.cumsum(lengths) - lengths
        self.end, self.vocab_size = -1 if end is None else end, vocab_size
        self.beams, self.margin = beams, margin
        self._check()
        self.ids = &x[0] if x.shape[0] else NULL
        rows = texts * beams
        self.memory = np.empty((3 * rows + 1) * sizeof(Hypothesis), np.uint8)
        cdef unsigned char[::1] memory = self.memory
        self.now = <Hypothesis*>&memory[0]
        self.next, self.insertions = self.now + rows, self.now + 2 * rows
        self.counts, self.next_counts, self.insert_counts = np.ones((3, texts), np.int32)
        self.insert_counts[:] = 0
        self.totals = np.empty(rows)
        self.nodes, self.node_costs = np.empty((max(1024, 4 * rows), 3), np.int32), np.empty(max(1024, 4 * rows))
        self.ends = np.full(texts, -1, np.int32)
        for i in range(texts):
            self.now[i * beams].score, self.now[i * beams].node = 0, -1
            self.now[i * beams].obligation = FREE
            for k in range(RECENT):
                self.now[i * beams].recent[k] = -1

    cdef int _check(self) except -1:
        cdef Py_ssize_t i, kinds = self.plain.shape[0], total = 0
        cdef bint good = (self.first.shape[0] == kinds + 1 and self.skip.shape[0] == kinds and self.beams >= 1
                          and self.letters.shape[0] == kinds and self.costs.shape[0] == self.symbols.shape[0]
                          and self.inserted.shape[0] == self.insert_costs.shape[0] == self.near_letters.shape[0]
                          and self.first[0] == 0 and self.first[kinds] == self.symbols.shape[0]
                          and self.end < self.vocab_size)
        for i in range(kinds if good else 0):
            good = good and 1 <= self.plain[i] <= self.first[i + 1] - self.first[i]
        for i in range(self.x.shape[0]):
            good = good and 0 <= self.x[i] < kinds
        for i in range(self.symbols.shape[0]):
            good = good and 0 <= self.symbols[i] < self.vocab_size
        for i in range(self.inserted.shape[0]):
            good = good and 0 <= self.inserted[i] < self.vocab_size
        for i in range(self.texts):
            good = good and 0 <= self.lengths[i] and (i == 0 or self.lengths[i] <= self.lengths[i - 1])
            total += self.lengths[i]
        if not good or total != self.x.shape[0]:
            raise ValueError("the tables of a selection do not fit together, or the texts are not sorted by length")
        return 0

    @property
    def left(self) -> int:
        """The number of texts that have not ended."""
        return self.texts

    def insert(self, const real[:, ::1] y not None):
        """Return the rows and the symbols, (n,) each, of hypotheses that insert a symbol, for logits y (rows, V)."""
        cdef Py_ssize_t b, total = 0
        self._require_rows(y.shape[0], y.shape[1], 0)
        self._make_room()
        with nogil:
            _gather(self, y)
            for b in range(self.texts):
                total += self.insert_counts[b]
        return self._chosen(self.insertions, self.insert_counts, total)

    def advance(self, const real[:, ::1] y not None, const real[:, ::1] z not None):
        """Go on by a position; return the rows and the symbols, (n,) each, of the hypotheses that stay.

        y are the logits of the current hypotheses, z those of the insertions, whose rows count from the end of y. A
        symbol of -1 means that the network reads nothing. Texts that have ended are left out from now on.
        """
        cdef Py_ssize_t b, total = 0
        self._require_rows(y.shape[0], y.shape[1], 0)
        self._require_rows(z.shape[0], z.shape[1], 1)
        self._make_room()
        with nogil:
            if not self.gathered:
                _gather(self, y)
            _advance(self, y, z)
            for b in range(self.texts):
                total += self.counts[b]
        return self._chosen(self.now, self.counts, total)

    def path(self, Py_ssize_t text):
        """Return a text's symbols, -1 for skipped ones, how many symbols of the damaged text each stands for, and what
        the damage costs at each.
        """
        cdef Py_ssize_t n = 0, i
        cdef int node = self.ends[text]
        while node >= 0:
            node, n = self.nodes[node, 0], n + 1
        symbols, taken, costs = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n)
        cdef int[::1] to_symbols = symbols
        cdef int[::1] to_taken = taken
        cdef double[::1] to_costs = costs
        node = self.ends[text]
        for i in range(n - 1, -1, -1):
            to_symbols[i], to_taken[i], to_costs[i] = self.nodes[node, 1], self.nodes[node, 2], self.node_costs[node]
            node = self.nodes[node, 0]
        return symbols, taken, costs

    cdef int _require_rows(self, Py_ssize_t rows, Py_ssize_t columns, bint insertions) except -1:
        cdef Py_ssize_t b, wanted = 0
        for b in range(self.texts):
            wanted += self.insert_counts[b] if insertions else self.counts[b]
        if rows != wanted or columns < self.vocab_size:
            raise ValueError(f"expected logits of {wanted} rows and {self.vocab_size} symbols, got {rows}, {columns}")
        return 0

    cdef int _make_room(self) except -1:
        """Let the nodes of two more steps fit."""
        cdef Py_ssize_t wanted = self.node_count + 2 * self.texts * self.beams
        if wanted > self.nodes.shape[0]:
            if wanted > MAX_NODES // 2:
                raise MemoryError("the text is too long for so many beams. Pass shorter texts.")
            larger, costs = np.empty((2 * wanted, 3), np.int32), np.empty(2 * wanted)
            larger[: self.node_count] = self.nodes[: self.node_count]
            costs[: self.node_count] = self.node_costs[: self.node_count]
            self.nodes, self.node_costs = larger, costs
        return 0

    cdef tuple _chosen(self, const Hypothesis* chosen, const int[::1] counts, Py_ssize_t total):
        """Return the rows and symbols of hypotheses as arrays."""
        rows, symbols = np.empty(total, np.intp), np.empty(total, np.int32)
        cdef Py_ssize_t[::1] to_rows = rows
        cdef int[::1] to_symbols = symbols
        cdef Py_ssize_t b, i, n = 0
        for b in range(self.texts):
            for i in range(counts[b]):
                to_rows[n], to_symbols[n] = chosen[b * self.beams + i].row, chosen[b * self.beams + i].symbol
                n += 1
        return rows, symbols


cdef inline double _log_total(const real* y, Py_ssize_t V) noexcept nogil:
    """log sum_v exp(y[v])"""
    cdef double largest = y[0], total = 0
    cdef Py_ssize_t v
    for v in range(1, V):
        largest = max(largest, <double>y[v])
    for v in range(V):
        total += exp(y[v] - largest)
    return largest + log(total)


cdef inline int _offer(Selection s, Hypothesis* kept, int count, double log_p, double cost, const Hypothesis* parent,
                       int row, int symbol, int obligation) noexcept nogil:
    """Put a hypothesis in its place among the best of its text, or drop it; return how many there are.

    It continues its parent by a step with log P and damage of this cost.
    """
    cdef Hypothesis new
    cdef double score = parent.score + log_p + cost
    cdef int i
    if not score > LOWEST:  # NaN, too
        score = LOWEST
    if count and (score < kept[0].score - s.margin or count == s.beams and score <= kept[count - 1].score):
        return count
    if symbol < 0:
        memcpy(new.recent, parent.recent, sizeof(new.recent))
    else:
        new.recent[0] = symbol
        memcpy(new.recent + 1, parent.recent, (RECENT - 1) * sizeof(int))
    for i in range(count):
        if kept[i].obligation == obligation and memcmp(kept[i].recent, new.recent, sizeof(new.recent)) == 0:
            if kept[i].score >= score:
                return count
            count -= 1
            memmove(kept + i, kept + i + 1, (count - i) * sizeof(Hypothesis))
            break
    new.score, new.cost, new.node = score, cost, parent.node
    new.row, new.symbol, new.obligation = row, symbol, obligation
    count = min(count, s.beams - 1)
    i = count
    while i and kept[i - 1].score < score:
        i -= 1
    memmove(kept + i + 1, kept + i, (count - i) * sizeof(Hypothesis))
    kept[i] = new
    return count + 1


cdef inline int _read(Selection s, Hypothesis* kept, int count, const Hypothesis* h, int row, const real* y,
                      double total, const int* x, Py_ssize_t p, Py_ssize_t length) noexcept nogil:
    """Offer every way in which a hypothesis can read the damaged symbol x[p]."""
    cdef int kind = x[p - 1] if h.obligation == SWAPPED else x[p]
    cdef int free = h.obligation == FREE or h.obligation == SKIPPED
    cdef int i, stop = s.first[kind + 1] if free else s.first[kind] + s.plain[kind]
    cdef double cost
    for i in range(s.first[kind], stop):
        cost = 0 if h.obligation == SWAPPED else s.costs[i]
        count = _offer(s, kept, count, y[s.symbols[i]] - total, cost, h, row, s.symbols[i], FREE)
    if not free:
        return count
    if s.skip[kind] > LOWEST:
        count = _offer(s, kept, count, 0, s.skip[kind], h, row, -1, SKIPPED)
    if s.swap > LOWEST and s.letters[kind] and p + 1 < length and x[p + 1] != kind and s.letters[x[p + 1]]:
        kind = x[p + 1]
        for i in range(s.first[kind], s.first[kind] + s.plain[kind]):
            count = _offer(s, kept, count, y[s.symbols[i]] - total, s.swap, h, row, s.symbols[i], SWAPPED)
    return count


cdef void _gather(Selection s, const real[:, ::1] y) noexcept nogil:
    """Offer what the current hypotheses can read, then their insertions, if those could still be among the best."""
    cdef Py_ssize_t b, p = s.position
    cdef int i, j, row = 0, near, within, count, kept
    cdef double bound, log_p, best
    cdef Hypothesis* h
    cdef const int* x
    for b in range(s.texts):
        x, count, kept, best = s.ids + s.starts[b], 0, 0, LOWEST
        for i in range(s.counts[b]):
            h, s.totals[row + i] = s.now + b * s.beams + i, _log_total(&y[row + i, 0], s.vocab_size)
            if p < s.lengths[b]:
                count = _read(s, s.next + b * s.beams, count, h, row + i, &y[row + i, 0], s.totals[row + i], x, p,
                              s.lengths[b])
            else:
                best = max(best, h.score + (y[row + i, s.end] - s.totals[row + i] if s.end >= 0 else 0))
        s.next_counts[b] = count
        if s.inserted.shape[0]:
            if p < s.lengths[b]:
                bound = s.next[b * s.beams].score - s.margin
                if count == s.beams:
                    bound = max(bound, s.next[b * s.beams + count - 1].score)
            else:
                bound = best
            within = p > 0 and p < s.lengths[b]
            near = (p < s.lengths[b] and s.letters[x[p]]) or (p > 0 and s.letters[x[p - 1]])
            for i in range(s.counts[b]):
                h = s.now + b * s.beams + i
                if h.obligation != FREE:
                    continue
                for j in range(s.inserted.shape[0]):
                    if not (near if s.near_letters[j] else within):
                        continue
                    log_p = y[row + i, s.inserted[j]] - s.totals[row + i]
                    if h.score + log_p + s.insert_costs[j] > bound:
                        kept = _offer(s, s.insertions + b * s.beams, kept, log_p, s.insert_costs[j], h, row + i,
                                      s.inserted[j], INSERTED)
            while kept and s.insertions[b * s.beams + kept - 1].score < s.insertions[b * s.beams].score - s.margin:
                kept -= 1
            for i in range(kept):
                _add_node(s, s.insertions + b * s.beams + i, 0)
        s.insert_counts[b] = kept
        row += s.counts[b]
    s.gathered = True


cdef void _advance(Selection s, const real[:, ::1] y, const real[:, ::1] z) noexcept nogil:
    """Offer what the insertions can read; the best hypotheses of each text become the current ones."""
    cdef Py_ssize_t b, p = s.position, texts = 0
    cdef int i, row = 0, of_insertions = 0, first_insertion = <int>y.shape[0], count
    cdef double best, score, total
    cdef Hypothesis* h
    cdef Hypothesis* kept
    for b in range(s.texts):
        kept, count, best = s.next + b * s.beams, s.next_counts[b], LOWEST
        if p == s.lengths[b]:
            for i in range(s.counts[b]):
                h = s.now + b * s.beams + i
                score = h.score + (y[row + i, s.end] - s.totals[row + i] if s.end >= 0 else 0)
                if i == 0 or score > best:
                    best, s.ends[b] = score, h.node
        for i in range(s.insert_counts[b]):
            h, total = s.insertions + b * s.beams + i, _log_total(&z[of_insertions + i, 0], s.vocab_size)
            if p < s.lengths[b]:
                count = _read(s, kept, count, h, first_insertion + of_insertions + i, &z[of_insertions + i, 0], total,
                              s.ids + s.starts[b], p, s.lengths[b])
            else:
                score = h.score + (z[of_insertions + i, s.end] - total if s.end >= 0 else 0)
                if score > best:
                    best, s.ends[b] = score, h.node
        row += s.counts[b]
        of_insertions += s.insert_counts[b]
        s.insert_counts[b] = 0
        if p < s.lengths[b]:
            while kept[count - 1].score < kept[0].score - s.margin:
                count -= 1
            for i in range(count):
                _add_node(s, kept + i, 1)
            s.counts[b], texts = count, b + 1
    s.texts, s.position, s.gathered = texts, p + 1, False
    s.now, s.next = s.next, s.now


cdef inline void _add_node(Selection s, Hypothesis* h, int taken) noexcept nogil:
    """Store where a hypothesis comes from."""
    s.nodes[s.node_count, 0], s.nodes[s.node_count, 1], s.nodes[s.node_count, 2] = h.node, h.symbol, taken
    s.node_costs[s.node_count] = h.cost
    h.node, s.node_count = <int>s.node_count, s.node_count + 1
