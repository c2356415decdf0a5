"""The entry points to the kernels, called from Python. Every argument is checked here, once; then a kernel is called
that does not check. Training, sampling and scoring run without the GIL.

This module is compiled once. It calls the kernels through tables of C functions, one for each instruction set and
number type (see `interface` and `kernels`); float32 with products rounded to bfloat16, or of 8-bit integers, counts as
a number type. `use` selects the tables; a Network keeps the table it was made with.

No entry point takes an address. Arrays of one type (ids, places, sums in float64) enter as typed memoryviews. Arrays of
numbers are float32 or float64, as their network is, and come with shards, states or texts; `numbers` and `address`
check them by the same buffer protocol: an array of another type, order, number of dimensions or shape is refused. This
takes a third of the time of a typed memoryview, which a call for one character, with up to four such arrays, would
notice.

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
from ..common.interface cimport (MAX_LAYERS, OF_BFLOAT16, OF_INT8, OF_NUMBERS, PAIR_RATE, PAIRS, SYMBOLS, CellTraits,
                                 Dims, Gemm, Inputs, InputTable, Kernels, LayerPlaces, PackingPlan, PairIndex,
                                 StartSymbols, Weights, real)
from ..common.interface cimport Network as NetworkLayout

MANY_ROWS = 64
"""The fewest rows of a chunk that make packing a matrix pay off; in the backward pass it always does."""
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
    """Return the processor's level, see `cpu_features.h`, and whether it sums products of bytes in 32 bits.

    On Linux the first import requests the registers of AMX, which the system grants to a process permanently.
    """
    return level, bool(multiplies_bytes(level))


def use(float32, float64, bfloat16, int8):
    """Call the kernels of these modules, one for each number type, from now on; existing networks keep theirs.

    None for `bfloat16` or `int8`: this build has none that the processor supports.
    """
    kernels_of[FLOAT32_TABLE] = table_of(float32, sizeof(float), OF_NUMBERS)
    kernels_of[FLOAT64_TABLE] = table_of(float64, sizeof(double), OF_NUMBERS)
    kernels_of[BFLOAT16_TABLE] = NULL
    kernels_of[INT8_TABLE] = NULL
    if bfloat16 is not None:
        kernels_of[BFLOAT16_TABLE] = table_of(bfloat16, sizeof(float), OF_BFLOAT16)
    if int8 is not None:
        kernels_of[INT8_TABLE] = table_of(int8, sizeof(float), OF_INT8)


cdef const Kernels* table_of(module, size_t itemsize, int operands) except NULL:
    """Return a module's table, after checking that it is for these numbers and operands, and of this build."""
    cdef const Kernels* table = <const Kernels*>PyCapsule_GetPointer(module.table, "crnn._kernels.Kernels")
    if table.size != sizeof(Kernels) or table.itemsize != itemsize or table.operands != operands:
        raise ImportError(f"{module.__name__} and this module are of different builds. Build the package again.")
    return table


cdef const Kernels* kernels_for(Py_ssize_t itemsize, bint bfloat16=False, bint int8=False) except NULL:
    """Return the kernels for numbers of `itemsize` bytes, optionally with rounded operands of products."""
    cdef bint single = itemsize == <Py_ssize_t>sizeof(float)
    cdef bint rounded = bfloat16 or int8
    cdef const Kernels* found
    if not single and (itemsize != <Py_ssize_t>sizeof(double) or rounded):
        raise ValueError(f"numbers must have 4 or 8 bytes (4 for products in bfloat16 or int8), not {itemsize}")
    if not rounded:
        return kernels_of[FLOAT32_TABLE] if single else kernels_of[FLOAT64_TABLE]
    found = kernels_of[INT8_TABLE] if int8 else kernels_of[BFLOAT16_TABLE]
    if found == NULL:
        raise ValueError(f"this build has no kernels for {'int8' if int8 else 'bfloat16'} that this processor "
                         f"supports. Build crnn again with {COMPLETE}.")
    return found


cdef Gemm find_gemm(Py_ssize_t itemsize) except NULL:
    """Return the matrix product of SciPy's BLAS, imported by the first network that needs it: that takes long."""
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
    """Return the address and shape of an array of float32 or float64, after checking that it has `ndim` dimensions."""
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
    """Return the first element of an array, after checking its shape and itemsize; NULL if empty."""
    cdef Numbers found = numbers(name, array, len(shape), writable)
    if found.itemsize != itemsize:
        raise ValueError(f"{name}: numbers have {found.itemsize} bytes, but the network's have {itemsize} bytes")
    if array.shape != shape:
        raise ValueError(f"{name}: shape is {array.shape}, but must be {shape}")
    return found.first


def require_size(str what, Py_ssize_t found, Py_ssize_t wanted):
    """Raise an error unless a size is the wanted one; `what` has this size."""
    if found != wanted:
        raise ValueError(f"{what}: size is {found}, but must be {wanted}")


