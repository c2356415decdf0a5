"""Counts of the next symbol after the letters of a word so far and the two words before, kept in tables of hashes.

A context is what `hash_contexts` reads backward from a place of the text. The tables no longer change; see
`crnn.ngram.word_counts` for their arrays. Their probabilities are of folded symbols: a letter's cases are one symbol.
"""
# The same in Python: `reference/word_counts.py`.
from libc.math cimport exp, log
from libc.stdint cimport uint32_t, uint64_t
import numpy as np
from ..common.row_source cimport RowSource, row_source_capsule, row_source_in
from ..entry.core import require_size
from .symbol_checks cimport check_symbols

cdef enum:
    MAX_LEVELS = 3  # the letters so far, then also the previous word, then also the one before
    LONGEST = 48  # symbols that a context depends on
    MAX_SOURCES = 64
    SHARES = 256

LEVELS = MAX_LEVELS
WINDOW = LONGEST

cdef double SMALLEST = 1e-300

cdef struct Symbols:  # what is known of the symbols
    int count
    int boundary  # -1: none
    const unsigned char* letters  # whether each is a letter
    const int* folds  # the symbol that stands for all cases

cdef struct Level:  # contexts of one kind
    const uint32_t* keys  # sorted
    const int* firsts  # context c has the entries firsts[c], …, firsts[c + 1] - 1
    const unsigned char* escapes
    const int* starts  # of the keys with each value of their first bits
    int bits  # to shift a key by, to get the first ones
    int size

cdef struct Tables:
    Symbols of
    Level levels[MAX_LEVELS]
    const uint32_t* entries  # a symbol, shifted by 8 bits, and the number of its share
    const double* shares  # (SHARES,): what a number stands for
    const double* base  # the probability of each folded symbol in an unknown context
    const unsigned char* alone  # whether a symbol has no other case


cdef inline uint64_t mixed(uint64_t h, uint64_t value) noexcept nogil:
    """A hash of a hash and another number."""
    h ^= value + <uint64_t>0x9E3779B97F4A7C15
    h *= <uint64_t>0xFF51AFD7ED558CCD
    return h ^ (h >> 32)


cdef inline int symbol_kind(const Symbols* s, int symbol) noexcept nogil:
    """1: a letter. 0: another symbol. -1: the beginning of a text or document."""
    if symbol < 0 or symbol == s.boundary:
        return -1
    return s.letters[symbol]


cdef inline void hash_contexts(const Symbols* s, const int* text, Py_ssize_t n, uint32_t* keys) noexcept nogil:
    """keys[k] = the hash of the letters of a word at the end of a text of n symbols, and of the k words before.

    Without a letter at the end, the symbols since the last one take the place of the letters so far. Only the last
    `LONGEST` symbols, since the last boundary, count.
    """
    cdef Py_ssize_t i = n - 1, end = max(<Py_ssize_t>0, n - LONGEST) - 1
    cdef uint64_t h = 0
    cdef int level
    if i > end and symbol_kind(s, text[i]) == 0:
        h = 1
        while i > end and symbol_kind(s, text[i]) == 0:
            h = mixed(h, s.folds[text[i]])
            i -= 1
    else:
        while i > end and symbol_kind(s, text[i]) == 1:
            h = mixed(h, s.folds[text[i]])
            i -= 1
    keys[0] = <uint32_t>(h >> 32)
    for level in range(1, MAX_LEVELS):
        h = mixed(h, 1 << 32)  # the end of a word
        while i > end and symbol_kind(s, text[i]) == 0:
            i -= 1
        while i > end and symbol_kind(s, text[i]) == 1:
            h = mixed(h, s.folds[text[i]])
            i -= 1
        keys[level] = <uint32_t>(h >> 32)


cdef inline int context_of(const Level* level, uint32_t key) noexcept nogil:
    """The number of the context with a key, or -1."""
    cdef int i = level.starts[key >> level.bits], end = level.starts[(key >> level.bits) + 1]
    while i < end and level.keys[i] < key:
        i += 1
    return i if i < end and level.keys[i] == key else -1


cdef inline void fill_folded(const Tables* t, const uint32_t* keys, double* p) noexcept nogil:
    """p[w] = the probability of each folded symbol w after a context."""
    cdef double factor = 1
    cdef int level, c, e
    cdef Py_ssize_t w
    for w in range(t.of.count):
        p[w] = 0
    for level in range(MAX_LEVELS - 1, -1, -1):
        c = context_of(&t.levels[level], keys[level])
        if c < 0:
            continue
        for e in range(t.levels[level].firsts[c], t.levels[level].firsts[c + 1]):
            p[t.entries[e] >> 8] += factor * t.shares[t.entries[e] & 255]
        factor *= t.shares[t.levels[level].escapes[c]]
    for w in range(t.of.count):
        p[w] += factor * t.base[w]


