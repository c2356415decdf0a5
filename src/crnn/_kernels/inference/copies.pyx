"""Passages that some samples share with a text: a suffix automaton of the samples reads the text, in linear time.

A state stands for the substrings of the samples that end at the same places; its longest has `length` symbols, and its
shortest one more than the longest of its `link`.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint32_t
import numpy as np

SEPARATOR = MAX_CODE + 1  # follows each sample; no text has it

cdef enum:
    MAX_CODE = 0x10ffff
    NONE = -1
    POLL = 1 << 16  # symbols read between two looks for Ctrl-C


cdef class CopyFinder:
    """The samples' automaton, and for each state the longest passage of the text that is one of its substrings."""
    cdef const uint32_t[::1] codes
    cdef int[::1] link
    cdef int[::1] length
    cdef int[::1] first_edge  # of a list; the root has a table instead
    cdef int[:, ::1] edges    # target, and the next edge of the list
    cdef uint32_t[::1] edge_codes
    cdef int[::1] after_root  # the states after each single code
    cdef int[::1] copied      # symbols of the longest passage that ended in a state,
    cdef int64_t[:, ::1] ends  # in which document, and where
    cdef int states
    cdef int edge_count
    cdef int state    # after the symbols of the text read so far,
    cdef int matched  # how many of them end in this state
    cdef int64_t document
    cdef int64_t position
    cdef bint suffixes_marked  # `_mark_suffixes` has seen all symbols read

    def __init__(self, const uint32_t[::1] codes not None):
        cdef Py_ssize_t n = codes.shape[0]
        cdef Py_ssize_t i, start
        cdef int last = 0
        if n > 2**29:
            raise MemoryError("the samples are too long. Pass fewer at a time.")
        self.codes = codes
        self.link = np.full(2 * n + 2, NONE, np.int32)
        self.length = np.full(2 * n + 2, NONE, np.int32)
        self.first_edge = np.full(2 * n + 2, NONE, np.int32)
        self.edges = np.empty((3 * n + 3, 2), np.int32)
        self.edge_codes = np.empty(3 * n + 3, np.uint32)
        self.after_root = np.full(MAX_CODE + 2, NONE, np.int32)
        self.copied = np.zeros(2 * n + 2, np.int32)
        self.ends = np.zeros((2 * n + 2, 2), np.int64)
        self.states = 1
        self.length[0] = 0
        for i in range(n):
            if codes[i] > MAX_CODE + 1:
                raise ValueError(f"codes must be at most {MAX_CODE + 1}, not {codes[i]}")
        for start in range(0, n, POLL):
            PyErr_CheckSignals()
            with nogil:
                for i in range(start, min(start + POLL, n)):
                    last = _extend(self, last, codes[i])

    def read(self, const uint32_t[::1] codes not None):
        """Read the next symbols of the text, also after `passages` was called for those before."""
        cdef Py_ssize_t i, start
        self.suffixes_marked = False
        for start in range(0, codes.shape[0], POLL):
            PyErr_CheckSignals()
            with nogil:
                for i in range(start, min(start + POLL, codes.shape[0])):
                    _follow(self, codes[i])

    def start_document(self, int64_t document):
        """Give the symbols read next another document's number, and positions from 0.

        No passage reaches from the symbols read so far into the next ones.
        """
        self.state = 0
        self.matched = 0
        self.document = document
        self.position = 0

    def passages(self, const Py_ssize_t[::1] starts not None, const Py_ssize_t[::1] lengths not None):
        """Return for each of the samples, given by their places in the codes, the longest passage that the text has.

        The result (n, 4) has its length, its start in the sample, the number of the document, and where it ends there.
        """
        found = np.zeros((starts.shape[0], 4), np.int64)
        cdef int64_t[:, ::1] out = found
        cdef Py_ssize_t i, j
        cdef int state
        for i in range(starts.shape[0]):
            if starts[i] < 0 or lengths[i] < 0 or starts[i] + lengths[i] > self.codes.shape[0]:
                raise ValueError(f"sample {i} is not within the {self.codes.shape[0]} symbols")
        if not self.suffixes_marked:
            _mark_suffixes(self)
        with nogil:
            for i in range(starts.shape[0]):
                state = 0
                for j in range(lengths[i]):
                    state = _target(self, state, self.codes[starts[i] + j])
                    _keep_longest(self, state, j + 1, &out[i, 0])
        return found


