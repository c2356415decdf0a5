"""Beam search for the originals of damaged texts: candidates, recombination and selection, for many texts at a time.

A hypothesis has read the first p symbols of a damaged text, and the network the original so far. At each position it
emits one symbol of the original: a candidate for the damaged symbol (`plain` ones, then substitutions), or the next
damaged symbol, if two were swapped; or it skips a symbol that was typed in excess. Before that it may insert a symbol
that is missing. A replacement takes one to three damaged symbols and emits any number: in its steps, symbols are
inserted first, if there are more of them, then one is emitted or skipped at each position. UNREAD stands for a symbol
that the network lacks: it stays as it is, and the network does not read it.

A hypothesis's obligation is what its last step leaves to the next one: a swap's other half, or the next step of a
replacement; after any other step, the next one is free to be whatever suits that step.

Of a text's hypotheses with the same obligation and the same symbols, as far as the network looks back at them, only the
best stays. The search keeps the hypotheses of the highest rank, and a hypothesis's rank is its score. A network that
looks far back may still predict nearly the same after the same last `RECENT` symbols: all such hypotheses but the best
rank lower by a penalty, so that they do not displace different ones. Ties go to the earlier parent, then to the earlier
candidate.

`reference/restoring.py` does the same for one text with Python's lists.
"""
from libc.math cimport INFINITY, exp, log
from libc.stdint cimport uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memset
import numpy as np

cdef enum:
    RECENT = 8
    SKIPPED_SYMBOL = -1
    UNREAD = -2
    MAX_NODES = 0x7fffffff

cdef enum Obligation:
    FREE, SWAPPED, SKIPPED, INSERTED, REPLACED  # and more: step i of the replacements comes next

UNREAD_SYMBOL = UNREAD
RECENT_SYMBOLS = RECENT
SWAPPED_STEP = SWAPPED
INSERTED_STEP = INSERTED
REPLACED_STEP = REPLACED

cdef double LOWEST = -1e300  # of scores: a symbol of probability 0 is a last resort


cdef struct Hypothesis:
    double score
    double rank
    double cost       # the log-probability of the damage in the last step, which is part of the score
    double toll       # what was subtracted from the score in the last step
    uint64_t digest   # of the symbols that the network looks back at: differs only if they do
    uint64_t recent   # a digest of the last `RECENT` symbols
    Py_ssize_t turn   # the number of hypotheses that were offered earlier
    int row           # of the parent among the current hypotheses and insertions
    int own_row       # of an insertion among them
    int symbol        # of the last step, or else SKIPPED_SYMBOL or UNREAD
    int obligation
    int node          # of the last step, or of the one before if its own is not stored yet