cdef inline void spread(const Tables* t, const uint32_t* keys, const double* other, double* row,
                        double* room) noexcept nogil:
    """row[w] = log p(w | context), given another model's log p of all symbols in `other`, which tells cases apart.

    `row` may be `other`. `room` (2 V,) is scratch.
    """
    cdef Py_ssize_t w, V = t.of.count
    cdef double* p = room
    cdef double* sums = room + V
    fill_folded(t, keys, p)
    for w in range(V):
        sums[w] = 0
    for w in range(V):
        if not t.alone[w]:
            row[w] = exp(other[w])
            sums[t.of.folds[w]] += row[w]
    for w in range(V):
        if t.alone[w]:
            row[w] = log(max(p[w], SMALLEST))
        else:
            row[w] = log(max(p[t.of.folds[w]] * (row[w] / max(sums[t.of.folds[w]], SMALLEST)), SMALLEST))


# ------------------------------------------------------------------------------------------------- entry points


cdef class SymbolKinds:
    """Which of V symbols are `letters`, and the symbol that stands for all cases of each.

    Parameters
    ----------
    letters : (V,) array
    folds : (V,) array
        A symbol that stands for others stands for itself.
    boundary : int or None
    """
    cdef Symbols s
    cdef const unsigned char[::1] letters
    cdef const int[::1] folds

    def __cinit__(self, const unsigned char[::1] letters not None, const int[::1] folds not None, boundary=None):
        cdef Py_ssize_t V = letters.shape[0], w
        cdef bint good = V > 0
        require_size("folds", folds.shape[0], V)
        for w in range(V):
            good = good and 0 <= folds[w] < V and folds[folds[w]] == folds[w]
            good = good and letters[w] <= 1 and letters[folds[w]] == letters[w]
        if not good or (boundary is not None and not 0 <= boundary < V):
            raise ValueError("the symbols have no cases: a fold is not a symbol of its kind that stands for itself")
        self.letters = letters
        self.folds = folds
        self.s.count = <int>V
        self.s.boundary = -1 if boundary is None else boundary
        self.s.letters = &letters[0]
        self.s.folds = &folds[0]


def hash_all(SymbolKinds symbols not None, const int[::1] ids not None, Py_ssize_t first,
             uint32_t[:, ::1] keys not None):
    """keys[i, k] = the key of the context of ids[first + i] with k previous words, for keys (n, 3)."""
    cdef Py_ssize_t n = keys.shape[0], i
    require_size("keys of a context", keys.shape[1], MAX_LEVELS)
    if first < 0 or n > ids.shape[0] - first:
        raise ValueError(f"first must be from 0 to {ids.shape[0] - n}, not {first}")
    if not n:
        return
    check_symbols(&ids[0], ids.shape[0], symbols.s.count)
    with nogil:
        for i in range(n):
            hash_contexts(&symbols.s, &ids[0], first + i, &keys[i, 0])


