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
    """Return the declaration of an array: its name, type and shape, and the place of its field in `Workspace`."""
    cdef Py_ssize_t place = <const char*>field - <const char*>&fields
    return name, kind, shape, place


cdef Py_ssize_t most_candidates(const NetworkLayout* net, Py_ssize_t T, Py_ssize_t B):
    """Return the maximum number of candidates of a sampled softmax; 0 without one."""
    if not net.decoder.sampled:
        return 0
    return min(net.dims.V, min(T * B, net.dims.V) + net.decoder.sampled + CANDIDATE_UNIT - 1)


cdef list shard_arrays(Network network, Py_ssize_t T, Py_ssize_t B, bint dropout):
    """Return the arrays shared by the threads of a shard of B streams."""
    network.require_mode(training=True)
    require_rows(T, B)
    return [
        *layer_arrays(network, T, B, dropout),
        *embedding_arrays(network, T, B),
        *candidate_arrays(network, T, B),
    ]


cdef list layer_arrays(Network network, Py_ssize_t T, Py_ssize_t B, bint dropout):
    """Return the arrays of the layers and of the loss. A missing array has no time steps."""
    cdef NetworkLayout* net = &network.net
    cdef Py_ssize_t L = net.dims.L
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t columns_of_y = net.dims.V
    cdef Py_ssize_t steps_of_c = T + 1 if net.cell.has_c else 0
    cdef Py_ssize_t steps_of_gates = T
    cdef Py_ssize_t steps_of_dh
    cdef Workspace work
    network.kernels.size_workspace(net, T, B, &work)
    steps_of_dh = work.block
    if net.cell.z_in_h:
        steps_of_gates = work.block + 1
        steps_of_dh = 0
    if net.decoder.sampled:
        columns_of_y = most_candidates(net, T, B)
    return [
        declared("h", REAL, (L, T + 1, B, H), &fields.layers.h),
        declared("c", REAL, (L, steps_of_c, B, H), &fields.layers.c),
        declared("before", "int32", (B if net.inputs.has_before else 0,), &fields.inputs.before),
        declared("gates", REAL, (L, steps_of_gates, B, net.dims.ldg), &fields.layers.gates),
        declared("dropped", REAL, (L, T if dropout else 0, B, H), &fields.dropout.outputs),
        declared("y", REAL, (T, B, columns_of_y), &fields.decoder.y),
        declared("dh", REAL, (steps_of_dh, B, H), &fields.layers.dh),
        declared("carry", REAL, (L, B, H), &fields.layers.carry),
        declared("losses", "float64", (T, B), &fields.decoder.losses),
    ]


cdef list embedding_arrays(Network network, Py_ssize_t T, Py_ssize_t B):
    """Return the arrays of an embedding; the second half of the vectors is for their gradients."""
    cdef NetworkLayout* net = &network.net
    cdef Py_ssize_t most_symbols = min(T * B, net.dims.V)
    return [
        declared("table", REAL, (most_symbols if net.dims.E else 0, net.dims.G * net.dims.H), &fields.embedding.table),
        declared("vectors", REAL, (2, most_symbols, net.dims.E), &fields.embedding.vectors),
    ]


cdef list candidate_arrays(Network network, Py_ssize_t T, Py_ssize_t B):
    """Return the arrays of a sampled softmax."""
    cdef Py_ssize_t H = network.net.dims.H
    cdef Py_ssize_t C = most_candidates(&network.net, T, B)
    cdef Py_ssize_t packed = 0
    cdef Py_ssize_t packed_back = 0
    if C:
        packed = network.kernels.packed_elements(H, C)
        packed_back = network.kernels.packed_elements(C, H)
    return [
        declared("columns", REAL, (H, C), &fields.sampled.columns),
        declared("dcolumns", REAL, (H, C), &fields.sampled.dcolumns),
        declared("column_bias", REAL, (C,), &fields.sampled.bias),
        declared("dcolumn_bias", REAL, (C,), &fields.sampled.dbias),
        declared("column_panels", REAL, (packed,), &fields.sampled.panels),
        declared("column_panels_back", REAL, (packed_back,), &fields.sampled.panels_back),
    ]


