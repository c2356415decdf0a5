"""The arrays of a training workspace, each declared once: its name, type and shape, and its field of `Workspace`.

Part of `core`. Allocation (`workspace`, `thread_workspace`), the checks of arguments (`fill_arrays`) and the
estimate of memory (`training/data.py`) follow from the declarations. An array of size 0 is
missing: its field is NULL.
"""
from ..common.interface cimport CANDIDATE_UNIT, Workspace

cdef str REAL = "real"  # the type of the network's numbers
cdef dict FORMATS = {"int32": b"il", "uint8": b"B", "float64": b"d"}  # the buffer protocol's letters for each type
cdef dict SIZES = {"int32": sizeof(int), "uint8": 1, "float64": sizeof(double)}

cdef Workspace fields  # its addresses give a field's offset from the beginning


cdef tuple declared(str name, str kind, tuple shape, const void* field):
    return name, kind, shape, <Py_ssize_t>(<const char*>field - <const char*>&fields)


cdef Py_ssize_t most_candidates(const NetworkPlaces* net, Py_ssize_t T, Py_ssize_t B):
    """The maximum number of logits in a row: with a sampled softmax, only for the candidates."""
    return min(net.V, min(T * B, net.V) + net.sampled + CANDIDATE_UNIT - 1) if net.sampled else net.V


cdef list shard_arrays(Network network, Py_ssize_t T, Py_ssize_t B, bint dropout):
    """The arrays shared by the threads of a shard of B streams."""
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t L = net.L, H = net.H, E = net.E, C = most_candidates(net, T, B), columns = C if net.sampled else 0
    cdef Workspace work
    network.require_mode(True)
    require_rows(T, B)
    network.kernels.size_workspace(net, T, B, &work)
    return [
        declared("h", REAL, (L, T + 1, B, H), &fields.h),
        declared("c", REAL, (L, T + 1 if net.has_c else 0, B, H), &fields.c),
        declared("before", "int32", (B if net.has_before else 0,), &fields.before),
        declared("gates", REAL, (L, work.block + 1 if net.z_in_h else T, B, net.ldg), &fields.gates),
        declared("dropped", REAL, (L, T if dropout else 0, B, H), &fields.dropped),
        declared("y", REAL, (T, B, C), &fields.y),
        declared("dh", REAL, (0 if net.z_in_h else work.block, B, H), &fields.dh),
        declared("carry", REAL, (L, B, H), &fields.carry),
        declared("losses", "float64", (T, B), &fields.losses),
        # With an embedding; the second half of the vectors is for their gradients.
        declared("table", REAL, (min(T * B, net.V) if E else 0, net.G * H), &fields.table),
        declared("vectors", REAL, (2, min(T * B, net.V), E), &fields.vectors),
        # With a sampled softmax.
        declared("columns", REAL, (H, columns), &fields.columns),
        declared("dcolumns", REAL, (H, columns), &fields.dcolumns),
        declared("column_bias", REAL, (columns,), &fields.column_bias),
        declared("dcolumn_bias", REAL, (columns,), &fields.dcolumn_bias),
        declared("column_panels", REAL, (network.kernels.packed_elements(H, columns) if columns else 0,),
                 &fields.column_panels),
        declared("column_panels_back", REAL, (network.kernels.packed_elements(columns, H) if columns else 0,),
                 &fields.column_panels_back),
    ]


cdef list thread_arrays(Network network, Py_ssize_t T, Py_ssize_t B):
    """The arrays that each thread of a shard of B streams has to itself."""
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t C
    network.require_mode(True)
    require_rows(T, B)
    C = most_candidates(net, T, B) if net.sampled else 0
    return [
        declared("x", "int32", (T + 1, B), &fields.x),
        declared("occurs", "uint8", (net.table_rows,), &fields.occurs),
        declared("rows_of_pairs", "int32", (T if net.has_before else 0, B), &fields.rows_of_pairs),
        declared("cut", REAL, (2 if net.boundary >= 0 else 0, B, net.ldg), &fields.cut),
        declared("scratch", REAL, (network.kernels.scratch_elements(&network.net, T, B),), &fields.scratch),
        # With an embedding.
        declared("rows", "int32", (T if net.E else 0, B), &fields.rows),
        declared("symbols", "int32", (min(T * B, net.V) if net.E else 0,), &fields.symbols),
        declared("numbers", "int32", (net.V if net.E else 0,), &fields.numbers),
        # With a sampled softmax.
        declared("targets", "int32", (T if C else 0, B), &fields.targets),
        declared("candidates", "int32", (C,), &fields.candidates),
        declared("candidate_places", "int32", (net.V if C else 0,), &fields.candidate_places),
    ]


cdef dict shapes_and_types(Network network, list arrays):
    real_type = "float32" if network.itemsize == sizeof(float) else "float64"
    return {name: (shape, real_type if kind == REAL else kind) for name, kind, shape, _ in arrays}


def workspace(Network network not None, Py_ssize_t T, Py_ssize_t B, bint dropout):
    """Type and shape of each array that `train` needs for a shard of B streams."""
    return shapes_and_types(network, shard_arrays(network, T, B, dropout))


def thread_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B):
    """Type and shape of each array that `train` needs for each thread of a shard."""
    return shapes_and_types(network, thread_arrays(network, T, B))


cdef void fill_arrays(Workspace* work, list arrays, owner, Py_ssize_t itemsize) except *:
    """Set the fields of declared arrays, the attributes of `owner`, after checking their types and shapes."""
    cdef Py_ssize_t place
    for name, kind, shape, place in arrays:
        array = getattr(owner, name)
        (<void**>(<char*>work + place))[0] = (
            address(name, array, itemsize, shape) if kind == REAL else integers(name, array, kind, shape)
        )


cdef void* integers(str name, array, str kind, tuple shape, bint writable=True) except? NULL:
    """The first element of an array of one of the types in `FORMATS`, after checking it; NULL if empty."""
    cdef Py_buffer view
    if array is None:
        raise TypeError(f"{name} must be an array, not None")
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    try:
        if view.format[0] not in FORMATS[kind] or view.format[1] != 0 or view.itemsize != SIZES[kind]:
            raise ValueError(f"{name}: type is {view.format.decode()!r}, but must be {kind}")
        if array.shape != shape:
            raise ValueError(f"{name}: shape is {array.shape}, but must be {shape}")
        return view.buf if view.len else NULL
    finally:
        PyBuffer_Release(&view)