cdef class WordTables:
    """Tables of the counts of words.

    Parameters
    ----------
    symbols : SymbolKinds
    lengths : (3,) array
        The number of contexts of each level.
    keys : (N,) array
        The contexts' keys, sorted within a level.
    firsts : (N + 1,) array
    escapes : (N,) array
        The numbers of the contexts' shares of all symbols together that have no entry.
    entries : (E,) array
        Symbols, shifted by 8 bits, and the numbers of their shares.
    shares : (256,) array
        What a number stands for, above 0 and at most 1.
    base : (V,) array
        Probabilities of folded symbols in any context.
    """
    cdef Tables t
    cdef readonly SymbolKinds symbols
    cdef const uint32_t[::1] keys, entries
    cdef const int[::1] firsts
    cdef const unsigned char[::1] escapes, alone
    cdef const double[::1] shares, base
    cdef object starts  # of each level

    def __cinit__(self, SymbolKinds symbols not None, lengths, const uint32_t[::1] keys not None,
                  const int[::1] firsts not None, const unsigned char[::1] escapes not None,
                  const uint32_t[::1] entries not None, const double[::1] shares not None,
                  const double[::1] base not None):
        cdef Py_ssize_t N = keys.shape[0], E = entries.shape[0], V = symbols.s.count, i, w, level, start = 0
        cdef bint good
        cdef int[::1] starts
        cdef unsigned char[::1] alone
        require_size("levels", len(lengths), MAX_LEVELS)
        require_size("firsts", firsts.shape[0], N + 1)
        require_size("escapes", escapes.shape[0], N)
        require_size("shares", shares.shape[0], SHARES)
        require_size("probabilities", base.shape[0], V)
        good = firsts[0] == 0 and firsts[N] == E and min(lengths) >= 0 and sum(lengths) == N
        for i in range(N if good else 0):
            good &= firsts[i] <= firsts[i + 1]
        for i in range(E if good else 0):
            w = entries[i] >> 8
            good = good and w < V and symbols.s.folds[w] == w
        for i in range(SHARES):
            good &= 0 < shares[i] <= 1
        for w in range(V):
            good &= 0 <= base[w] <= 1
            good = good and (base[w] > 0 or symbols.s.folds[w] != w)
        self.starts = []
        for level in range(MAX_LEVELS if good else 0):
            for i in range(start + 1, start + lengths[level]):
                good &= keys[i - 1] < keys[i]
            found = np.asarray(keys)[start:start + lengths[level]]
            bits = min(max(len(found), 1).bit_length() + 1, 24)
            starts = np.searchsorted(found, np.arange((1 << bits) + 1, dtype=np.uint64) << (32 - bits)).astype(np.int32)
            self.starts.append(starts)
            self.t.levels[level].keys = &keys[start] if lengths[level] else NULL
            self.t.levels[level].firsts = &firsts[start]
            self.t.levels[level].escapes = &escapes[start] if lengths[level] else NULL
            self.t.levels[level].starts = &starts[0]
            self.t.levels[level].bits = 32 - bits
            self.t.levels[level].size = lengths[level]
            start += lengths[level]
        if not good:
            raise ValueError("the arrays do not hold counts of words")
        alone = np.ones(V, np.uint8)
        for w in range(V):
            if symbols.s.folds[w] != w:
                alone[w] = alone[symbols.s.folds[w]] = 0
        self.symbols = symbols
        self.keys = keys
        self.firsts = firsts
        self.escapes = escapes
        self.entries = entries
        self.shares = shares
        self.base = base
        self.alone = alone
        self.t.of = symbols.s
        self.t.entries = &entries[0] if E else NULL
        self.t.shares = &shares[0]
        self.t.base = &base[0]
        self.t.alone = &alone[0]


def spread_rows(WordTables tables not None, const int[:, ::1] x not None, const int[:, ::1] before not None,
                const double[:, :, ::1] others not None, double[:, :, ::1] rows not None):
    """rows[t, b, w] = log P(w | before[b] and x[:t, b]), given another model's; for x (n, B) and contexts (B, k).

    There may be one row more than symbols: the last one is then for what follows them. `rows` may be `others`.
    """
    cdef Py_ssize_t n = x.shape[0], T = rows.shape[0], B = before.shape[0], k = before.shape[1], b, i
    cdef uint32_t keys[MAX_LEVELS]
    cdef int[::1] text = np.empty(k + n + 1, np.int32)
    cdef double[::1] room = np.empty(2 * tables.t.of.count)
    require_size("streams of symbols", x.shape[1], B)
    require_size("streams of rows", rows.shape[1], B)
    require_size("symbols of a row", rows.shape[2], tables.t.of.count)
    require_size("rows of the other model", others.shape[0], T)
    require_size("streams of the other model", others.shape[1], B)
    require_size("symbols of the other model", others.shape[2], tables.t.of.count)
    if not n <= T <= n + 1:
        raise ValueError(f"expected {n} or {n + 1} rows, got {T}")
    if not T * B:
        return
    check_symbols(&x[0, 0] if n else NULL, n * B, tables.symbols.s.count)
    check_symbols(&before[0, 0] if k else NULL, B * k, tables.symbols.s.count, -1)
    with nogil:
        for b in range(B):
            for i in range(k):
                text[i] = before[b, i]
            for i in range(n):
                text[k + i] = x[i, b]
            for i in range(T):
                hash_contexts(&tables.t.of, &text[0], k + i, keys)
                spread(&tables.t, keys, &others[i, b, 0], &rows[i, b, 0], &room[0])


# ------------------------------------------------------------------------------------------------- rows of a mixture