cdef inline int _edge(CopyFinder f, int state, uint32_t code) noexcept nogil:
    """Return the edge of a state other than the root for a code, or NONE."""
    cdef int e = f.first_edge[state]
    while e != NONE and f.edge_codes[e] != code:
        e = f.edges[e, 1]
    return e


cdef inline int _target(CopyFinder f, int state, uint32_t code) noexcept nogil:
    """Return the state after a code, or NONE."""
    cdef int e
    if state == 0:
        return f.after_root[code] if code <= MAX_CODE + 1 else NONE
    e = _edge(f, state, code)
    return f.edges[e, 0] if e != NONE else NONE


cdef inline void _set_target(CopyFinder f, int state, uint32_t code, int target) noexcept nogil:
    """Set the state after a code."""
    cdef int e
    if state == 0:
        f.after_root[code] = target
        return
    e = _edge(f, state, code)
    if e == NONE:
        e = f.edge_count
        f.edge_count += 1
        f.edge_codes[e] = code
        f.edges[e, 1] = f.first_edge[state]
        f.first_edge[state] = e
    f.edges[e, 0] = target


cdef int _extend(CopyFinder f, int last, uint32_t code) noexcept nogil:
    """Add a code after the state of all codes so far; return the state of all codes (Blumer's construction)."""
    cdef int new = f.states
    cdef int p = last
    cdef int q, copy, e
    f.states += 1
    f.length[new] = f.length[last] + 1
    while p != NONE and _target(f, p, code) == NONE:
        _set_target(f, p, code, new)
        p = f.link[p]
    if p == NONE:
        f.link[new] = 0
        return new
    q = _target(f, p, code)
    if f.length[q] == f.length[p] + 1:
        f.link[new] = q
        return new
    copy = f.states
    f.states += 1
    f.length[copy] = f.length[p] + 1
    f.link[copy] = f.link[q]
    e = f.first_edge[q]
    while e != NONE:
        _set_target(f, copy, f.edge_codes[e], f.edges[e, 0])
        e = f.edges[e, 1]
    while p != NONE and _target(f, p, code) == q:
        _set_target(f, p, code, copy)
        p = f.link[p]
    f.link[q] = copy
    f.link[new] = copy
    return new


cdef inline void _follow(CopyFinder f, uint32_t code) noexcept nogil:
    """Read a symbol of the text: the state stands for its longest suffix that occurs in the samples."""
    cdef int target
    f.position += 1
    while True:
        target = _target(f, f.state, code)
        if target != NONE:
            f.state = target
            f.matched += 1
            break
        if f.state == 0:
            return
        f.state = f.link[f.state]
        f.matched = f.length[f.state]
    if f.matched > f.copied[f.state]:
        f.copied[f.state] = f.matched
        f.ends[f.state, 0] = f.document
        f.ends[f.state, 1] = f.position


cdef void _mark_suffixes(CopyFinder f):
    """Mark the suffixes of each passage found in the text as found there, too.

    While the text is read, only the state of the longest suffix is marked. A state's `link` stands for its shorter
    suffixes, so the states go from the longest to the shortest.
    """
    cdef Py_ssize_t i
    cdef int state, link
    cdef Py_ssize_t[::1] order = np.argsort(-np.asarray(f.length[:f.states]), kind="stable").astype(np.intp)
    for i in range(f.states - 1):  # the root comes last
        state = order[i]
        link = f.link[state]
        if f.copied[state] and link and f.copied[link] < f.length[link]:
            f.copied[link] = f.length[link]
            f.ends[link, 0] = f.ends[state, 0]
            f.ends[link, 1] = f.ends[state, 1]
    f.suffixes_marked = True


cdef inline void _keep_longest(CopyFinder f, int state, Py_ssize_t stop, int64_t* out) noexcept nogil:
    """Take the longest passage that ends a sample's first `stop` symbols, if it is the longest so far."""
    while state and not f.copied[state]:
        state = f.link[state]
    if state and f.copied[state] > out[0]:
        out[0] = f.copied[state]
        out[1] = stop - f.copied[state]
        out[2] = f.ends[state, 0]
        out[3] = f.ends[state, 1]
