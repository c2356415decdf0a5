"""A function that fills a row of logits from the symbols read so far, called for each symbol drawn or scored.

Python passes a row source from one class to another in a capsule, which keeps the class that owns the row source alive.
"""
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_GetPointer, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF

ctypedef void (*FillRow)(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil

cdef struct RowSource:
    const void* source
    FillRow fill  # row[w] = log P(w | the last n symbols read), for w = 0, …, V - 1
    Py_ssize_t symbols  # V
    Py_ssize_t context  # number of symbols that matter, the minimum for n


cdef inline const RowSource* row_source_in(object capsule) except NULL:
    """Return the row source in a capsule, or raise an error for a capsule of another kind."""
    return <const RowSource*>PyCapsule_GetPointer(capsule, "crnn._kernels.RowSource")


cdef inline object row_source_capsule(RowSource* source, object owner):
    """Return a capsule with a row source, which keeps the row source's owner alive."""
    capsule = PyCapsule_New(source, "crnn._kernels.RowSource", release_owner)
    Py_INCREF(owner)
    PyCapsule_SetContext(capsule, <void*>owner)
    return capsule


cdef inline void release_owner(object capsule) noexcept:
    """Give up the owner that a capsule has kept alive."""
    cdef PyObject* owner = <PyObject*>PyCapsule_GetContext(capsule)
    if owner != NULL:
        Py_DECREF(<object>owner)
