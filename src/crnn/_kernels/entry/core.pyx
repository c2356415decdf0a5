"""The entry points to the kernels, called from Python. Every argument is checked here, once; then a kernel is called
that does not check. Training, sampling and scoring run without the GIL.

This module is compiled once. It calls the kernels through tables of C functions, one for each instruction set and
number type (see `interface` and `kernels`); float32 with products rounded to bfloat16, or of 8-bit integers, counts as
a number type. `use` selects the tables; a Network keeps the table it was made with. Arrays of numbers are float32 or
float64, C-contiguous; an array of another type, order or shape is refused.

The entry points are in files included at the end: `training_entry.pxi` with `workspace_arrays.pxi`,
`inference_entry.pxi` with `session_entry.pxi`, and `single_entry.pxi`. They share the contents of this file: tables,
checks of arrays, and the network.
"""
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdint cimport uint64_t
from libc.string cimport memset
import numpy as np
from ...runtime.signals import signals_deferred
from ..instruction_sets import COMPLETE
from ..common.interface cimport (MAX_LAYERS, OF_BFLOAT16, OF_INT8, OF_NUMBERS, PAIR_RATE, PAIRS, SYMBOLS, Gemm,
                                 InputTable, Kernels, Weights, real)
from ..common.interface cimport Network as NetworkPlaces

MANY_ROWS = 64
"""The minimum rows of a chunk for which packing a matrix pays off; for the backward pass it always does."""
SMOOTHING = 0.001
"""The share of a step's loss in the smoothed loss, which forgets as much of the earlier ones."""

cdef extern from "cpu_features.h" nogil:
    int instruction_set_level()
    bint multiplies_bytes(int)

cdef extern from "denormals.h" nogil:
    ctypedef unsigned long long float_mode
    float_mode flush_denormals()
    void restore_denormals(float_mode)

cdef extern from "pages.h" nogil:
    const Py_ssize_t TOUCHED_BYTES
    void touch_pages(void*, size_t)


# ------------------------------------------------------------------------------------------------- the tables

cdef enum:  # in `kernels_of`
    FLOAT32_TABLE
    FLOAT64_TABLE
    BFLOAT16_TABLE
    INT8_TABLE
    N_TABLES

cdef const Kernels* kernels_of[N_TABLES]  # for float32 and float64, and for float32 with rounded operands, or NULL
cdef Gemm blas[2]
cdef int level = instruction_set_level()


def processor() -> tuple:
    """The processor's level, see `cpu_features.h`, and whether it sums products of bytes in 32 bits.

    On Linux the first import requests the registers of AMX, which the system grants to a process permanently.
    """
    return level, bool(multiplies_bytes(level))


def use(float32, float64, bfloat16, int8):
    """Call the kernels of these modules, one for each number type, from now on; existing networks keep theirs.

    None for `bfloat16` or `int8`: this build has none that the processor supports.
    """
    cdef int i
    cdef const Kernels* table
    for i, module in enumerate((float32, float64, bfloat16, int8)):
        if module is None and i >= BFLOAT16_TABLE:
            kernels_of[i] = NULL
            continue
        table = <const Kernels*>PyCapsule_GetPointer(module.table, "crnn._kernels.Kernels")
        if (table.size != sizeof(Kernels) or table.itemsize != (sizeof(double) if i == FLOAT64_TABLE else sizeof(float))
                or table.operands != (OF_INT8 if i == INT8_TABLE else
                                      OF_BFLOAT16 if i == BFLOAT16_TABLE else OF_NUMBERS)):
            raise ImportError(f"{module.__name__} and this module are of different builds. Build the package again.")
        kernels_of[i] = table


cdef const Kernels* kernels_for(Py_ssize_t itemsize, bint bfloat16=False, bint int8=False) except NULL:
    """The kernels for numbers of `itemsize` bytes, optionally with rounded operands of products."""
    if itemsize != <Py_ssize_t>sizeof(float) and (itemsize != <Py_ssize_t>sizeof(double) or bfloat16 or int8):
        raise ValueError(f"numbers must have 4 or 8 bytes (4 for products in bfloat16 or int8), not {itemsize}")
    cdef int i = INT8_TABLE if int8 else BFLOAT16_TABLE
    if int8 or bfloat16:
        if kernels_of[i] == NULL:
            raise ValueError(f"this build has no kernels for {'int8' if int8 else 'bfloat16'} that this processor "
                             f"supports. Build crnn again with {COMPLETE}.")
        return kernels_of[i]
    return kernels_of[FLOAT64_TABLE if itemsize == sizeof(double) else FLOAT32_TABLE]


cdef Gemm find_gemm(Py_ssize_t itemsize) except NULL:
    """The matrix product of SciPy's BLAS, imported by the first network that needs it, since that takes a while."""
    cdef int i = itemsize == sizeof(double)
    if blas[i] == NULL:
        with signals_deferred():
            from scipy.linalg import cython_blas
        capsule = cython_blas.__pyx_capi__["dgemm" if i else "sgemm"]
        blas[i] = <Gemm>PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))
    return blas[i]