def require_rows(Py_ssize_t T, Py_ssize_t B):
    """Raise an error unless there is a time step and a stream."""
    if T < 1 or B < 1:
        raise ValueError(f"a workspace needs at least 1 time step and 1 stream, not {T} x {B}")


def require_known_ids(const int[:, ::1] x, Py_ssize_t V):
    """Raise an error unless all ids x (T, B) are from 0 to V - 1."""
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
    cdef NetworkLayout net
    cdef const Kernels* kernels
    cdef readonly Py_ssize_t itemsize
    cdef tuple sorted_pairs  # `net` points to them

    def __cinit__(self, layout, packing not None, *, units=None, symbols=None, boundary=None, int labels=0,
                 Py_ssize_t sampled=0):
        require_packing(layout, packing, sampled)
        self.itemsize = layout.dtype.itemsize
        self.kernels = kernels_for(self.itemsize, bfloat16=packing.bfloat16, int8=packing.int8)
        self.set_traits(layout.kind)
        self.set_dims(layout, units, symbols)
        self.set_start_symbols(boundary, labels)
        self.set_packing(packing)
        self.place_weights(layout)
        self.net.decoder.sampled = sampled
        self.kernels.place_panels(&self.net, packing.one_row, packing.one_row_products)

    cdef int set_traits(self, kind) except -1:
        """Set what the kernels need to know about the cell."""
        cdef CellTraits* cell = &self.net.cell
        cell.number = kind.number
        cell.z_in_h = kind.saved_blocks == 0
        cell.has_c = "c" in kind.states
        cell.split_gate = kind.gates - 1 if kind.separate_bias else -1
        return 0

    cdef int set_dims(self, layout, units, symbols) except -1:
        """Set the sizes; those without padding must be within those with it."""
        cdef Dims* dims = &self.net.dims
        dims.L = layout.num_layers
        dims.H = layout.hidden_size
        dims.V = layout.vocab_size
        dims.E = layout.embedding_size or 0
        dims.G = layout.kind.gates
        dims.Z = max(layout.kind.saved_blocks, 1)
        dims.units = dims.H if units is None else units
        dims.symbols = dims.V if symbols is None else symbols
        if not (1 <= dims.units <= dims.H and 1 <= dims.symbols <= dims.V):
            raise ValueError(f"units={dims.units} of {dims.H} and symbols={dims.symbols} of {dims.V} do not fit: there "
                             "must be at least 1, and not more than with the padding")
        return 0

    cdef int set_start_symbols(self, boundary, int labels) except -1:
        """Set the symbols at which a stream's state is zero: the boundary, if any, and the labels after it."""
        cdef StartSymbols* start = &self.net.boundary
        cdef Py_ssize_t symbols = self.net.dims.symbols
        start.symbol = -1 if boundary is None else boundary
        start.last_start = start.symbol + labels
        if boundary is None and labels or labels < 0 or not -1 <= start.symbol <= start.last_start < symbols:
            raise ValueError(f"boundary={boundary} and labels={labels} do not fit {symbols} symbols")
        return 0

    cdef int set_packing(self, packing) except -1:
        """Set which weights are packed; `place_panels` sets the rest."""
        cdef PackingPlan* plan = &self.net.packing
        plan.many = packing.many
        plan.training = packing.training
        plan.group_size = packing.group_size
        plan.in_place = packing.in_place
        plan.gemm = NULL
        if not plan.many:
            plan.gemm = find_gemm(self.itemsize)
        return 0

    cdef int place_weights(self, layout) except -1:
        """Set the offsets into the flat weights: input tables, each layer's arrays, then the decoder's."""
        cdef LayerPlaces* layer
        cdef Py_ssize_t l
        offsets = list(layout.offsets)
        self.place_tables(layout, offsets)
        for l in range(self.net.dims.L):
            layer = &self.net.layer[l]
            layer.Wx = offsets.pop(0)
            layer.Wh = offsets.pop(0)
            layer.bh = offsets.pop(0)
            layer.bn = offsets.pop(0) if layout.kind.separate_bias else -1
        self.net.decoder.Wy = offsets.pop(0)
        self.net.decoder.by = offsets.pop(0)
        self.net.n_weights = layout.size
        return 0

    cdef int place_tables(self, layout, list offsets) except -1:
        """Set the input tables, and copy the offsets of pairs and an embedding from the offsets of all weights."""
        cdef Inputs* inputs = &self.net.inputs
        cdef Py_ssize_t N = self.net.dims.G * self.net.dims.H
        cdef Py_ssize_t E = self.net.dims.E
        cdef InputTable* symbols = &inputs.table[SYMBOLS]
        cdef InputTable* pairs = &inputs.table[PAIRS]
        inputs.has_before = layout.pairs is not None
        pairs.place = offsets.pop(0) if inputs.has_before else 0
        pairs.rows = len(layout.pairs) if inputs.has_before else 0
        pairs.columns = N
        pairs.sparse = True
        pairs.rate = PAIR_RATE
        if inputs.has_before:
            self.index_pairs(layout.pairs)
        symbols.place = offsets.pop(0) if E else offsets[0]
        symbols.rows = self.net.dims.V
        symbols.columns = E or N
        symbols.sparse = False
        symbols.rate = 1
        inputs.table_rows = symbols.rows + pairs.rows
        return 0

    cdef int index_pairs(self, pairs) except -1:
        """Let the network find the pairs by their symbols, and keep the arrays that it points to."""
        cdef PairIndex* index = &self.net.inputs.pairs
        cdef const int[::1] starts, symbols, rows
        self.sorted_pairs = pairs.sorted_by_symbol(self.net.dims.V)
        starts, symbols, rows = self.sorted_pairs
        index.starts = &starts[0]
        index.symbols = &symbols[0] if symbols.shape[0] else NULL
        index.rows = &rows[0] if rows.shape[0] else NULL
        return 0

    @property
    def in_place(self) -> bool:
        """Return whether a single stream multiplies by the recurrent weights without packing them."""
        return self.net.packing.in_place

    @property
    def panels_size(self) -> int:
        """Return the number of elements of the packed weights."""
        return self.net.n_packed

    @property
    def scales_size(self) -> int:
        """Return the number of scales for `pack_weights`: each layer's Wx and Wh, (L, 2, G H), then Wy, (V,)."""
        cdef Dims* dims = &self.net.dims
        if self.kernels.operands != OF_INT8:
            return 0
        return 2 * dims.L * dims.G * dims.H + dims.V

    cdef int require_mode(self, bint training) except -1:
        """Raise an error unless the network is packed for training or inference as needed."""
        cdef str needed = "training" if training else "inference"
        cdef str other = "inference" if training else "training"
        if self.net.packing.training != training:
            raise ValueError(f"the network is packed for {other}, but must be packed for {needed} (Packing.training)")
        return 0

    cdef Weights weights(self, params, panels, bint writable=False) except *:
        """Return the weights, after checking that they fit the network."""
        cdef Weights w
        w.net = &self.net
        w.p = address("parameters", params, self.itemsize, (self.net.n_weights,), writable)
        w.panels = address("packed weights", panels, self.itemsize, (self.net.n_packed,), writable)
        w.scales = NULL
        return w


