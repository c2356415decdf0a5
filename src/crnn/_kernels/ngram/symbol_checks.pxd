"""The check of ids that the entry points of counts, words and the longest match share."""


cdef inline int check_symbols(const int* ids, Py_ssize_t n, Py_ssize_t V, int least=0) except -1:
    """Raise an error unless all ids are below V and at least `least`: 0, or -1 in a context."""
    cdef Py_ssize_t i
    cdef bint good = True
    for i in range(n):
        good &= least <= ids[i] < V
    if not good:
        raise ValueError(f"ids must be from {least} to {V - 1}, below the vocabulary's size {V}")
    return 0
