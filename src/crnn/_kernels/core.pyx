"""The entry points to the kernels: what Python calls. Every argument is checked here, once, and then a kernel is called
that needs no check; those of training, sampling and scoring run without the GIL.

This module is compiled once. It calls the kernels through a table of C functions, of which each instruction set and
number type has one (see `interface` and `kernels`). `use` chooses the tables; a Network keeps the one it was made with.
Arrays of numbers are float32 or float64, C-contiguous; one of another type, order or shape is refused.
"""
from cpython.buffer cimport (PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release,
                             PyObject_GetBuffer)
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, NAN, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from .interface cimport (MAX_LAYERS, MAX_SHARDS, DrawSettings, Dropout, Gemm, Kernels, Strings, Texts, Training, UInt128,
                         Weights, Workspace, real, spin_barrier, spin_barrier_break)
from .interface cimport Controls as ControlNumbers
from .interface cimport Network as NetworkPlaces
from .pcg64 cimport multiplied, next_uniform, wide

MANY_ROWS = 64
"""From so many rows of a chunk on, packing a matrix for them pays; for the way back it always does."""

cdef extern from "denormals.h" nogil:
    ctypedef unsigned long long float_mode
    float_mode flush_denormals()
    void restore_denormals(float_mode)


# ------------------------------------------------------------------------------------------------- the tables

cdef const Kernels* kernels_of[2]  # for float32, for float64
cdef Gemm blas[2]


def use(float32, float64):
    """Call the kernels of these modules from now on, one for each number type; networks keep those they have."""
    cdef int i
    cdef const Kernels* table
    for i, module in enumerate((float32, float64)):
        table = <const Kernels*>PyCapsule_GetPointer(module.table, "crnn._kernels.Kernels")
        if table.size != sizeof(Kernels) or table.itemsize != (sizeof(double) if i else sizeof(float)):
            raise ImportError(f"{module.__name__} is of another build than this module: build the package anew")
        kernels_of[i] = table


cdef const Kernels* kernels_for(Py_ssize_t itemsize) except NULL:
    """The kernels for numbers of `itemsize` bytes."""
    if itemsize != <Py_ssize_t>sizeof(float) and itemsize != <Py_ssize_t>sizeof(double):
        raise ValueError(f"numbers of {itemsize} bytes: 4 or 8 are wanted")
    return kernels_of[itemsize == sizeof(double)]


cdef Gemm find_gemm(Py_ssize_t itemsize) except NULL:
    """The product of SciPy's BLAS. Its module is imported by the first network that needs it: that takes a while."""
    cdef int i = itemsize == sizeof(double)
    if blas[i] == NULL:
        from scipy.linalg import cython_blas
        capsule = cython_blas.__pyx_capi__["dgemm" if i else "sgemm"]
        blas[i] = <Gemm>PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))
    return blas[i]


# ------------------------------------------------------------------------------------------------- checks

cdef struct Numbers:  # an array of them
    real* first  # NULL if it is empty
    Py_ssize_t shape[4]
    Py_ssize_t itemsize


cdef Numbers numbers(str name, array, int ndim, bint writable) except *:
    """Where an array of float32 or float64 begins and its shape, after the check that it has `ndim` dimensions."""
    cdef Numbers found
    cdef Py_buffer view
    cdef int i
    cdef bint empty = False
    if array is None:
        raise TypeError(f"{name}: None, but an array is wanted")
    memset(&found, 0, sizeof(found))
    PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    try:
        if view.format[0] not in b"fd" or view.format[1] != 0:
            raise ValueError(f"{name}: numbers of type {view.format.decode()!r}, but float32 or float64 is wanted")
        if view.ndim != ndim:
            raise ValueError(f"{name}: shape {array.shape}, but {ndim} dimensions are wanted")
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
    """The first element of an array, after the check of its shape and of its numbers' bytes; NULL if it is empty."""
    cdef Numbers found = numbers(name, array, len(shape), writable)
    if found.itemsize != itemsize:
        raise ValueError(f"{name}: numbers of {found.itemsize} bytes, but the network's have {itemsize} bytes")
    if array.shape != shape:
        raise ValueError(f"{name}: shape {array.shape}, but size {shape} is wanted")
    return found.first


def _same(str what, Py_ssize_t found, Py_ssize_t wanted):
    if found != wanted:
        raise ValueError(f"{what}: size {found}, but {wanted} is wanted")


def _known(const int[:, ::1] x, Py_ssize_t V):
    cdef Py_ssize_t t, b
    cdef unsigned int largest = 0
    for t in range(x.shape[0]):
        for b in range(x.shape[1]):
            largest = max(largest, <unsigned int>x[t, b])
    if x.shape[0] * x.shape[1] and largest >= <size_t>V:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {V}")


# ------------------------------------------------------------------------------------------------- the network