cdef int require_packing(layout, packing, Py_ssize_t sampled) except -1:
    """Raise an error unless the network can be packed in this way."""
    cdef bint many = packing.many
    cdef bint training = packing.training
    cdef bint bfloat16 = packing.bfloat16
    cdef bint int8 = packing.int8
    cdef int group_size = packing.group_size
    if layout.num_layers > MAX_LAYERS:
        raise ValueError(f"a network has at most {MAX_LAYERS} layers, not {layout.num_layers}")
    if group_size < 1 or group_size > 1 and not many:
        raise ValueError(f"group_size must be 1, or more in a network packed for many rows, not {group_size}")
    if layout.embedding_size and not training:
        raise ValueError("inference needs a network without an embedding: fold it into the first layer's Wx")
    if bfloat16 and not many:
        raise ValueError("bfloat16: the BLAS does not round operands. Pack all weights (many=True).")
    if int8 and (bfloat16 or training or not many):
        raise ValueError("int8 is only for inference in float32, with all weights packed (many=True)")
    if sampled < 0 or sampled and not (training and many):
        raise ValueError("sampled must be 0, or more in a network that trains with all weights packed, "
                         f"not {sampled}")
    return 0


cdef enum:
    PACKED_AT_A_TIME = 64  # rows of each matrix: whole vectors of any type, and some MB of a large model


def pack_weights(Network network not None, params, panels, scales=None):
    """Pack all of a network's weights for products in panels.

    With int8 these weights in `params` are integers, and `scales` are the scales of their columns: see
    `Network.scales_size`. Ctrl-C may interrupt this between two parts, leaving `panels` only partly packed.
    """
    cdef char* fresh = <char*>address("packed weights", panels, network.itemsize, (network.net.n_packed,))
    cdef Weights w = network.weights(params, panels)
    cdef Py_ssize_t size = network.net.n_packed * network.itemsize
    cdef Py_ssize_t first
    if network.scales_size:
        w.scales = address("scales", scales, network.itemsize, (network.scales_size,), writable=False)
    # Rows are spread over all panels, so that the first part would touch most pages of fresh memory.
    if size >= TOUCHED_BYTES:
        for first in range(0, size, TOUCHED_BYTES):
            with nogil:
                touch_pages(fresh + first, min(TOUCHED_BYTES, size - first))
            PyErr_CheckSignals()
    for first in range(0, max(network.net.dims.units, network.net.dims.E), PACKED_AT_A_TIME):
        with nogil:
            network.kernels.pack_rows(&w, first, first + PACKED_AT_A_TIME)
        PyErr_CheckSignals()


include "single_entry.pxi"
include "workspace_arrays.pxi"
include "training_entry.pxi"
include "inference_entry.pxi"
include "session_entry.pxi"