cdef class Selection:
    """The hypotheses of several texts that are read side by side, from the longest text to the shortest.

    `x` are the texts' symbols as numbers of kinds, joined; `lengths` their lengths. `channel` has the tables of the
    damage by name. Kind k has the candidates
    `symbols[first[k]:first[k + 1]]`; the first `plain[k]` are not substitutions. A cost is a pair: the log-probability
    of the damage, and a toll that is subtracted from the score: `costs` of each candidate, `skip[k]` of an excess
    symbol, `swap` of two swapped `letters`, whose plain candidates otherwise cost `kept` too, `insert_costs` of the
    missing symbols `inserted`: `near_letters`, only next to a letter, or else anywhere within a text. The replacements
    `openings[k]` to `openings[k + 1]` begin at kind k, and have in `replacements` the next two kinds, -1 for none, and
    the first of their `steps`: the symbol, how much it takes, and the obligation after it. `unread` is log P of a
    candidate UNREAD. `end` is the symbol that ends a text, or None. `context` is the number of symbols that the network
    looks back at, None for all. `beams` is the number of hypotheses to keep at each position of `x`.
    """
    cdef const int[::1] x
    cdef const Py_ssize_t[::1] starts
    cdef const Py_ssize_t[::1] lengths
    cdef const int[::1] first
    cdef const int[::1] plain
    cdef const int[::1] symbols
    cdef const double[:, ::1] costs
    cdef const double[:, ::1] skip
    cdef const unsigned char[::1] letters
    cdef const int[::1] inserted
    cdef const double[:, ::1] insert_costs
    cdef const unsigned char[::1] near_letters
    cdef const int[::1] openings
    cdef const int[:, ::1] replacements
    cdef const double[:, ::1] replacement_costs
    cdef const int[:, ::1] steps
    cdef const double[::1] swap
    cdef const int[::1] widths
    cdef double kept
    cdef double unread
    cdef double margin
    cdef double penalty
    cdef int end
    cdef int vocab_size
    cdef int beams        # the largest number to keep
    cdef int width        # the number to keep of the current text
    cdef int most_rounds  # of insertions at one position
    cdef uint64_t factor  # of a digest that is extended by a symbol
    cdef Py_ssize_t context  # -1: all symbols
    cdef Py_ssize_t texts
    cdef Py_ssize_t position
    cdef Py_ssize_t node_count
    cdef Py_ssize_t turn
    cdef Py_ssize_t room  # for hypotheses of each text: when it is full, the best ones stay
    cdef int[:, ::1] nodes  # of each step that was kept: the node before it, its symbol, the obligation after it
    cdef double[:, ::1] node_costs  # the cost and the toll of each step
    cdef int[::1] counts  # hypotheses of each text now; then of the next position; insertions
    cdef int[::1] next_counts
    cdef int[::1] insert_counts
    cdef int[::1] pending  # where each text's insertions of the last round start
    cdef double[::1] floors  # scores that each text's insertions must exceed
    cdef double[::1] totals  # log of the sum of each row's exponentials
    cdef object memory
    cdef Hypothesis* now
    cdef Hypothesis* next
    cdef Hypothesis* insertions
    cdef const int* ids  # of all texts
    cdef int[:, ::1] found  # hash tables of indices by text and by last symbols, -1 where they are free
    cdef int shift          # of a hash, which makes it a place in these tables
    cdef double best        # score of the hypotheses that were offered; those `margin` below it are dropped,
    cdef double floor       # and so are those not above one of these scores
    cdef double least
    cdef int rounds         # of insertions at this position so far
    cdef int rows           # of the current hypotheses and insertions
    cdef int[::1] ends  # the last node of each text's best hypothesis

    def __init__(self, const int[::1] x not None, const Py_ssize_t[::1] lengths not None, channel, int vocab_size, end,
                 context, const int[::1] beams not None, double margin, double penalty):
        self._take_tables(channel)
        self.x = x
        self.ids = &x[0] if x.shape[0] else NULL
        self.lengths = lengths
        self.starts = np.cumsum(lengths) - lengths
        self.texts = lengths.shape[0]
        self.end = -1 if end is None else end
        self.vocab_size = vocab_size
        self.widths = beams
        self.margin = margin
        self.penalty = penalty
        self.floor = -INFINITY
        self.rounds = 0
        self._check()
        self._set_context(context)
        self._make_arrays()

    cdef int _take_tables(self, channel) except -1:
        """Take the tables of the damage."""
        self.first = channel.first
        self.plain = channel.plain
        self.symbols = channel.symbols
        self.costs = channel.costs
        self.skip = channel.skip
        self.letters = channel.letters
        self.inserted = channel.inserted
        self.insert_costs = channel.insert_costs
        self.near_letters = channel.near_letters
        self.swap = channel.swap
        self.kept = channel.kept
        self.unread = channel.unread
        self.openings = channel.openings
        self.replacements = channel.replacements
        self.replacement_costs = channel.replacement_costs
        self.steps = channel.steps
        return 0

    cdef int _set_context(self, context) except -1:
        """Set how many symbols the network looks back at, and the factor of a digest that depends on just these."""
        if context is None:
            self.context = -1
            self.factor = 0x9e3779b97f4a7c15
            return 0
        # Modulo 2 ** 64, a digest forgets what is further back.
        self.context = max(context, 1)
        self.factor = <uint64_t>1 << (63 + self.context) // self.context if self.context > 1 else 0
        if self.context <= RECENT:
            self.penalty = 0
        return 0

    cdef int _make_arrays(self) except -1:
        """Make room for hypotheses, and let each text have one that has read nothing."""
        cdef Py_ssize_t texts = self.texts
        cdef Py_ssize_t rows = texts * self.beams
        cdef unsigned char[::1] memory
        cdef Hypothesis* start
        cdef Py_ssize_t i
        self.room = 2 * self.beams + 16
        self.memory = np.empty(((2 + self.most_rounds) * texts * self.room + 1) * sizeof(Hypothesis), np.uint8)
        memory = self.memory
        self.now = <Hypothesis*>&memory[0]
        self.next = self.now + texts * self.room
        self.insertions = self.next + texts * self.room
        bits = int(self.room).bit_length() + 1
        self.found = np.empty((2, 1 << bits), np.int32)
        self.shift = 64 - bits
        self.counts = np.ones(texts, np.int32)
        self.next_counts = np.ones(texts, np.int32)
        self.insert_counts = np.zeros(texts, np.int32)
        self.pending = np.ones(texts, np.int32)
        self.floors = np.empty(texts)
        self.totals = np.empty(rows)
        self.nodes = np.empty((max(1024, 4 * rows), 3), np.int32)
        self.node_costs = np.empty((max(1024, 4 * rows), 2))
        self.ends = np.full(texts, -1, np.int32)
        for i in range(texts):
            start = self.now + i * self.room
            start.score = 0
            start.node = -1
            start.digest = 0
            start.recent = 0
            start.obligation = FREE
        return 0

    cdef int _check(self) except -1:
        """Check that tables and texts fit together, and find the most beams and rounds of insertions."""
        cdef Py_ssize_t i
        self.beams = 1
        for i in range(self.widths.shape[0]):
            self.beams = max(self.beams, self.widths[i])
        if not (self._tables_fit() and self._replacements_fit() and self._texts_fit()):
            raise ValueError("the tables of a selection do not fit together, or the texts are not sorted by length")
        return 0

    cdef bint _tables_fit(self) except -1:
        """Return whether the tables of candidates and of missing symbols fit together."""
        cdef Py_ssize_t kinds = self.plain.shape[0]
        cdef Py_ssize_t i
        if not (self.first.shape[0] == kinds + 1 and self.skip.shape[0] == self.letters.shape[0] == kinds
                and self.costs.shape[0] == self.symbols.shape[0]
                and self.inserted.shape[0] == self.insert_costs.shape[0] == self.near_letters.shape[0]
                and self.costs.shape[1] == self.skip.shape[1] == self.insert_costs.shape[1] == self.swap.shape[0] == 2
                and self.first[0] == 0 and self.first[kinds] == self.symbols.shape[0] and self.end < self.vocab_size):
            return False
        for i in range(kinds):
            if not 1 <= self.plain[i] <= self.first[i + 1] - self.first[i]:
                return False
        for i in range(self.symbols.shape[0]):
            if not (0 <= self.symbols[i] < self.vocab_size or self.symbols[i] == UNREAD):
                return False
        for i in range(self.inserted.shape[0]):
            if not 0 <= self.inserted[i] < self.vocab_size:
                return False
        return True

    cdef bint _replacements_fit(self) except -1:
        """Return whether the tables of replacements fit together; set the most insertions at one position."""
        cdef Py_ssize_t kinds = self.plain.shape[0]
        cdef Py_ssize_t n_steps = self.steps.shape[0]
        cdef int rounds = 0
        cdef Py_ssize_t i
        self.most_rounds = 1
        if not (self.openings.shape[0] == kinds + 1 and self.openings[0] == 0
                and self.openings[kinds] == self.replacements.shape[0] == self.replacement_costs.shape[0]
                and self.replacement_costs.shape[1] == 2 and self.replacements.shape[1] == self.steps.shape[1] == 3):
            return False
        for i in range(kinds):
            if self.openings[i] > self.openings[i + 1]:
                return False
        for i in range(self.replacements.shape[0]):
            if not 0 <= self.replacements[i, 2] < n_steps:
                return False
        for i in range(n_steps):
            if not SKIPPED_SYMBOL <= self.steps[i, 0] < self.vocab_size:
                return False
            if not (self.steps[i, 2] == FREE or self.steps[i, 2] == REPLACED + i + 1 < REPLACED + n_steps):
                return False
            rounds = 0 if self.steps[i, 1] else rounds + 1
            self.most_rounds = max(self.most_rounds, rounds)
        return True

    cdef bint _texts_fit(self) except -1:
        """Return whether the symbols are kinds, with a number of beams each, and the texts get no longer."""
        cdef Py_ssize_t kinds = self.plain.shape[0]
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t i
        if self.widths.shape[0] != self.x.shape[0]:
            return False
        for i in range(self.x.shape[0]):
            if not (0 <= self.x[i] < kinds and self.widths[i] >= 1):
                return False
        for i in range(self.texts):
            if self.lengths[i] < 0 or i and self.lengths[i] > self.lengths[i - 1]:
                return False
            total += self.lengths[i]
        return total == self.x.shape[0]

    @property
    def left(self) -> int:
        """The number of texts that have not ended."""
        return self.texts

    def insert(self, logits):
        """Return the rows and the symbols, (n,) each, of hypotheses that insert a symbol, for `logits` (rows, V).

        A replacement may insert further symbols: call again with the logits of the insertions returned last, until none
        are returned. Rows belong to the current hypotheses first, then to all insertions.
        """
        cdef const double[:, ::1] y = np.ascontiguousarray(logits, np.float64)
        self._require_rows(y.shape[0], y.shape[1], self.rounds > 0)
        self._make_room()
        if self.rounds == 0:
            self.rows = y.shape[0]
            with nogil:
                _gather(self, y)
        elif self.rounds < self.most_rounds:
            with nogil:
                _insert_more(self, y)
        else:
            self.pending[:] = self.insert_counts
        self.rounds += 1
        return self._chosen(self.insertions, self.most_rounds * self.room, self.pending, self.insert_counts)

    def advance(self, logits, inserted):
        """Go on by a position; return the rows and the symbols, (n,) each, of the hypotheses that stay.

        `logits` belong to the current hypotheses, `inserted` to all insertions. A negative symbol means that
        the network reads nothing. Texts that have ended are left out from now on.
        """
        cdef const double[:, ::1] y = np.ascontiguousarray(logits, np.float64)
        cdef const double[:, ::1] z = np.ascontiguousarray(inserted, np.float64)
        self.pending[:] = 0
        self._require_rows(y.shape[0], y.shape[1], 0)
        self._require_rows(z.shape[0], z.shape[1], 1)
        self._make_room()
        with nogil:
            if self.rounds == 0:
                _gather(self, y)
            _advance(self, y, z)
        return self._chosen(self.now, self.room, self.pending, self.counts)

    def path(self, Py_ssize_t text):
        """Return a text's symbols, the obligation after each, and the cost and the toll (n, 2) of the damage at each.

        A symbol is -1 if it was skipped, and UNREAD if it stays as it is.
        """
        cdef Py_ssize_t n = 0
        cdef Py_ssize_t i
        cdef int node = self.ends[text]
        while node >= 0:
            node = self.nodes[node, 0]
            n += 1
        symbols = np.empty(n, np.int32)
        obligations = np.empty(n, np.int32)
        costs = np.empty((n, 2))
        cdef int[::1] to_symbols = symbols
        cdef int[::1] to_obligations = obligations
        cdef double[:, ::1] to_costs = costs
        node = self.ends[text]
        for i in range(n - 1, -1, -1):
            to_symbols[i] = self.nodes[node, 1]
            to_obligations[i] = self.nodes[node, 2]
            to_costs[i, 0] = self.node_costs[node, 0]
            to_costs[i, 1] = self.node_costs[node, 1]
            node = self.nodes[node, 0]
        return symbols, obligations, costs

    cdef int _require_rows(self, Py_ssize_t rows, Py_ssize_t columns, bint insertions) except -1:
        """Raise an error unless logits have a row for each current hypothesis, or for each of the last insertions."""
        cdef Py_ssize_t wanted = 0
        cdef Py_ssize_t b
        for b in range(self.texts):
            wanted += self.insert_counts[b] - self.pending[b] if insertions else self.counts[b]
        if rows != wanted or columns < self.vocab_size:
            raise ValueError(f"expected logits of {wanted} rows and {self.vocab_size} symbols, got {rows}, {columns}")
        return 0

    cdef int _make_room(self) except -1:
        """Let the nodes of two more steps fit."""
        cdef Py_ssize_t wanted = self.node_count + 2 * self.texts * self.beams
        if wanted > self.nodes.shape[0]:
            if wanted > MAX_NODES // 2:
                raise MemoryError("the text is too long for so many beams. Pass shorter texts.")
            larger = np.empty((2 * wanted, 3), np.int32)
            costs = np.empty((2 * wanted, 2))
            larger[: self.node_count] = self.nodes[: self.node_count]
            costs[: self.node_count] = self.node_costs[: self.node_count]
            self.nodes = larger
            self.node_costs = costs
        return 0

    cdef tuple _chosen(self, Hypothesis* chosen, Py_ssize_t room, const int[::1] first, const int[::1] counts):
        """Return the rows and symbols of hypotheses as arrays; their own rows follow the others."""
        cdef Py_ssize_t n = 0
        cdef Py_ssize_t total = 0
        cdef Py_ssize_t b, i
        for b in range(self.texts):
            total += counts[b] - first[b]
        rows = np.empty(total, np.intp)
        symbols = np.empty(total, np.int32)
        cdef Py_ssize_t[::1] to_rows = rows
        cdef int[::1] to_symbols = symbols
        for b in range(self.texts):
            for i in range(b * room + first[b], b * room + counts[b]):
                to_rows[n] = chosen[i].row
                to_symbols[n] = chosen[i].symbol
                chosen[i].own_row = self.rows + <int>n
                n += 1
        self.rows += <int>n
        return rows, symbols