cdef class Network:
    """A network's layout as the kernels see it: offsets into the flat weights and into the packed ones.

    `units` and `symbols`: those of the layout's that are not padding, by default all of them.
    `one_row`: the recurrence has one stream only. `many`: the products over the rows of a chunk use packed weights, not
    only on the way back; `one_row_products`: which are then packed for a single row as well. `training`: both orders
    are packed.
    `boundary`: the symbol at which a stream starts from zeros, if there is one. `group_size`: threads of a group
    that trains it, each on units of its own.
    """
    cdef NetworkPlaces net
    cdef const Kernels* kernels
    cdef readonly Py_ssize_t itemsize

    def __init__(self, layout, *, bint one_row, bint many, bint training, bint one_row_products=False,
                 units=None, symbols=None, boundary=None, int group_size=1):
        cdef NetworkPlaces* net = &self.net
        cdef Py_ssize_t l, per_layer
        kind = layout.kind
        if layout.num_layers > MAX_LAYERS:
            raise ValueError(f"{layout.num_layers} layers: at most {MAX_LAYERS}")
        if group_size < 1 or group_size > 1 and not many:
            raise ValueError(f"a group of {group_size} threads: at least one, and with few rows only one")
        net.cell, net.z_in_h, net.has_c = kind.number, kind.saved_blocks == 0, "c" in kind.states
        net.split_gate = kind.gates - 1 if kind.separate_bias else -1
        net.G, net.Z = kind.gates, max(kind.saved_blocks, 1)
        net.L, net.H, net.V = layout.num_layers, layout.hidden_size, layout.vocab_size
        net.units = net.H if units is None else units
        net.symbols = net.V if symbols is None else symbols
        net.boundary = -1 if boundary is None else boundary
        if not (1 <= net.units <= net.H and 1 <= net.symbols <= net.V and -1 <= net.boundary < net.symbols):
            raise ValueError(f"{units} of {net.H} units, {symbols} of {net.V} symbols, boundary {boundary}: do not fit")
        self.itemsize = layout.dtype.itemsize
        self.kernels = kernels_for(self.itemsize)
        net.gemm = NULL if many else find_gemm(self.itemsize)
        net.many, net.training, net.group_size = many, training, group_size
        per_layer = 4 if kind.separate_bias else 3
        for l in range(net.L):
            places = layout.offsets[per_layer * l:]
            net.layer[l].Wx, net.layer[l].Wh, net.layer[l].bh = places[0], places[1], places[2]
            net.layer[l].bn = places[3] if kind.separate_bias else -1
        net.Wy, net.by = layout.offsets[per_layer * net.L], layout.offsets[per_layer * net.L + 1]
        net.end = layout.size
        self.kernels.place_panels(net, one_row, one_row_products)

    @property
    def boundary(self):
        """The symbol at which a stream starts from zeros, an int; None if there is none."""
        return self.net.boundary if self.net.boundary >= 0 else None

    @property
    def panels_size(self) -> int:
        """Elements of the packed weights."""
        return self.net.panels_end

    cdef Weights weights(self, params, panels, bint writable=False) except *:
        """The weights, after the check that they are those of such a network."""
        cdef Weights w
        w.net = &self.net
        w.p = address("parameters", params, self.itemsize, (self.net.end,), writable)
        w.panels = address("packed weights", panels, self.itemsize, (self.net.panels_end,), writable)
        return w


def pack_weights(Network network not None, params, panels):
    """Pack all of a network's weights that are multiplied by in panels."""
    address("packed weights", panels, network.itemsize, (network.net.panels_end,))
    cdef Weights w = network.weights(params, panels)
    with nogil:
        network.kernels.pack_network(&w)


# ------------------------------------------------------------------------------------------------- single kernels

def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize) -> int:
    """Elements of a matrix (K, N) packed in panels, whose elements have `itemsize` bytes."""
    return kernels_for(itemsize).packed_elements(K, N)


def pack_panels(W, bint transposed, bint one_row, panels):
    """Pack W, or its transpose, for products with one row or with many."""
    cdef Numbers w = numbers("W", W, 2, False)
    cdef const Kernels* kernels = kernels_for(w.itemsize)
    cdef Py_ssize_t rows = w.shape[0], columns = w.shape[1]
    cdef Py_ssize_t size = kernels.packed_elements(rows, columns)
    if transposed:
        size = kernels.packed_elements(columns, rows)
    cdef real* out = address("panels", panels, w.itemsize, (size,))
    with nogil:
        kernels.pack_matrix(w.first, rows, columns, transposed, one_row, out)


def multiply(a, panels, bint one_row, c, int times=1):
    """c += a @ W for the W packed in `panels`, `times` times, as a recurrence multiplies (for benchmarks)."""
    cdef Numbers left = numbers("a", a, 2, False), out = numbers("c", c, 2, True)
    cdef const Kernels* kernels = kernels_for(left.itemsize)
    cdef Py_ssize_t M = left.shape[0], K = left.shape[1], N = out.shape[1]
    address("c", c, left.itemsize, (M, N))
    cdef real* right = address("panels", panels, left.itemsize, (kernels.packed_elements(K, N),), False)
    with nogil:
        kernels.multiply(M, K, N, left.first, right, one_row, out.first, times)


def multiply_by_mask(a, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t first_stream):
    """a *= mask for the outputs a (T, B, H) of a layer in a training step; see `dropout`."""
    cdef Numbers out = numbers("a", a, 3, True)
    cdef Dropout drop
    drop.rate, drop.first_stream = rate, first_stream
    if out.first != NULL:
        kernels_for(out.itemsize).drop_outputs(&drop, seed, step, layer, out.shape[0], out.shape[1], out.shape[2],
                                               out.first)


def multiply_by_weight_mask(w, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t first=0):
    """w *= mask for a layer's recurrent weights from number `first` on in a training step; see `dropout`."""
    cdef Numbers out = numbers("w", w, 1, True)
    kernels_for(out.itemsize).drop_weights(rate, seed, step, layer, first, out.shape[0], out.first)


