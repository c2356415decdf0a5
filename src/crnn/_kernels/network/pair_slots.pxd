"""Where the row of a pair of symbols is found: a hash table with open addressing, of which a power of two are slots."""
from libc.stdint cimport uint64_t

cdef enum:
    NO_ROW = -1


cdef inline uint64_t pair_key(int before, int symbol) noexcept nogil:
    return <uint64_t>before << 32 | <uint64_t>symbol


cdef inline Py_ssize_t first_slot(uint64_t key, Py_ssize_t slots) noexcept nogil:
    """Where a pair is looked for first: Fibonacci hashing. From there on one slot after the other."""
    return <Py_ssize_t>(key * <uint64_t>0x9E3779B97F4A7C15 >> 32) & (slots - 1)
