"""Contexts of n-grams: what the entry points of `reading` need to read texts and to fill rows."""
from ..common.row_source cimport RowSource
from .trie cimport Cursor


cdef class ContextReader:
    """The contexts of a model. A cursor is the longest context that a text has reached; at first, all zeros."""
    cdef RowSource source  # its `source` is NULL until there are contexts, its `symbols` are V
    cdef str missing  # what an error says until there are contexts

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil
    cdef void contexts_after(self, const int[:, ::1] contexts, const Py_ssize_t* rows, Py_ssize_t n, Cursor* c) \
        noexcept nogil
    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil
    cdef void fill(self, Cursor c, double* row) noexcept nogil
    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil


cdef int check_ids(ContextReader reader, const int* ids, Py_ssize_t n, int least=*) except -1