def exp(x):
    """x = exp(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).exp(a.first, a.shape[0])


def tanh(x):
    """x = tanh(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).tanh(a.first, a.shape[0])


def sigmoid(x):
    """x = 1 / (1 + exp(-x))"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).sigmoid(a.first, a.shape[0])


def rsqrt(x):
    """x = 1 / sqrt(x)"""
    cdef Numbers a = numbers("x", x, 1, True)
    kernels_for(a.itemsize).rsqrt(a.first, a.shape[0])


def space_streams(uint64_t[:, ::1] states not None, const uint64_t[::1] multiplier not None,
                  const uint64_t[::1] plus not None):
    """states[i + 1] = states[i] * multiplier + plus, for generators' states as in `pcg64`."""
    cdef Py_ssize_t i
    cdef UInt128 state
    _same("halves of a state", states.shape[1], 2)
    _same("halves of a multiplier", multiplier.shape[0], 2)
    _same("halves of what is added", plus.shape[0], 2)
    with nogil:
        for i in range(1, states.shape[0]):
            state = multiplied(wide(&states[i - 1, 0]), wide(&multiplier[0]), wide(&plus[0]))
            states[i, 0], states[i, 1] = state.high, state.low


def uniforms(uint64_t[:, ::1] states not None, const uint64_t[::1] increment not None, double[:, ::1] out not None):
    """out[t, i] = the next number in [0, 1) of stream i, whose state advances; see `pcg64`."""
    cdef Py_ssize_t t, i
    _same("halves of a state", states.shape[1], 2)
    _same("halves of an increment", increment.shape[0], 2)
    _same("streams of output", out.shape[1], states.shape[0])
    with nogil:
        for i in range(states.shape[0]):
            for t in range(out.shape[0]):
                out[t, i] = next_uniform(&states[i, 0], wide(&increment[0]))


# ------------------------------------------------------------------------------------------------- training

cdef class Optimizer:
    """An optimiser: its kind, the limits on a gradient's elements and on its norm, and its constants.

    `kind` has the optimiser's `number` in `optimizers`, its traits, and the names of the arrays of its state.
    """
    cdef int number
    cdef bint sparse
    cdef Py_ssize_t state_arrays
    cdef double clip
    cdef double clip_norm
    cdef double weight_decay
    cdef double beta_1
    cdef double beta_2

    def __init__(self, kind, double clip, double clip_norm, double weight_decay, double beta_1=0.9,
                 double beta_2=0.999):
        self.number, self.sparse, self.state_arrays = kind.number, kind.sparse, len(kind.state)
        self.clip, self.clip_norm, self.weight_decay = clip, clip_norm, weight_decay
        self.beta_1, self.beta_2 = beta_1, beta_2


cdef class Barrier:
    """Where the threads of one training call, or of one group in it, wait for each other; `n_threads` of them.

    `crowded`: there are more threads than cores, and a waiting thread should soon make room for another one.
    """
    cdef spin_barrier barrier

    def __cinit__(self, long n_threads, bint crowded=False):
        self.barrier.n_threads = n_threads
        self.barrier.arrived = 0
        self.barrier.generation = 0
        self.barrier.broken = 0
        self.barrier.crowded = crowded

    def break_(self):
        """Let the waiting threads go: another one will not come. Their call of `train` ends without another update."""
        spin_barrier_break(&self.barrier)


cdef class Cursor:
    """Where training stands: the next chunk's position in the block, steps done, the smoothed and the last loss.

    `diverged`: whether the last call ended because a loss was not finite. `optimizer_start` is how many steps had been
    done when the optimizer state was zero; `gradient_norm` that of the last step of the last call, before clipping.
    """
    cdef public Py_ssize_t position
    cdef public Py_ssize_t n_steps
    cdef public double smooth_loss
    cdef public double last_loss
    cdef public Py_ssize_t optimizer_start
    cdef public double gradient_norm
    cdef public bint diverged

    def __init__(self, Py_ssize_t position, Py_ssize_t n_steps, double smooth_loss, double last_loss,
                 Py_ssize_t optimizer_start=0, double gradient_norm=NAN):
        self.position = position
        self.n_steps = n_steps
        self.smooth_loss = smooth_loss
        self.last_loss = last_loss
        self.optimizer_start = optimizer_start
        self.gradient_norm = gradient_norm

    def copy(self):
        """Return a copy of it."""
        cdef Cursor other = Cursor(self.position, self.n_steps, self.smooth_loss, self.last_loss, self.optimizer_start,
                                   self.gradient_norm)
        other.diverged = self.diverged
        return other


def thread_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that `train` wants of each thread of a shard."""
    return {
        "cut": (2 if network.net.boundary >= 0 else 0, B, network.net.ldg),
        "scratch": (network.kernels.scratch_elements(&network.net, T, B),),
    }


def reduced_size(Network network not None) -> int:
    """Elements of the gradient of the first shard where a reducer adds up those of several processes."""
    return network.net.end + network.net.V + 2


def workspace(Network network not None, Py_ssize_t T, Py_ssize_t B, bint dropout) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that `train` wants of a shard of B streams."""
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t L = net.L, H = net.H
    cdef Workspace work
    network.kernels.size_workspace(net, T, B, &work)
    return {
        "h": (L, T + 1, B, H),
        "c": (L, T + 1 if net.has_c else 0, B, H),
        "gates": (L, work.block + 1 if net.z_in_h else T, B, net.ldg),
        "dropped": (L, T if dropout else 0, B, H),
        "y": (T, B, net.V),
        "dh": (0 if net.z_in_h else work.block, B, H),
        "carry": (L, B, H),
    }