cdef list thread_arrays(Network network, Py_ssize_t T, Py_ssize_t B):
    """Return the arrays that each thread of a shard of B streams has to itself. A missing array has no rows."""
    cdef NetworkLayout* net = &network.net
    cdef Py_ssize_t steps_of_pairs = T if net.inputs.has_before else 0
    cdef Py_ssize_t rows_of_cut = 2 if net.boundary.symbol >= 0 else 0
    network.require_mode(training=True)
    require_rows(T, B)
    return [
        declared("x", "int32", (T + 1, B), &fields.x),
        declared("occurs", "uint8", (net.inputs.table_rows,), &fields.inputs.occurs),
        declared("rows_of_pairs", "int32", (steps_of_pairs, B), &fields.inputs.rows_of_pairs),
        declared("cut", REAL, (rows_of_cut, B, net.dims.ldg), &fields.layers.cut),
        declared("scratch", REAL, (network.kernels.scratch_elements(net, T, B),), &fields.scratch),
        *numbering_arrays(net, T, B),
        *choice_arrays(net, T, B),
    ]


cdef list numbering_arrays(const NetworkLayout* net, Py_ssize_t T, Py_ssize_t B):
    """Return the arrays that number a chunk's symbols, with an embedding; without one the sizes are 0."""
    cdef Py_ssize_t steps = T if net.dims.E else 0
    cdef Py_ssize_t V = net.dims.V if net.dims.E else 0
    return [
        declared("rows", "int32", (steps, B), &fields.embedding.rows),
        declared("symbols", "int32", (min(T * B, V),), &fields.embedding.symbols),
        declared("numbers", "int32", (V,), &fields.embedding.numbers),
    ]


cdef list choice_arrays(const NetworkLayout* net, Py_ssize_t T, Py_ssize_t B):
    """Return the arrays that say which symbols are candidates of a sampled softmax; without one the sizes are 0."""
    cdef Py_ssize_t steps = T if net.decoder.sampled else 0
    cdef Py_ssize_t V = net.dims.V if net.decoder.sampled else 0
    return [
        declared("targets", "int32", (steps, B), &fields.sampled.targets),
        declared("candidates", "int32", (most_candidates(net, T, B),), &fields.sampled.candidates),
        declared("candidate_places", "int32", (V,), &fields.sampled.places),
    ]


cdef dict shapes_and_types(Network network, list arrays):
    """Return the shape and the type of each declared array by its name."""
    real_type = "float32" if network.itemsize == sizeof(float) else "float64"
    return {name: (shape, real_type if kind == REAL else kind) for name, kind, shape, _ in arrays}


def workspace(Network network not None, Py_ssize_t T, Py_ssize_t B, bint dropout):
    """Return the shape and the type of each array that `train` needs for a shard of B streams."""
    return shapes_and_types(network, shard_arrays(network, T, B, dropout))


def thread_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B):
    """Return the shape and the type of each array that `train` needs for each thread of a shard."""
    return shapes_and_types(network, thread_arrays(network, T, B))


cdef void fill_arrays(Workspace* work, list arrays, owner, Py_ssize_t itemsize) except *:
    """Set the fields of declared arrays, the attributes of `owner`, after checking their types and shapes."""
    cdef Py_ssize_t place
    cdef void** field
    for name, kind, shape, place in arrays:
        array = getattr(owner, name)
        field = <void**>(<char*>work + place)
        if kind == REAL:
            field[0] = address(name, array, itemsize, shape)
        else:
            field[0] = integers(name, array, kind, shape)


cdef void* integers(str name, array, str kind, tuple shape, bint writable=True) except? NULL:
    """Return the first element of an array of one of the types in `FORMATS`, after checking it; NULL if empty."""
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
