"""Texts that are drawn side by side, each until it has met a stop or is as long as it may be."""
from libc.stdint cimport uint64_t
from libc.string cimport memcmp
from .pcg64 cimport Wide, next_uniform

ctypedef struct Texts:
    Py_ssize_t count
    Py_ssize_t most  # symbols of one
    Py_ssize_t width  # symbols of one that there is room for
    Py_ssize_t longest  # symbols of the longest that goes on
    Py_ssize_t begun  # texts
    Py_ssize_t going  # those of them that have not ended
    Py_ssize_t* rows  # the texts that these are, in the order of their states
    int* symbols  # (count, width)
    Py_ssize_t* lengths  # of those so far; of a text that has met its stop, without that
    uint64_t* streams  # (count, 2), of random numbers
    Wide increment  # of these
    const int* stops  # their symbols, one stop after another, the longer before the shorter
    const Py_ssize_t* stop_ends
    Py_ssize_t stop_count


cdef inline double next_number(Texts* texts, Py_ssize_t i) noexcept nogil:
    """The next random number of text i."""
    return next_uniform(texts.streams + 2 * i, texts.increment)


cdef inline bint goes_on(Texts* texts, Py_ssize_t i, int symbol) noexcept nogil:
    """Add a symbol to text i; return whether others follow."""
    cdef int* text = texts.symbols + i * texts.width
    cdef Py_ssize_t length = texts.lengths[i] + 1, stop
    text[length - 1] = symbol
    stop = stop_length(texts, text, length)
    texts.lengths[i] = length - stop
    if stop or length == texts.most:
        return False
    texts.longest = max(texts.longest, length)
    return True


cdef inline Py_ssize_t stop_length(const Texts* texts, const int* text, Py_ssize_t length) noexcept nogil:
    """Symbols of the longest stop that a text ends with; 0 if it ends with none."""
    cdef Py_ssize_t s, size, start = 0
    for s in range(texts.stop_count):
        size = texts.stop_ends[s] - start
        if (size <= length and text[length - 1] == texts.stops[start + size - 1]
                and memcmp(text + length - size, texts.stops + start, size * sizeof(int)) == 0):
            return size
        start += size
    return 0