cdef inline double _log_total(const double* y, Py_ssize_t V) noexcept nogil:
    """Return log sum_v exp(y[v])."""
    cdef double largest = y[0]
    cdef double total = 0
    cdef Py_ssize_t v
    for v in range(1, V):
        largest = max(largest, y[v])
    for v in range(V):
        total += exp(y[v] - largest)
    return largest + log(total)


cdef bint _are_alike(Selection s, const Hypothesis* one, const Hypothesis* other) noexcept nogil:
    """Return whether the network cannot tell the texts of two hypotheses apart."""
    cdef Py_ssize_t left = s.context
    cdef int a = one.symbol
    cdef int b = other.symbol
    cdef int node_a = one.node  # before symbol a
    cdef int node_b = other.node
    if one.digest != other.digest:
        return False
    while True:
        while a < 0 <= node_a:
            a = s.nodes[node_a, 1]
            node_a = s.nodes[node_a, 0]
        while b < 0 <= node_b:
            b = s.nodes[node_b, 1]
            node_b = s.nodes[node_b, 0]
        if a < 0 or b < 0:
            return a < 0 and b < 0  # both texts start here
        left -= 1
        if a != b or left == 0 or node_a == node_b:
            return a == b
        a = SKIPPED_SYMBOL
        b = SKIPPED_SYMBOL