cdef struct Reduction:  # what the callback of a reducer needs
    PyObject* team
    float_mode mode


cdef bint reduce_gradient(void* context) noexcept with gil:
    """Have the team's reducer change the gradient; False if it raised an error, which the team then keeps."""
    cdef Reduction* reduction = <Reduction*>context
    team = <object>reduction.team
    restore_denormals(reduction.mode)
    try:
        team.reduce(team.shards[0].gradient)
        return True
    except BaseException as error:
        team.error = error
        return False
    finally:
        flush_denormals()


cdef void fill_team(Training* run, Network network, team, int rank, Reduction* reduction) except *:
    """Set what all threads share: the symbols and the gradients of all shards, and the barrier."""
    cdef int s, group_size = network.net.group_size
    cdef list shards = team.shards
    cdef double[::1] losses = team.losses, norms = team.norms
    cdef Barrier barrier = team.barrier
    cdef int[:, ::1] x
    cdef Py_ssize_t size
    if len(shards) > MAX_SHARDS:
        raise ValueError(f"{len(shards)} shards: at most {MAX_SHARDS}")
    run.team.shards, run.team.threads, run.team.rank = len(shards), len(shards) * group_size, rank
    if not 0 <= rank < run.team.threads:
        raise ValueError(f"thread {rank} of {run.team.threads}")
    run.team.streams, run.team.reduce = 0, NULL
    if team.reduce is not None:
        reduction.team = <PyObject*>team
        run.team.reduce, run.team.reduce_context = reduce_gradient, reduction
    for s in range(run.team.shards):
        size = reduced_size(network) if s == 0 and run.team.reduce != NULL else network.net.end
        run.team.d[s] = address("gradient", shards[s].gradient, network.itemsize, (size,))
        _same("threads of a shard", len(shards[s].threads), group_size)
        x = shards[s].threads[0].x
        run.team.x[s] = &x[0, 0]
        run.team.symbols[s] = (x.shape[0] - 1) * x.shape[1]
        run.team.streams += x.shape[1]
    _same("losses", losses.shape[0], run.team.threads)
    _same("norms", norms.shape[0], run.team.threads)
    if barrier is None:
        raise ValueError("the team has no barrier")
    _same("threads at the barrier", barrier.barrier.n_threads, run.team.threads)
    run.team.losses, run.team.norms, run.team.barrier = &losses[0], &norms[0], &barrier.barrier


cdef void fill_workspace(Training* run, Network network, shard, own, double dropout) except *:
    """Set the arrays that a thread of a shard works on; `own` is its own workspace."""
    cdef NetworkPlaces* net = &network.net
    cdef Workspace* work = &run.work
    cdef Py_ssize_t size = network.itemsize
    cdef int[:, ::1] x = shard.threads[0].x, own_x = own.x
    cdef Py_ssize_t[::1] seen = own.seen
    cdef Py_ssize_t T = x.shape[0] - 1, B = x.shape[1]
    if own_x.shape[0] != T + 1 or own_x.shape[1] != B:
        raise ValueError(f"symbols: shape {own.x.shape}, but size {shard.threads[0].x.shape} is wanted")
    network.kernels.size_workspace(net, T, B, work)
    shapes = workspace(network, T, B, dropout > 0)
    work.h = address("h", shard.h, size, shapes["h"])
    work.c = address("c", shard.c, size, shapes["c"])
    work.gates = address("gates", shard.gates, size, shapes["gates"])
    work.dropped = address("dropped", shard.dropped, size, shapes["dropped"])
    work.y = address("y", shard.y, size, shapes["y"])
    work.dh = address("dh", shard.dh, size, shapes["dh"])
    work.carry = address("carry", shard.carry, size, shapes["carry"])
    shapes = thread_workspace(network, T, B)
    work.cut = address("cut", own.cut, size, shapes["cut"])
    work.scratch = address("scratch", own.scratch, size, shapes["scratch"])
    _same("symbols seen", seen.shape[0], net.V)
    work.x, work.seen, work.stamp = &own_x[0, 0], &seen[0], own.stamp
    work.dropout.rate, work.dropout.first_stream = dropout, shard.first_stream
    fill_requests(work, network, shard)
    if not net.many and work.block < T:
        raise ValueError(f"{T} steps of {B} streams are many rows, and the network is one for few")
    if net.gemm != NULL and max(T * B, net.V, net.G * net.H, net.ldg) > INT_MAX:
        raise ValueError(f"{T} steps of {B} streams, {net.G * net.H} gates, {net.V} symbols: a BLAS counts to {INT_MAX}"
                         )
    if not 0 <= work.dropout.first_stream <= run.team.streams - B:
        raise ValueError(f"{B} streams from {shard.first_stream} on: not within {run.team.streams} streams")


cdef void fill_requests(Workspace* work, Network network, shard) except *:
    """Set what a caller may request beside the update: weights of the losses, and the gradients of the states."""
    cdef Py_ssize_t T = work.T, B = work.B, size = network.itemsize
    shape = (network.net.L, T, B, network.net.H)
    work.loss_weights = work.kept_dh = work.kept_dc = NULL
    if shard.loss_weights is not None:
        work.loss_weights = address("weights of the losses", shard.loss_weights, size, (T, B), False)
    if shard.state_gradients is not None:
        _same("gradients of states", len(shard.state_gradients), 2 if network.net.has_c else 1)
        work.kept_dh = address("gradients of h", shard.state_gradients[0], size, shape)
        if network.net.has_c:
            work.kept_dc = address("gradients of c", shard.state_gradients[1], size, shape)