cdef class WordRows:
    """Rows of the counts of words, which tell cases apart by another model's rows, given as a capsule.

    It has scratch memory, so only one thread may use it at a time.
    """
    cdef RowSource source
    cdef const RowSource* other
    cdef WordTables tables
    cdef object capsule
    cdef double[::1] room

    def __cinit__(self, WordTables tables not None, other):
        self.tables = tables
        self.capsule = other
        self.other = row_source_in(other)
        require_size("symbols of the other model", self.other.symbols, tables.t.of.count)
        self.room = np.empty(2 * tables.t.of.count)

    def row_source(self):
        """Return a capsule with a function that fills rows of logits, see `row_source.pxd`; it keeps this alive."""
        self.source.source = <const void*>self
        self.source.fill = _fill_words
        self.source.symbols = self.tables.t.of.count
        self.source.context = max(self.other.context, <Py_ssize_t>LONGEST)
        return row_source_capsule(&self.source, self)


cdef void _fill_words(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    """row[w] = log p(w | the last n symbols) by `WordRows`, see `row_source.pxd`."""
    cdef const RowSource* other = (<WordRows>source).other
    cdef Py_ssize_t used = min(n, other.context)
    cdef uint32_t keys[MAX_LEVELS]
    other.fill(other.source, symbols + n - used, used, row)
    hash_contexts(&(<WordRows>source).tables.t.of, symbols, n, keys)
    spread(&(<WordRows>source).tables.t, keys, row, row, &(<WordRows>source).room[0])


cdef class WeightedRows:
    """The weighted sum of several models' rows, as one row of logits.

    It has scratch memory, so only one thread may use it at a time.

    Parameters
    ----------
    sources : list of capsules
        With a `RowSource` each, all with the same V symbols.
    contexts : (K,) array
        How many of the last symbols each source reads, at least as many as it needs.
    weights : (C, K) array
        The weights after 0, 1, … and C - 1 or more letters.
    letters : (V,) array
        Whether each symbol is a letter.
    """
    cdef RowSource source
    cdef const RowSource* parts[MAX_SOURCES]
    cdef object capsules
    cdef const Py_ssize_t[::1] contexts
    cdef const double[:, ::1] weights
    cdef const unsigned char[::1] letters
    cdef double[::1] room

    def __cinit__(self, list sources not None, const Py_ssize_t[::1] contexts not None,
                  const double[:, ::1] weights not None, const unsigned char[::1] letters not None):
        cdef Py_ssize_t K = len(sources), V = letters.shape[0], k
        if not 1 <= K <= MAX_SOURCES:
            raise ValueError(f"sources must be from 1 to {MAX_SOURCES}, not {K}")
        require_size("contexts", contexts.shape[0], K)
        require_size("weights", weights.shape[1], K)
        if weights.shape[0] < 1 or not np.isfinite(weights).all():
            raise ValueError("weights must be a row of numbers for each number of letters")
        self.source.context = weights.shape[0] - 1
        for k in range(K):
            self.parts[k] = row_source_in(sources[k])
            require_size("symbols of a source", self.parts[k].symbols, V)
            if contexts[k] < self.parts[k].context:
                raise ValueError(f"contexts[{k}] is {contexts[k]}, but must be at least {self.parts[k].context}")
            self.source.context = max(self.source.context, contexts[k])
        self.capsules = list(sources)
        self.contexts = contexts
        self.weights = weights
        self.letters = letters
        self.source.symbols = V
        self.room = np.empty(V)

    def row_source(self):
        """Return a capsule with a function that fills rows of logits, see `row_source.pxd`; it keeps this alive."""
        self.source.source = <const void*>self
        self.source.fill = _fill_weighted
        return row_source_capsule(&self.source, self)


cdef void _fill_weighted(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil:
    """row[w] = the weighted sum of the rows of `WeightedRows`, see `row_source.pxd`."""
    cdef Py_ssize_t V = (<WeightedRows>source).source.symbols, letters = 0, k, w, used
    cdef Py_ssize_t classes = (<WeightedRows>source).weights.shape[0]
    cdef const RowSource* part
    cdef double* room = &(<WeightedRows>source).room[0]
    cdef double weight
    cdef int symbol
    while letters < classes - 1:
        symbol = symbols[n - 1 - letters]
        if symbol < 0 or not (<WeightedRows>source).letters[symbol]:
            break
        letters += 1
    for w in range(V):
        row[w] = 0
    for k in range((<WeightedRows>source).weights.shape[1]):
        weight = (<WeightedRows>source).weights[letters, k]
        if weight == 0:  # 0 times -inf would be NaN
            continue
        part = (<WeightedRows>source).parts[k]
        used = min(n, (<WeightedRows>source).contexts[k])
        part.fill(part.source, symbols + n - used, used, room)
        for w in range(V):
            row[w] += weight * room[w]
