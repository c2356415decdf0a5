"""Contexts that no longer change: what the entry points of `reading` need to read texts and to fill rows."""
from ..common.row_source cimport RowSource
from .trie cimport Cursor


cdef class ContextReader:
    """The contexts of a model. A cursor is the longest context that a text has reached; at first, all zeros."""
    cdef RowSource source  # its `symbols` are V, its `context` the symbols of the longest context

    cdef Cursor context_after(self, const int* symbols, Py_ssize_t n) noexcept nogil
    cdef void score(self, Cursor* c, const int* ids, Py_ssize_t n, Py_ssize_t stride, double* out) noexcept nogil
    cdef void accumulate(self, Cursor* c, const int* ids, Py_ssize_t n, double* total, double* sum,
                         double* least) noexcept nogil
    cdef void fill(self, Cursor c, double* row) noexcept nogil
    cdef Cursor next_context(self, Cursor c, int symbol) noexcept nogil