cdef void fill_group(Training* run, Network network, shard, int rank) except *:
    """Set the thread's place in its shard's group, and the group's gradient."""
    cdef Barrier barrier = shard.barrier
    if barrier is None:
        raise ValueError("a shard has no barrier")
    _same("threads at a shard's barrier", barrier.barrier.n_threads, network.net.group_size)
    run.work.group.threads, run.work.group.rank = network.net.group_size, rank % network.net.group_size
    run.work.group.barrier = &barrier.barrier
    run.work.d = run.team.d[rank // network.net.group_size]


cdef void fill_rule(Training* run, Network network, Optimizer optimizer, list state) except *:
    """Set the optimiser's step and its state."""
    _same("arrays of optimizer state", len(state), optimizer.state_arrays)
    run.rule.number, run.rule.sparse = optimizer.number, optimizer.sparse
    run.rule.clip, run.rule.weight_decay = optimizer.clip, optimizer.weight_decay
    run.rule.beta_1, run.rule.beta_2 = optimizer.beta_1, optimizer.beta_2
    run.rule.first = address("optimizer state", state[0], network.itemsize, (network.net.end,))
    run.rule.second = address("optimizer state", state[len(state) - 1], network.itemsize, (network.net.end,))
    run.clip_norm = optimizer.clip_norm


cdef void fill_block(Training* run, ids, Py_ssize_t position) except *:
    """Set the ids that this shard's streams read, after the check that the block holds all that is read."""
    cdef Py_buffer view
    cdef Py_ssize_t T = run.work.T, symbols
    PyObject_GetBuffer(ids, &view, PyBUF_STRIDES | PyBUF_FORMAT)
    try:
        if view.format.decode() not in ("B", "H", "I", "L") or view.itemsize > 4:
            raise ValueError(f"ids of {view.itemsize} bytes, of type {view.format.decode()!r}: "
                             "unsigned integers of 1, 2 or 4 are wanted")
        if view.ndim != 2:
            raise ValueError(f"ids of {view.ndim} dimensions: 2 are wanted")
        _same("streams in the block", view.shape[0], run.team.streams)
        if view.strides[1] != view.itemsize or view.strides[0] % view.itemsize:
            raise ValueError(f"a block's rows must be contiguous ids of {view.itemsize} bytes, not of strides "
                             f"({view.strides[0]}, {view.strides[1]})")
        symbols = view.shape[1]
        run.id_width, run.row_stride, run.position = view.itemsize, view.strides[0], position
        run.ids = <const unsigned char*>view.buf + run.work.dropout.first_stream * view.strides[0]
    finally:
        PyBuffer_Release(&view)
    if position < 0:
        raise ValueError(f"position {position}: not within the block")
    # The last chunk's targets are the furthest that is read; by division, since a product of sizes may overflow.
    if symbols - 1 < position or (symbols - 1 - position) // T < run.n_steps:
        raise ValueError(f"a block of {symbols} symbols a stream: too few for {run.n_steps} steps of {T} at {position}")


cdef void update_cursor(Cursor cursor, const Training* run, norms) except *:
    """Set where training stands after a call."""
    cursor.position = run.position
    cursor.n_steps += run.done
    cursor.smooth_loss, cursor.last_loss, cursor.diverged = run.smooth_loss, run.last_loss, run.diverged
    cursor.gradient_norm = run.norm
    if run.clip_norm == INFINITY and not run.diverged:
        cursor.gradient_norm = sqrt(sum(norms))


def train(Network network not None, params, panels, Optimizer optimizer not None, list optimizer_state not None, team,
          int rank, ids, bint zero_state, Cursor cursor not None, const double[::1] rates not None, settings):
    """Train on a chunk for each of the learning rates, as thread `rank` of the team; all threads call this alike.

    Each shard of the team is a group of neighbouring streams with its own gradient and workspace, and the threads that
    work on it; see `training_loop` and `crnn.training.team`. The first thread updates the cursor at the end. When a
    loss is not finite its update is not made, and the cursor says `diverged`. With weight dropout the packed weights
    are at the end those that the next step would have.

    `ids` is a block of symbols, a row for each stream, which the chunks read from `cursor.position` on: a row must hold
    them all. `zero_state`: the first chunk starts from zero states. `settings` are the step's, a `StepSettings`.
    """
    cdef Training run
    cdef Reduction reduction
    fill_team(&run, network, team, rank, &reduction)
    shard = team.shards[rank // network.net.group_size]
    own = shard.threads[rank % network.net.group_size]
    run.weights = network.weights(params, panels, True)
    fill_rule(&run, network, optimizer, optimizer_state)
    fill_workspace(&run, network, shard, own, settings.dropout)
    fill_group(&run, network, shard, rank)
    run.rates = &rates[0] if rates.shape[0] else NULL
    run.n_steps, run.steps_before, run.zero_state = rates.shape[0], cursor.n_steps, zero_state
    run.optimizer_steps = cursor.n_steps - cursor.optimizer_start
    run.team.weight_dropout, run.dropout_seed = settings.weight_dropout, settings.dropout_seed
    run.loss_scale = settings.seq_length / <double>run.work.T
    run.smooth_loss, run.last_loss = cursor.smooth_loss, cursor.last_loss
    fill_block(&run, ids, cursor.position)
    with nogil:
        reduction.mode = flush_denormals()
        network.kernels.train(&run)
        restore_denormals(reduction.mode)
    own.stamp = run.work.stamp
    if rank == 0 and team.error is not None:
        raise team.error
    if rank == 0 and run.complete:
        update_cursor(cursor, &run, team.norms)
    if not run.known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {network.net.V}")


# ------------------------------------------------------------------------------------------------- inference

cdef class Controls:
    """Changes of the logits before a draw, beside the temperature; see `sampler` for the numbers.

    `bias` (V,) is added to all logits; `seen` (texts, V) marks the symbols that are penalised, and then those that are
    drawn; `order` (V,) is scratch.
    """
    cdef ControlNumbers numbers
    cdef object bias
    cdef unsigned char[:, ::1] seen
    cdef int[::1] order

    def __init__(self, *, double penalty, Py_ssize_t top_k, double top_p, double min_p, int[::1] order not None,
                 bias=None, unsigned char[:, ::1] seen=None):
        self.numbers.penalty, self.numbers.top_k = penalty, top_k
        self.numbers.top_p, self.numbers.min_p = top_p, min_p
        self.order, self.bias, self.seen = order, bias, seen

    cdef void fill(self, DrawSettings* settings, Py_ssize_t itemsize, Py_ssize_t texts, Py_ssize_t V) except *:
        """Set the controls of a draw, after the check that their arrays fit so many texts and V symbols."""
        _same("order", self.order.shape[0], V)
        settings.control, settings.order = &self.numbers, &self.order[0]
        if self.bias is not None:
            settings.bias = address("biases", self.bias, itemsize, (V,), False)
        if self.seen is not None:
            _same("streams of symbols seen", self.seen.shape[0], texts)
            _same("symbols seen", self.seen.shape[1], V)
            settings.seen = &self.seen[0, 0]


def sums_size(Py_ssize_t V) -> int:
    """Elements of the scratch `sums` of a draw from V symbols."""
    return kernels_of[0].sums_size(V)


def inference_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that inference wants for B streams, T symbols at a time.

    h[:, 0] and c[:, 0] are the states. With a boundary the gates have one row more, the room for states that
    `Workspace.cut` is.
    """
    cdef NetworkPlaces* net = &network.net
    return {
        "h": (net.L, T + 1, B, net.H),
        "c": (net.L, T + 1 if net.has_c else 0, B, net.H),
        "gates": (1, (0 if net.z_in_h else T) + (net.boundary >= 0), B, net.ldg),
    }


cdef Network network_of(tuple weights):
    """The network of weights (network, params, panels)."""
    network, _, _ = weights
    if not isinstance(network, Network):
        raise TypeError(f"network: {network!r} is none")
    return network


cdef Weights inference_weights(tuple weights) except *:
    """Weights (network, params, panels) as the kernels take them."""
    network, params, panels = weights
    return (<Network>network).weights(params, panels)


cdef Workspace inference_work(Network network, Py_ssize_t n, Py_ssize_t T, Py_ssize_t B, tuple arrays) except *:
    """The workspace of B streams and T of n symbols at a time, after the check that the arrays are those of one."""
    cdef Workspace work
    cdef Py_ssize_t size = network.itemsize, last
    h, c, gates = arrays
    if B < 1 or T < 1 and n:
        raise ValueError(f"a workspace of size {T} x {B}: no symbol fits in")
    network.kernels.size_workspace(&network.net, T, B, &work)
    shapes = inference_workspace(network, T, B)
    work.h = address("h", h, size, shapes["h"])
    work.c = address("c", c, size, shapes["c"])
    work.gates = address("gates", gates, size, shapes["gates"])
    if not network.net.many:
        raise ValueError("inference wants a network with all weights packed")
    work.gates_stride = 0  # one layer after the other uses the same
    work.cut = NULL
    if network.net.boundary >= 0:  # the last row of the gates
        last = shapes["gates"][1] - 1
        work.cut = <real*>(<char*>work.gates + last * B * network.net.ldg * size)
    return work


cdef Py_ssize_t steps_of(tuple arrays) except -1:
    """Symbols at a time that a workspace (h, c, gates) is for."""
    return numbers("h", arrays[0], 4, True).shape[1] - 1


cdef DrawSettings draw_settings(Network network, double temperature, Controls controls, double[::1] sums,
                          Py_ssize_t texts) except *:
    """The settings of a draw, after the check that their arrays fit so many texts."""
    cdef DrawSettings settings
    if sums is None:
        raise TypeError("sums: None, but an array is wanted")
    _same("sums", sums.shape[0], sums_size(network.net.V))
    settings.temperature, settings.sums = temperature, &sums[0]
    settings.control, settings.bias, settings.seen, settings.order = NULL, NULL, NULL, NULL
    if controls is not None:
        controls.fill(&settings, network.itemsize, texts, network.net.V)
    return settings


def feed(tuple weights not None, const int[:, ::1] x not None, tuple work not None):
    """Advance the states h[:, 0] (and c[:, 0]) over symbols x (n, B).

    As everywhere below, `weights` are the network, its parameters and its packed weights, and `work` is a workspace
    (h, c, gates), see `inference_workspace`.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = x.shape[0]
    cdef Workspace space = inference_work(network, n, steps_of(work), x.shape[1], work)
    cdef Weights w = inference_weights(weights)
    cdef float_mode mode
    _known(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.feed(&w, &space, &x[0, 0], n)
            restore_denormals(mode)


def sample(tuple weights not None, const double[:, ::1] uniforms not None, double temperature, tuple work not None, y,
           double[::1] sums not None, int[:, ::1] out not None, Controls controls=None):
    """Draw out[t, b] with uniforms[t, b] from the states, feeding each symbol back in; the states advance.

    The workspace is one of one symbol at a time; y (B, V) and `sums`, see `sums_size`, are scratch.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = uniforms.shape[0], B = uniforms.shape[1]
    cdef Workspace space = inference_work(network, n, 1, B, work)
    cdef Weights w = inference_weights(weights)
    cdef DrawSettings settings = draw_settings(network, temperature, controls, sums, B)
    cdef float_mode mode
    space.y = address("logits", y, network.itemsize, (B, network.net.V))
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.sample(&w, &space, &settings, &uniforms[0, 0], n, &out[0, 0])
            restore_denormals(mode)


cdef class Batch:
    """Which texts `sample_texts` is at: those that have `begun`, and of them those that are `active`.

    Row b draws text texts[b], for all b < `active`; the other rows have none.
    """
    cdef readonly Py_ssize_t begun
    cdef readonly Py_ssize_t active
    cdef Py_ssize_t[::1] texts

    def __init__(self, Py_ssize_t[::1] texts not None):
        self.texts = texts


cdef void fill_texts(Texts* texts, Batch batch, tuple arrays, Py_ssize_t max_length, Py_ssize_t rows) except *:
    """The texts and where they stand, after the check that they belong together."""
    cdef Py_ssize_t i
    cdef int[:, ::1] symbols
    cdef Py_ssize_t[::1] lengths
    if arrays[0] is None or arrays[1] is None:
        raise TypeError("symbols and lengths: arrays are wanted, not None")
    symbols, lengths = arrays
    _same("rows of the batch", batch.texts.shape[0], rows)
    texts.count, texts.max_length, texts.width, texts.longest = symbols.shape[0], max_length, symbols.shape[1], 0
    if texts.count < 1 or texts.width < 1 or max_length < 1:
        raise ValueError(f"{texts.count} texts of {max_length} symbols, room for {texts.width}: nothing to draw")
    _same("lengths", lengths.shape[0], texts.count)
    texts.symbols, texts.lengths = &symbols[0, 0], &lengths[0]
    texts.rows, texts.begun, texts.active = &batch.texts[0], batch.begun, batch.active
    for i in range(batch.active):
        if not (batch.begun <= texts.count and 0 <= batch.texts[i] < batch.begun
                and 0 <= lengths[batch.texts[i]] <= texts.width):
            raise ValueError("the batch is one of other texts")
        texts.longest = max(texts.longest, lengths[batch.texts[i]])


cdef void fill_random(Texts* texts, tuple arrays) except *:
    """The streams of random numbers, after the check that there is one for each text."""
    cdef uint64_t[:, ::1] states
    cdef const uint64_t[::1] increment
    if arrays[0] is None or arrays[1] is None:
        raise TypeError("random numbers: arrays are wanted, not None")
    states, increment = arrays
    _same("streams of numbers", states.shape[0], texts.count)
    _same("halves of a state", states.shape[1], 2)
    _same("halves of an increment", increment.shape[0], 2)
    texts.streams, texts.increment = &states[0, 0], wide(&increment[0])


cdef void fill_stops(Texts* texts, tuple arrays) except *:
    """The stops, after the check that each has symbols."""
    cdef Py_ssize_t i
    cdef const int[::1] stops
    cdef const Py_ssize_t[::1] ends
    if arrays[0] is None or arrays[1] is None:
        raise TypeError("stops: arrays are wanted, not None")
    stops, ends = arrays
    for i in range(ends.shape[0]):
        if not (ends[i - 1] if i else 0) < ends[i] <= stops.shape[0]:
            raise ValueError(f"stop {i} is empty, or does not lie within the {stops.shape[0]} symbols of all stops")
    texts.stop_count = ends.shape[0]
    texts.stops = &stops[0] if texts.stop_count else NULL
    texts.stop_ends = &ends[0] if texts.stop_count else NULL


cdef void fill_start(Texts* texts, Network network, list states) except *:
    """The states that all texts start from."""
    shape = (network.net.L, 1, network.net.H)
    _same("states at the start", len(states), 2 if network.net.has_c else 1)
    texts.start_h = address("states at the start", states[0], network.itemsize, shape, False)
    texts.start_c = address("states at the start", states[len(states) - 1], network.itemsize, shape, False)


def sample_texts(tuple weights not None, tuple start not None, double temperature, Batch batch not None,
                 tuple texts not None, Py_ssize_t max_length, Py_ssize_t max_steps, tuple random not None,
                 tuple stops not None, tuple work not None, tuple scratch not None, Controls controls=None):
    """Draw texts side by side until all have ended, but for at most `max_steps`; see `texts` for when one ends.

    All start from `start`: a list of states (L, 1, H), and the logits (V,) that follow from them. `texts` are symbols
    (texts, width) and lengths (texts,): symbols[i, :lengths[i]] was drawn of text i. It is drawn with the numbers of a
    generator of its own; `random` are their states (texts, 2) and their common increment (2,). `stops` are the symbols
    of all stops and where each ends. A text that ends makes room for the next one, and where there is none for the last
    row: nothing is drawn in vain. The call also ends when an active text has no room left in `symbols`.

    The workspace is one of one symbol at a time for B rows; `scratch` is y (B + 1, V), sums, see `sums_size`, and x
    (B,). The controls' `seen` has a row for each text; those of texts that have not begun must be alike.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t V = network.net.V, size = network.itemsize
    y, sums, scratch_x = scratch
    if scratch_x is None:
        raise TypeError("x: None, but an array is wanted")
    cdef int[::1] x = scratch_x
    cdef Py_ssize_t B = x.shape[0]
    cdef Workspace space = inference_work(network, max_steps, 1, B, work)
    cdef Weights w = inference_weights(weights)
    cdef Texts t
    fill_start(&t, network, start[0])
    cdef const real* logits_at_start = address("logits at the start", start[1], size, (V,), False)
    space.x, space.y = &x[0], address("logits", y, size, (B + 1, V))
    fill_texts(&t, batch, texts, max_length, B)
    fill_random(&t, random)
    fill_stops(&t, stops)
    cdef DrawSettings settings = draw_settings(network, temperature, controls, sums, t.count)
    t.start_y = <real*>(<char*>space.y + B * V * size)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        memcpy(t.start_y, logits_at_start, V * size)
        network.kernels.sample_texts(&w, &space, &settings, &t, max_steps)
        restore_denormals(mode)
    batch.begun, batch.active = t.begun, t.active


def filter_logits(y, double temperature, Controls controls not None):
    """y (B, V) = probabilities, up to a factor for each row, of what the controls leave; as in `sample` (for tests)."""
    cdef Numbers logits = numbers("logits", y, 2, True)
    cdef Py_ssize_t B = logits.shape[0], V = logits.shape[1]
    cdef DrawSettings settings
    settings.temperature, settings.bias, settings.seen, settings.sums = temperature, NULL, NULL, NULL
    controls.fill(&settings, logits.itemsize, B, V)
    cdef float_mode mode = flush_denormals()
    kernels_for(logits.itemsize).filter_logits(logits.first, B, V, &settings)
    restore_denormals(mode)


def logits(tuple weights not None, top, y):
    """y = top @ Wy + by for states `top` (rows, H) of the last layer."""
    cdef Network network = network_of(weights)
    cdef Weights w = inference_weights(weights)
    cdef Py_ssize_t rows = numbers("units", top, 2, False).shape[0]
    cdef const real* h = address("units", top, network.itemsize, (rows, network.net.H), False)
    cdef real* out = address("logits", y, network.itemsize, (rows, network.net.V))
    cdef float_mode mode
    if rows:
        with nogil:
            mode = flush_denormals()
            network.kernels.logits(&w, rows, h, out)
            restore_denormals(mode)


def log_probabilities(tuple weights not None, const int[:, ::1] x not None, tuple work not None, y,
                      double[:, ::1] out not None):
    """out[t, b] = log P(x[t, b] | the states and the symbols before); the states advance over all of x (n, B).

    The workspace and y (T, B, V) are for T symbols at a time.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], T = numbers("logits", y, 3, True).shape[0]
    cdef Workspace space = inference_work(network, n, T, B, work)
    cdef Weights w = inference_weights(weights)
    cdef float_mode mode
    space.y = address("logits", y, network.itemsize, (T, B, network.net.V))
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    _known(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.log_probabilities(&w, &space, &x[0, 0], n, &out[0, 0])
            restore_denormals(mode)


def log_likelihoods(tuple weights not None, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
                    const Py_ssize_t[::1] lengths not None, Py_ssize_t first, Py_ssize_t last, tuple work not None,
                    int[::1] x not None, y, double[::1] out not None):
    """out[b] += log P of symbols [first, last) of string b, which is ids[starts[b]:starts[b] + lengths[b]].

    The longest come first, and the batch shrinks as strings end. The states in the workspace are those before symbol
    `first`; they advance to `last`, those of strings that have ended are lost. x (T B,) and y (T B, V) are scratch.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t B = lengths.shape[0], T = steps_of(work), b
    cdef Workspace space = inference_work(network, last - first, T, B, work)
    cdef Weights w = inference_weights(weights)
    cdef Strings strings
    _same("starts", starts.shape[0], B)
    _same("sums", out.shape[0], B)
    _same("scratch of symbols", x.shape[0], T * B)
    space.x, space.y = &x[0], address("logits", y, network.itemsize, (T * B, network.net.V))
    for b in range(B):
        if starts[b] < 0 or lengths[b] < 0 or lengths[b] > ids.shape[0] - starts[b]:
            raise ValueError(f"string {b} does not lie within the {ids.shape[0]} symbols")
        if b and lengths[b] > lengths[b - 1]:
            raise ValueError("the longest strings must come first")
    if first < 0:
        raise ValueError(f"first: {first} is no symbol of a string")
    if lengths[0] <= first:
        return
    strings.ids, strings.starts, strings.lengths = &ids[0], &starts[0], &lengths[0]
    strings.first, strings.last = first, last
    cdef bint known
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        known = network.kernels.log_likelihoods(&w, &space, &strings, &out[0])
        restore_denormals(mode)
    if not known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {network.net.symbols}")