cdef int _by_rank(const void* a, const void* b) noexcept nogil:
    """Sort the best hypotheses first, and equally good ones in turn."""
    cdef const Hypothesis* one = <const Hypothesis*>a
    cdef const Hypothesis* other = <const Hypothesis*>b
    if one.rank != other.rank:
        return 1 if one.rank < other.rank else -1
    return 1 if one.turn > other.turn else -1


cdef void _set_bounds(Selection s, const Hypothesis* kept, int count) noexcept nogil:
    """Let hypotheses be offered that could be among the best, given the best ones so far."""
    s.best = kept[0].score if count else -INFINITY
    s.least = max(s.floor, kept[count - 1].rank if count == s.width else -INFINITY)


cdef int* _find(Selection s, const Hypothesis* kept, const Hypothesis* h, bint recent) noexcept nogil:
    """Return where the index of a hypothesis like h is, or would be: one of the same text or only last symbols."""
    cdef uint64_t digest = h.recent if recent else h.digest
    cdef Py_ssize_t place = <Py_ssize_t>((digest + h.obligation) * <uint64_t>0x9e3779b97f4a7c15 >> s.shift)
    cdef const Hypothesis* other
    cdef bint alike
    while s.found[recent, place] >= 0:
        other = kept + s.found[recent, place]
        if other.obligation == h.obligation:
            alike = other.recent == h.recent if recent else _are_alike(s, other, h)
            if alike:
                break
        place = (place + 1) & (s.found.shape[1] - 1)
    return &s.found[recent, place]