# ------------------------------------------------------------------------------------------------- checks

cdef struct Numbers:  # an array of numbers
    real* first  # NULL if empty
    Py_ssize_t shape[4]
    Py_ssize_t itemsize


cdef Numbers numbers(str name, array, int ndim, bint writable) except *:
    """The address and shape of an array of float32 or float64, after checking that it has `ndim` dimensions."""
    cdef Numbers found
    cdef Py_buffer view
    cdef int i
    cdef bint empty = False
    if array is None:
        raise TypeError(f"{name} must be an array, not None")
    memset(&found, 0, sizeof(found))
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    try:
        if view.format[0] not in b"fd" or view.format[1] != 0:
            raise ValueError(f"{name}: type is {view.format.decode()!r}, but must be float32 or float64")
        if view.ndim != ndim:
            raise ValueError(f"{name}: shape is {array.shape}, but must have {ndim} dimensions")
        for i in range(ndim):
            found.shape[i] = view.shape[i]
            empty = empty or view.shape[i] == 0
        if not empty:
            found.first = <real*>view.buf
        found.itemsize = view.itemsize
    finally:
        PyBuffer_Release(&view)
    return found


cdef real* address(str name, array, Py_ssize_t itemsize, tuple shape, bint writable=True) except? NULL:
    """The first element of an array, after checking its shape and itemsize; NULL if empty."""
    cdef Numbers found = numbers(name, array, len(shape), writable)
    if found.itemsize != itemsize:
        raise ValueError(f"{name}: numbers have {found.itemsize} bytes, but the network's have {itemsize} bytes")
    if array.shape != shape:
        raise ValueError(f"{name}: shape is {array.shape}, but must be {shape}")
    return found.first


def require_size(str what, Py_ssize_t found, Py_ssize_t wanted):
    if found != wanted:
        raise ValueError(f"{what}: size is {found}, but must be {wanted}")


def require_rows(Py_ssize_t T, Py_ssize_t B):
    if T < 1 or B < 1:
        raise ValueError(f"a workspace needs at least 1 time step and 1 stream, not {T} x {B}")


def require_known_ids(const int[:, ::1] x, Py_ssize_t V):
    cdef Py_ssize_t t, b
    cdef unsigned int largest = 0
    for t in range(x.shape[0]):
        for b in range(x.shape[1]):
            largest = max(largest, <unsigned int>x[t, b])
    if x.shape[0] * x.shape[1] and largest >= <size_t>V:
        raise ValueError(f"ids must be from 0 to {V - 1}, below the vocabulary's size {V}")


# ------------------------------------------------------------------------------------------------- the network

cdef class Network:
    """A network's layout as the kernels see it: offsets into the flat weights and into the packed ones.

    `packing` is a `Packing`: which weights are packed. `units` and `symbols`: the numbers without the layout's
    padding, by default all. `boundary`: the symbol at which a stream starts from the zero state, if any, as it does at
    each of the `labels` symbols after it. `sampled`: symbols drawn for a chunk's softmax in addition to its targets; 0:
    the full softmax.
    """
    cdef NetworkPlaces net
    cdef const Kernels* kernels
    cdef readonly Py_ssize_t itemsize
    cdef tuple sorted_pairs  # `net` points to them

    def __cinit__(self, layout, packing not None, *, units=None, symbols=None, boundary=None, int labels=0,
                 Py_ssize_t sampled=0):
        cdef NetworkPlaces* net = &self.net
        cdef Py_ssize_t l, per_layer
        cdef bint many = packing.many, training = packing.training, bfloat16 = packing.bfloat16
        cdef bint int8 = packing.int8
        cdef int group_size = packing.group_size
        kind = layout.kind
        if layout.num_layers > MAX_LAYERS:
            raise ValueError(f"a network has at most {MAX_LAYERS} layers, not {layout.num_layers}")
        if group_size < 1 or group_size > 1 and not many:
            raise ValueError(f"group_size must be 1, or more in a network packed for many rows, not {group_size}")
        net.E = layout.embedding_size or 0
        if net.E and not training:
            raise ValueError("inference needs a network without an embedding: fold it into the first layer's Wx")
        if bfloat16 and not many:
            raise ValueError("bfloat16: the BLAS does not round operands. Pack all weights (many=True).")
        if int8 and (bfloat16 or training or not many):
            raise ValueError("int8 is only for inference in float32, with all weights packed (many=True)")
        if sampled < 0 or sampled and not (training and many):
            raise ValueError("sampled must be 0, or more in a network that trains with all weights packed, "
                             f"not {sampled}")
        net.sampled = sampled
        net.cell, net.z_in_h, net.has_c = kind.number, kind.saved_blocks == 0, "c" in kind.states
        net.split_gate = kind.gates - 1 if kind.separate_bias else -1
        net.G, net.Z = kind.gates, max(kind.saved_blocks, 1)
        net.L, net.H, net.V = layout.num_layers, layout.hidden_size, layout.vocab_size
        net.units = net.H if units is None else units
        net.symbols = net.V if symbols is None else symbols
        net.boundary = -1 if boundary is None else boundary
        net.last_start = net.boundary + labels
        if not (1 <= net.units <= net.H and 1 <= net.symbols <= net.V and -1 <= net.boundary < net.symbols
                and 0 <= labels < net.symbols - net.boundary and (boundary is not None or not labels)):
            raise ValueError(f"units={units} of {net.H}, symbols={symbols} of {net.V}, boundary={boundary} and "
                             f"labels={labels} do not fit together")
        self.itemsize = layout.dtype.itemsize
        self.kernels = kernels_for(self.itemsize, bfloat16, int8)
        net.gemm = NULL if many else find_gemm(self.itemsize)
        net.many, net.training, net.group_size, net.in_place = many, training, group_size, packing.in_place
        offsets, per_layer = list(layout.offsets), 4 if kind.separate_bias else 3
        self.place_tables(layout, offsets)
        for l in range(net.L):
            places = offsets[per_layer * l:]
            net.layer[l].Wx, net.layer[l].Wh, net.layer[l].bh = places[0], places[1], places[2]
            net.layer[l].bn = places[3] if kind.separate_bias else -1
        net.Wy, net.by = offsets[per_layer * net.L], offsets[per_layer * net.L + 1]
        net.end = layout.size
        self.kernels.place_panels(net, packing.one_row, packing.one_row_products)

    cdef void place_tables(self, layout, list offsets) except *:
        """Set the input tables, and take their offsets from those of all weights."""
        cdef NetworkPlaces* net = &self.net
        cdef Py_ssize_t N = net.G * net.H
        cdef const int[::1] first, symbols, rows
        net.has_before = layout.pairs is not None
        net.table[PAIRS] = InputTable(0, 0, N, True, PAIR_RATE)
        if net.has_before:
            net.table[PAIRS].place, net.table[PAIRS].rows = offsets.pop(0), len(layout.pairs)
            self.sorted_pairs = first, symbols, rows = layout.pairs.sorted_by_symbol(net.V)
            net.pairs_from = &first[0]
            net.pair_symbols = &symbols[0] if symbols.shape[0] else NULL
            net.pair_rows = &rows[0] if rows.shape[0] else NULL
        net.table[SYMBOLS] = InputTable(offsets.pop(0) if net.E else offsets[0], net.V, net.E or N, False, 1)
        net.table_rows = net.table[SYMBOLS].rows + net.table[PAIRS].rows

    @property
    def in_place(self) -> bool:
        """Whether a single stream multiplies by the recurrent weights without packing them."""
        return self.net.in_place

    @property
    def panels_size(self) -> int:
        """The number of elements of the packed weights."""
        return self.net.panels_end

    @property
    def scales_size(self) -> int:
        """The number of scales for `pack_weights`: each layer's Wx and Wh, (L, 2, G H), then Wy, (V,)."""
        return 2 * self.net.L * self.net.G * self.net.H + self.net.V if self.kernels.operands == OF_INT8 else 0

    cdef int require_mode(self, bint training) except -1:
        """Raise an error unless the network is packed for training or inference as needed."""
        if self.net.training != training:
            raise ValueError(f"the network is packed for {'inference' if training else 'training'}, but must be "
                             f"packed for {'training' if training else 'inference'} (Packing.training)")
        return 0

    cdef Weights weights(self, params, panels, bint writable=False) except *:
        """The weights, after checking that they fit the network."""
        cdef Weights w
        w.net = &self.net
        w.p = address("parameters", params, self.itemsize, (self.net.end,), writable)
        w.panels = address("packed weights", panels, self.itemsize, (self.net.panels_end,), writable)
        w.scales = NULL
        return w


cdef enum:
    PACKED_AT_A_TIME = 64  # rows of each matrix: whole vectors of any type, and some MB of a large model


def pack_weights(Network network not None, params, panels, scales=None):
    """Pack all of a network's weights for products in panels.

    With int8 these weights in `params` are integers, and `scales` are the scales of their columns: see
    `Network.scales_size`. Ctrl-C may interrupt this between two parts, leaving `panels` only partly packed.
    """
    cdef char* fresh = <char*>address("packed weights", panels, network.itemsize, (network.net.panels_end,))
    cdef Weights w = network.weights(params, panels)
    cdef Py_ssize_t first, size = network.net.panels_end * network.itemsize
    if network.scales_size:
        w.scales = address("scales", scales, network.itemsize, (network.scales_size,), False)
    # Rows are spread over all panels, so that the first part would touch most pages of fresh memory.
    for first in range(0, size if size >= TOUCHED_BYTES else 0, TOUCHED_BYTES):
        with nogil:
            touch_pages(fresh + first, min(TOUCHED_BYTES, size - first))
        PyErr_CheckSignals()
    for first in range(0, max(network.net.units, network.net.E), PACKED_AT_A_TIME):
        with nogil:
            network.kernels.pack_rows(&w, first, first + PACKED_AT_A_TIME)
        PyErr_CheckSignals()


include "single_entry.pxi"
include "workspace_arrays.pxi"
include "training_entry.pxi"
include "inference_entry.pxi"
include "session_entry.pxi"