cdef int _settle(Selection s, Hypothesis* kept, int count) noexcept nogil:
    """Keep the best of some hypotheses, sorted by rank; return how many there are."""
    cdef int n = 0
    cdef int tables = 2 if s.penalty else 1
    cdef int i
    cdef int* place
    cdef bint lowered = False
    for i in range(count):
        kept[i].rank = kept[i].score
    qsort(kept, count, sizeof(Hypothesis), _by_rank)
    memset(&s.found[0, 0], 0xff, tables * s.found.shape[1] * sizeof(int))
    for i in range(count):
        if kept[i].score < kept[0].score - s.margin:
            break
        place = _find(s, kept, kept + i, recent=False)
        if place[0] >= 0:
            continue
        place[0] = n
        kept[n] = kept[i]
        if s.penalty:
            place = _find(s, kept, kept + n, recent=True)
            if place[0] >= 0:
                kept[n].rank -= s.penalty
                lowered = True
            else:
                place[0] = n
        n += 1
    if lowered:
        qsort(kept, n, sizeof(Hypothesis), _by_rank)
        while kept[n - 1].rank < kept[0].rank - s.margin:
            n -= 1
    n = min(n, s.width)
    _set_bounds(s, kept, n)
    return n


cdef inline int _offer(Selection s, Hypothesis* kept, int count, double log_p, double cost, double toll,
                       const Hypothesis* parent, int row, int symbol, int obligation) noexcept nogil:
    """Add a hypothesis to its text's list if it is among the best; return the length of the list.

    It continues its parent by a step with log P and damage of this cost and toll.
    """
    cdef Hypothesis* new = kept + count
    cdef double score = parent.score + log_p + cost - toll
    if not score > LOWEST:  # NaN, too
        score = LOWEST
    if score <= s.least or score < s.best - s.margin:
        return count
    s.best = max(s.best, score)
    new.score = score
    new.cost = cost
    new.toll = toll
    new.node = parent.node
    new.digest = parent.digest
    new.recent = parent.recent
    if symbol >= 0:
        new.digest = parent.digest * s.factor + symbol + 1
        new.recent = (parent.recent << 64 // RECENT) + symbol + 1
    new.row = row
    new.symbol = symbol
    new.obligation = obligation
    new.turn = s.turn
    s.turn += 1
    count += 1
    return count if count < s.room else _settle(s, kept, count)


cdef inline double _log_p(Selection s, const double* y, double total, int symbol) noexcept nogil:
    """Return log P of a symbol or UNREAD, given logits and the log of the sum of their exponentials."""
    return y[symbol] - total if symbol >= 0 else s.unread


cdef inline int _step(Selection s, Hypothesis* kept, int count, const Hypothesis* h, int row, const double* y,
                      double total, int step, double cost, double toll) noexcept nogil:
    """Offer a step of a replacement."""
    cdef int symbol = s.steps[step, 0]
    cdef double log_p = _log_p(s, y, total, symbol) if symbol >= 0 else 0
    return _offer(s, kept, count, log_p, cost, toll, h, row, symbol, s.steps[step, 2])


cdef inline int _open(Selection s, Hypothesis* kept, int count, const Hypothesis* h, int row, const double* y,
                      double total, const int* x, Py_ssize_t left, int taken) noexcept nogil:
    """Offer the first steps of replacements of x[0], and symbols after it, that insert a symbol, or take x[0]."""
    cdef int i, step
    if h.obligation != FREE and h.obligation != SKIPPED:
        return count
    for i in range(s.openings[x[0]], s.openings[x[0] + 1]):
        step = s.replacements[i, 2]
        if s.steps[step, 1] == taken and _follows(s, i, x, left):
            count = _step(s, kept, count, h, row, y, total, step, s.replacement_costs[i, 0], s.replacement_costs[i, 1])
    return count


cdef inline bint _follows(Selection s, int replacement, const int* x, Py_ssize_t left) noexcept nogil:
    """Return whether the `left` symbols after x[0] begin with those that a replacement takes."""
    cdef int second = s.replacements[replacement, 0]
    cdef int third = s.replacements[replacement, 1]
    if second >= 0 and (left < 2 or second != x[1]):
        return False
    return third < 0 or left > 2 and third == x[2]


cdef inline int _read(Selection s, Hypothesis* kept, int count, const Hypothesis* h, int row, const double* y,
                      double total, const int* x, Py_ssize_t p, Py_ssize_t length) noexcept nogil:
    """Offer every way for a hypothesis to read the damaged symbol x[p]."""
    cdef bint free = h.obligation == FREE or h.obligation == SKIPPED
    cdef int kind = x[p]
    cdef double kept_cost = 0
    cdef int i, stop
    if h.obligation >= REPLACED:
        i = h.obligation - REPLACED
        return _step(s, kept, count, h, row, y, total, i, 0, 0) if s.steps[i, 1] else count
    if h.obligation == SWAPPED:
        kind = x[p - 1]
        kept_cost = s.kept
    stop = s.first[kind + 1] if free else s.first[kind] + s.plain[kind]
    for i in range(s.first[kind], stop):
        count = _offer(s, kept, count, _log_p(s, y, total, s.symbols[i]), s.costs[i, 0] - kept_cost, s.costs[i, 1], h,
                       row, s.symbols[i], FREE)
    if not free:
        return count
    if s.skip[kind, 0] > LOWEST:
        count = _offer(s, kept, count, 0, s.skip[kind, 0], s.skip[kind, 1], h, row, SKIPPED_SYMBOL, SKIPPED)
    if p + 1 < length and _may_be_swapped(s, kind, x[p + 1]):
        kind = x[p + 1]
        for i in range(s.first[kind], s.first[kind] + s.plain[kind]):
            count = _offer(s, kept, count, _log_p(s, y, total, s.symbols[i]), s.swap[0] + s.costs[i, 0] - s.kept,
                           s.swap[1] + s.costs[i, 1], h, row, s.symbols[i], SWAPPED)
    return _open(s, kept, count, h, row, y, total, x + p, length - p, 1)


cdef inline bint _may_be_swapped(Selection s, int kind, int other) noexcept nogil:
    """Return whether neighboring symbols of these kinds may have been swapped: they are different letters."""
    return s.swap[0] > LOWEST and s.letters[kind] and s.letters[other] and kind != other


cdef inline double _final_score(Selection s, const Hypothesis* h, const double* y, double total) noexcept nogil:
    """Return the score of a hypothesis whose text ends, given its logits."""
    if s.end < 0:
        return h.score
    return h.score + (y[s.end] - total)


cdef void _gather(Selection s, const double[:, ::1] y) noexcept nogil:
    """Offer what the current hypotheses can read, then their insertions, if those could still be among the best."""
    cdef bint may_insert = s.inserted.shape[0] > 0 or s.replacements.shape[0] > 0
    cdef int row = 0
    cdef Py_ssize_t b
    cdef double best
    for b in range(s.texts):
        _start_text(s, b)
        best = _gather_read(s, y, b, row)
        s.insert_counts[b] = 0
        if may_insert:
            s.floor = best if s.position == s.lengths[b] else max(s.least, s.best - s.margin)
            s.floors[b] = s.floor
            _gather_inserted(s, y, b, row)
            s.floor = -INFINITY
        s.pending[b] = 0
        row += s.counts[b]


cdef double _gather_read(Selection s, const double[:, ::1] y, Py_ssize_t b, int row) noexcept nogil:
    """Offer what the hypotheses of text b can read, whose logits start at this row; return the best final score.

    It is LOWEST unless the text ends here.
    """
    cdef Hypothesis* read = s.next + b * s.room
    cdef Hypothesis* h
    cdef const int* x = s.ids + s.starts[b]
    cdef const double* logits
    cdef double best = LOWEST
    cdef int count = 0
    cdef int i
    for i in range(s.counts[b]):
        h = s.now + b * s.room + i
        logits = &y[row + i, 0]
        s.totals[row + i] = _log_total(logits, s.vocab_size)
        if s.position < s.lengths[b]:
            count = _read(s, read, count, h, row + i, logits, s.totals[row + i], x, s.position, s.lengths[b])
        else:
            best = max(best, _final_score(s, h, logits, s.totals[row + i]))
    if s.position < s.lengths[b]:
        count = _settle(s, read, count)
    s.next_counts[b] = count
    return best


cdef void _gather_inserted(Selection s, const double[:, ::1] y, Py_ssize_t b, int row) noexcept nogil:
    """Offer the insertions of the hypotheses of text b, whose logits start at this row."""
    cdef Hypothesis* inserted = s.insertions + b * s.room * s.most_rounds
    cdef Hypothesis* h
    cdef Py_ssize_t p = s.position
    cdef Py_ssize_t length = s.lengths[b]
    cdef const int* x = s.ids + s.starts[b]
    cdef const double* logits
    cdef int kept = 0
    cdef int i
    _set_bounds(s, inserted, 0)
    for i in range(s.counts[b]):
        h = s.now + b * s.room + i
        logits = &y[row + i, 0]
        if p < length:
            kept = _open(s, inserted, kept, h, row + i, logits, s.totals[row + i], x + p, length - p, 0)
        if h.obligation == FREE:
            kept = _insert(s, inserted, kept, h, row + i, logits, x, p, length)
    kept = _settle(s, inserted, kept)
    for i in range(kept):
        _add_node(s, inserted + i)
    s.insert_counts[b] = kept


cdef inline int _insert(Selection s, Hypothesis* kept, int count, const Hypothesis* h, int row, const double* y,
                        const int* x, Py_ssize_t p, Py_ssize_t length) noexcept nogil:
    """Offer each symbol that may be missing before x[p], in a text of so many symbols."""
    cdef bint within = 0 < p < length
    cdef bint near_letter = p < length and s.letters[x[p]] or p > 0 and s.letters[x[p - 1]]
    cdef bint possible
    cdef int j
    for j in range(s.inserted.shape[0]):
        possible = near_letter if s.near_letters[j] else within
        if possible:
            count = _offer(s, kept, count, y[s.inserted[j]] - s.totals[row], s.insert_costs[j, 0],
                           s.insert_costs[j, 1], h, row, s.inserted[j], INSERTED)
    return count


cdef void _insert_more(Selection s, const double[:, ::1] y) noexcept nogil:
    """Offer the next insertions of the replacements among the last ones, given their logits."""
    cdef Hypothesis* last
    cdef Hypothesis* more
    cdef Hypothesis* h
    cdef const double* logits
    cdef Py_ssize_t b
    cdef int row = 0
    cdef int i, step, n_last, kept
    for b in range(s.texts):
        last = s.insertions + b * s.room * s.most_rounds + s.pending[b]
        n_last = s.insert_counts[b] - s.pending[b]
        more = last + n_last
        kept = 0
        _start_text(s, b)
        s.floor = s.floors[b]
        _set_bounds(s, more, 0)
        for i in range(n_last):
            h = last + i
            logits = &y[row, 0]
            step = h.obligation - REPLACED
            if step >= 0 and not s.steps[step, 1]:
                kept = _step(s, more, kept, h, h.own_row, logits, _log_total(logits, s.vocab_size), step, 0, 0)
            row += 1
        kept = _settle(s, more, kept)
        s.floor = -INFINITY
        for i in range(kept):
            _add_node(s, more + i)
        s.pending[b] = s.insert_counts[b]
        s.insert_counts[b] += kept


cdef void _advance(Selection s, const double[:, ::1] y, const double[:, ::1] z) noexcept nogil:
    """Offer what the insertions can read; the best hypotheses of each text become the current ones."""
    cdef Hypothesis* swapped
    cdef Py_ssize_t texts = 0
    cdef Py_ssize_t b
    cdef int row = 0
    cdef int current
    for b in range(s.texts):
        current = s.counts[b]
        _start_text(s, b)
        if s.position < s.lengths[b]:
            _advance_text(s, b, z, <int>y.shape[0])
            texts = b + 1
        else:
            _end_text(s, b, y, z, row)
        s.insert_counts[b] = 0
        row += current
    s.texts = texts
    s.position += 1
    s.rounds = 0
    swapped = s.now
    s.now = s.next
    s.next = swapped


cdef void _advance_text(Selection s, Py_ssize_t b, const double[:, ::1] z, int first_insertion) noexcept nogil:
    """Offer what the insertions of text b can read; z has a row for each insertion, numbered from the first one."""
    cdef Hypothesis* kept = s.next + b * s.room
    cdef Hypothesis* h
    cdef const int* x = s.ids + s.starts[b]
    cdef const double* logits
    cdef double total
    cdef int count = s.next_counts[b]
    cdef int i
    if s.insert_counts[b]:
        _set_bounds(s, kept, count)
        for i in range(s.insert_counts[b]):
            h = s.insertions + b * s.room * s.most_rounds + i
            logits = &z[h.own_row - first_insertion, 0]
            total = _log_total(logits, s.vocab_size)
            count = _read(s, kept, count, h, h.own_row, logits, total, x, s.position, s.lengths[b])
        count = _settle(s, kept, count)
    for i in range(count):
        _add_node(s, kept + i)
    s.counts[b] = count


cdef void _end_text(Selection s, Py_ssize_t b, const double[:, ::1] y, const double[:, ::1] z, int row) noexcept nogil:
    """Set the last node of text b, all of whose symbols are read, to the node of its best hypothesis or insertion.

    The logits of its hypotheses start at this row of y.
    """
    cdef Hypothesis* h
    cdef const double* logits
    cdef double best = LOWEST
    cdef double score
    cdef int i
    for i in range(s.counts[b]):
        h = s.now + b * s.room + i
        score = _final_score(s, h, &y[row + i, 0], s.totals[row + i])
        if i == 0 or score > best:
            best = score
            s.ends[b] = h.node
    for i in range(s.insert_counts[b]):
        h = s.insertions + b * s.room * s.most_rounds + i
        logits = &z[h.own_row - y.shape[0], 0]
        score = _final_score(s, h, logits, _log_total(logits, s.vocab_size))
        if score > best:
            best = score
            s.ends[b] = h.node


cdef inline void _start_text(Selection s, Py_ssize_t b) noexcept nogil:
    """Forget the last text's bounds; keep as many hypotheses as this text needs at this position."""
    s.width = 1
    if s.lengths[b]:
        s.width = s.widths[s.starts[b] + min(s.position, s.lengths[b] - 1)]
    _set_bounds(s, NULL, 0)


cdef inline void _add_node(Selection s, Hypothesis* h) noexcept nogil:
    """Store where a hypothesis comes from."""
    cdef Py_ssize_t node = s.node_count
    s.nodes[node, 0] = h.node
    s.nodes[node, 1] = h.symbol
    s.nodes[node, 2] = h.obligation
    s.node_costs[node, 0] = h.cost
    s.node_costs[node, 1] = h.toll
    h.node = <int>node
    s.node_count += 1
