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
from libc.math cimport INFINITY, NAN, isfinite, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from .interface cimport (ADAGRAD, ADAM, MAX_LAYERS, MAX_SHARDS, RMSPROP, Dropout, Gemm, Kernels, Steering, Strings, Texts,
                         Training, Weights, Wide, Workspace, real, spin_barrier, spin_barrier_break)
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
    """What an array of float32 or float64 holds, after the check that it is one of so many dimensions."""
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
    """The first element of an array of this shape, whose numbers have so many bytes; NULL if it is empty."""
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
    cdef Py_ssize_t size = kernels.packed_elements(columns, rows) if transposed else kernels.packed_elements(rows, columns)
    cdef real* out = address("panels", panels, w.itemsize, (size,))
    with nogil:
        kernels.pack_matrix(w.first, rows, columns, transposed, one_row, out)


def multiply(a, panels, bint one_row, c, int times=1):
    """c += a @ W for the W packed in `panels`; so many times, as a recurrence multiplies (for measuring)."""
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
    cdef Wide state
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
    """What an optimiser does, step after step: its name, and the limits on a gradient's elements and on its norm."""
    cdef int kind
    cdef double clip
    cdef double clip_norm
    cdef double weight_decay
    cdef double beta_1
    cdef double beta_2

    def __init__(self, str name, double clip, double clip_norm, double weight_decay, double beta_1=0.9,
                 double beta_2=0.999):
        self.kind = {"adagrad": ADAGRAD, "rmsprop": RMSPROP, "adam": ADAM}[name]
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

    `diverged`: whether the last call ended because a loss was not finite. `optimizer_start` is how many steps had
    been done when the optimizer state was zero; `gradient_norm` that of the last step of the last call, before clipping.
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
    """What all threads have in common: the symbols and the gradients of all shards, and where they wait."""
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
    """What a thread of a shard works on; `own` is its own workspace."""
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
        raise ValueError(f"{T} steps of {B} streams, {net.G * net.H} gates, {net.V} symbols: a BLAS counts to {INT_MAX}")
    if not 0 <= work.dropout.first_stream <= run.team.streams - B:
        raise ValueError(f"{B} streams from {shard.first_stream} on: not within {run.team.streams} streams")


cdef void fill_requests(Workspace* work, Network network, shard) except *:
    """What a caller may want beside the update: weights of the losses, and the gradients of the states."""
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
    """The thread's place in its shard's group, and the group's gradient."""
    cdef Barrier barrier = shard.barrier
    if barrier is None:
        raise ValueError("a shard has no barrier")
    _same("threads at a shard's barrier", barrier.barrier.n_threads, network.net.group_size)
    run.work.group.threads, run.work.group.rank = network.net.group_size, rank % network.net.group_size
    run.work.group.barrier = &barrier.barrier
    run.work.d = run.team.d[rank // network.net.group_size]


cdef void fill_rule(Training* run, Network network, Optimizer optimizer, list state) except *:
    """The optimiser's step, and its state."""
    _same("arrays of optimizer state", len(state), 2 if optimizer.kind == ADAM else 1)
    run.rule.kind, run.rule.clip, run.rule.weight_decay = optimizer.kind, optimizer.clip, optimizer.weight_decay
    run.rule.beta_1, run.rule.beta_2 = optimizer.beta_1, optimizer.beta_2
    run.rule.first = address("optimizer state", state[0], network.itemsize, (network.net.end,))
    run.rule.second = address("optimizer state", state[len(state) - 1], network.itemsize, (network.net.end,))
    run.clip_norm = optimizer.clip_norm


cdef void fill_block(Training* run, ids, Py_ssize_t position) except *:
    """The ids that this shard's streams read, after the check that the block holds all that is read."""
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
    """Where training stands after a call."""
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
    work on it; see `training_loop` and `crnn.training.team`. The first thread updates the cursor at the end. When a loss
    is not finite its update is not made, and the cursor says `diverged`. With weight dropout the packed weights are at
    the end those that the next step would have.

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
    """What is done to logits before a draw, beside the temperature; see `sampler` for the numbers."""
    cdef ControlNumbers numbers

    def __init__(self, *, double penalty, Py_ssize_t top_k, double top_p, double min_p):
        self.numbers.penalty, self.numbers.top_k = penalty, top_k
        self.numbers.top_p, self.numbers.min_p = top_p, min_p


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


cdef Workspace inference_work(Network network, Py_ssize_t n, Py_ssize_t T, Py_ssize_t B, h, c, gates) except *:
    """The workspace of B streams and T of n symbols at a time, after the check that the arrays are those of one."""
    cdef Workspace work
    cdef Py_ssize_t size = network.itemsize, last
    if B < 1 or T < 1 and n:
        raise ValueError(f"a workspace of size {T} x {B}: no symbol fits in")
    network.kernels.size_workspace(&network.net, T, B, &work)
    shapes = inference_workspace(network, T, B)
    work.h = address("h", h, size, shapes["h"])
    work.c = address("c", c, size, shapes["c"])
    work.gates = address("gates", gates, size, shapes["gates"])
    if not network.net.many:
        raise ValueError("inference wants a network with all weights packed")
    work.gates_size = 0  # one layer after the other uses the same
    work.cut = NULL
    if network.net.boundary >= 0:  # the last row of the gates
        last = shapes["gates"][1] - 1
        work.cut = <real*>(<char*>work.gates + last * B * network.net.ldg * size)
    return work


def feed(Network network not None, params, panels, const int[:, ::1] x not None, h, c, gates):
    """Advance the states h[:, 0] (and c[:, 0]) over symbols x (n, B); see `inference_workspace`."""
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], T = numbers("h", h, 4, True).shape[1] - 1
    cdef Workspace work = inference_work(network, n, T, B, h, c, gates)
    cdef Weights w = network.weights(params, panels)
    cdef float_mode mode
    _known(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.feed(&w, &work, &x[0, 0], n)
            restore_denormals(mode)


cdef Steering steering_of(Network network, double temperature, Controls controls, bias, unsigned char[:, ::1] seen,
                          int[::1] order, double[::1] sums, Py_ssize_t texts) except *:
    """The controls of a draw, after the check that their arrays fit so many texts."""
    cdef Steering steering
    _same("sums", sums.shape[0], sums_size(network.net.V))
    steering.temperature, steering.sums = temperature, &sums[0]
    steering.control, steering.bias, steering.seen, steering.order = NULL, NULL, NULL, NULL
    if controls is not None:
        fill_controls(&steering, network.itemsize, controls, bias, seen, order, texts, network.net.V)
    return steering


cdef void fill_controls(Steering* steering, Py_ssize_t itemsize, Controls controls, bias, unsigned char[:, ::1] seen,
                        int[::1] order, Py_ssize_t texts, Py_ssize_t V) except *:
    if order is None:
        raise ValueError("controls want scratch for an order")
    _same("order", order.shape[0], V)
    steering.control, steering.order = &controls.numbers, &order[0]
    if bias is not None:
        steering.bias = address("biases", bias, itemsize, (V,), False)
    if seen is not None:
        _same("streams of symbols seen", seen.shape[0], texts)
        _same("symbols seen", seen.shape[1], V)
        steering.seen = &seen[0, 0]


def sample(Network network not None, params, panels, const double[:, ::1] uniforms not None, double temperature, h, c,
           gates, y, double[::1] sums not None, int[:, ::1] out not None, Controls controls=None, bias=None,
           unsigned char[:, ::1] seen=None, int[::1] order=None):
    """Draw out[t, b] with uniforms[t, b] from the states, feeding each symbol back in; the states advance.

    The workspace is one of one symbol at a time; y (B, V) and `sums`, see `sums_size`, are scratch. With controls,
    `bias` (V,) is added to all logits, `seen` (B, V) marks the symbols that are penalised, and then those that are
    drawn; `order` (V,) is scratch.
    """
    cdef Py_ssize_t n = uniforms.shape[0], B = uniforms.shape[1]
    cdef Workspace work = inference_work(network, n, 1, B, h, c, gates)
    cdef Weights w = network.weights(params, panels)
    work.y = address("logits", y, network.itemsize, (B, network.net.V))
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    cdef Steering steering = steering_of(network, temperature, controls, bias, seen, order, sums, B)
    cdef float_mode mode
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.sample(&w, &work, &steering, &uniforms[0, 0], n, &out[0, 0])
            restore_denormals(mode)


cdef class Batch:
    """Which texts `sample_texts` is at: those that were `begun`, and of them those that are `going` on.

    Row b draws text texts[b], for all b < `going`; the other rows have none.
    """
    cdef readonly Py_ssize_t begun
    cdef readonly Py_ssize_t going
    cdef Py_ssize_t[::1] texts

    def __init__(self, Py_ssize_t[::1] texts not None):
        self.texts = texts


cdef void fill_texts(Texts* texts, Batch batch, int[:, ::1] symbols, Py_ssize_t[::1] lengths, Py_ssize_t most,
                     uint64_t[:, ::1] streams, const uint64_t[::1] increment, Py_ssize_t rows) except *:
    """The texts and where they stand, after the check that they belong together."""
    cdef Py_ssize_t i
    _same("rows of the batch", batch.texts.shape[0], rows)
    texts.count, texts.max_length, texts.width, texts.longest = symbols.shape[0], most, symbols.shape[1], 0
    if texts.count < 1 or texts.width < 1 or most < 1:
        raise ValueError(f"{texts.count} texts of {most} symbols, room for {texts.width}: nothing to draw")
    _same("lengths", lengths.shape[0], texts.count)
    _same("streams of numbers", streams.shape[0], texts.count)
    _same("halves of a state", streams.shape[1], 2)
    _same("halves of an increment", increment.shape[0], 2)
    texts.symbols, texts.lengths, texts.streams = &symbols[0, 0], &lengths[0], &streams[0, 0]
    texts.increment = wide(&increment[0])
    texts.rows, texts.begun, texts.active = &batch.texts[0], batch.begun, batch.going
    for i in range(batch.going):
        if not (batch.begun <= texts.count and 0 <= batch.texts[i] < batch.begun
                and 0 <= lengths[batch.texts[i]] <= texts.width):
            raise ValueError("the batch is one of other texts")
        texts.longest = max(texts.longest, lengths[batch.texts[i]])


cdef void fill_stops(Texts* texts, const int[::1] stops, const Py_ssize_t[::1] stop_ends) except *:
    cdef Py_ssize_t i
    for i in range(stop_ends.shape[0]):
        if not (stop_ends[i - 1] if i else 0) < stop_ends[i] <= stops.shape[0]:
            raise ValueError(f"stop {i} is empty, or does not lie within the {stops.shape[0]} symbols of all stops")
    texts.stop_count = stop_ends.shape[0]
    texts.stops = &stops[0] if texts.stop_count else NULL
    texts.stop_ends = &stop_ends[0] if texts.stop_count else NULL


def sample_texts(Network network not None, params, panels, list start not None, start_y, double temperature,
                 Batch batch not None, int[:, ::1] symbols not None, Py_ssize_t[::1] lengths not None, Py_ssize_t most,
                 Py_ssize_t steps, uint64_t[:, ::1] streams not None, const uint64_t[::1] increment not None,
                 const int[::1] stops not None, const Py_ssize_t[::1] stop_ends not None, h, c, gates, y,
                 double[::1] sums not None, int[::1] x not None, Controls controls=None, bias=None,
                 unsigned char[:, ::1] seen=None, int[::1] order=None):
    """Draw texts side by side until all have ended, but at most for so many steps; see `texts` for when one ends.

    All start from the states `start`, each (L, 1, H), and the logits (V,) that follow from them. What was drawn of text
    i is symbols[i, :lengths[i]]; it is drawn with the numbers of streams[i]. A text that ends makes room for the next
    one, and where there is none for the last row: nothing is drawn in vain. The call also ends when a text that goes on
    has no room left in `symbols`.

    The workspace is one of one symbol at a time for B rows; y (B + 1, V), x (B,) and `sums` are scratch. The controls
    are those of `sample`, but that `seen` has a row for each text; those of texts that have not begun must be alike.
    """
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t B = x.shape[0], V = net.V, size = network.itemsize
    cdef Workspace work = inference_work(network, steps, 1, B, h, c, gates)
    cdef Weights w = network.weights(params, panels)
    cdef Texts texts
    _same("states at the start", len(start), 2 if net.has_c else 1)
    texts.start_h = address("states at the start", start[0], size, (net.L, 1, net.H), False)
    texts.start_c = address("states at the start", start[len(start) - 1], size, (net.L, 1, net.H), False)
    cdef const real* logits_at_start = address("logits at the start", start_y, size, (V,), False)
    work.y = address("logits", y, size, (B + 1, V))
    work.x = &x[0]
    fill_texts(&texts, batch, symbols, lengths, most, streams, increment, B)
    fill_stops(&texts, stops, stop_ends)
    cdef Steering steering = steering_of(network, temperature, controls, bias, seen, order, sums, texts.count)
    texts.start_y = <real*>(<char*>work.y + B * V * size)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        memcpy(texts.start_y, logits_at_start, V * size)
        network.kernels.sample_texts(&w, &work, &steering, &texts, steps)
        restore_denormals(mode)
    batch.begun, batch.going = texts.begun, texts.active


def filter_logits(y, double temperature, Controls controls not None, bias, unsigned char[:, ::1] seen, int[::1] order):
    """y (B, V) = probabilities, up to a factor for each row, of what the controls leave; as in `sample` (for tests)."""
    cdef Numbers logits = numbers("logits", y, 2, True)
    cdef Py_ssize_t B = logits.shape[0], V = logits.shape[1]
    cdef Steering steering
    steering.temperature, steering.bias, steering.seen, steering.sums = temperature, NULL, NULL, NULL
    fill_controls(&steering, logits.itemsize, controls, bias, seen, order, B, V)
    cdef float_mode mode = flush_denormals()
    kernels_for(logits.itemsize).filter_logits(logits.first, B, V, &steering)
    restore_denormals(mode)


def logits(Network network not None, params, panels, top, y):
    """y = top @ Wy + by for states `top` (rows, H) of the last layer."""
    cdef Weights w = network.weights(params, panels)
    cdef Py_ssize_t rows = numbers("units", top, 2, False).shape[0]
    cdef const real* h = address("units", top, network.itemsize, (rows, network.net.H), False)
    cdef real* out = address("logits", y, network.itemsize, (rows, network.net.V))
    cdef float_mode mode
    if rows:
        with nogil:
            mode = flush_denormals()
            network.kernels.logits(&w, rows, h, out)
            restore_denormals(mode)


def log_probabilities(Network network not None, params, panels, const int[:, ::1] x not None, h, c, gates, y,
                      double[:, ::1] out not None):
    """out[t, b] = log P(x[t, b] | the states and the symbols before); the states advance over all of x (n, B).

    The workspace and y (T, B, V) are for T symbols at a time.
    """
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], T = numbers("logits", y, 3, True).shape[0]
    cdef Workspace work = inference_work(network, n, T, B, h, c, gates)
    cdef Weights w = network.weights(params, panels)
    work.y = address("logits", y, network.itemsize, (T, B, network.net.V))
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    _known(x, network.net.symbols)
    cdef float_mode mode
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.log_probabilities(&w, &work, &x[0, 0], n, &out[0, 0])
            restore_denormals(mode)


def log_likelihoods(Network network not None, params, panels, const int[::1] ids not None,
                    const Py_ssize_t[::1] starts not None, const Py_ssize_t[::1] lengths not None, Py_ssize_t first,
                    Py_ssize_t last, h, c, gates, int[::1] x not None, y, double[::1] out not None):
    """out[b] += log P of symbols [first, last) of string b, which is ids[starts[b]:starts[b] + lengths[b]].

    The longest come first, and the batch shrinks as strings end. The states in the workspace are those before symbol
    `first`; they advance to `last`, those of strings that have ended are lost. x (T B,) and y (T B, V) are scratch.
    """
    cdef Py_ssize_t B = lengths.shape[0], T = numbers("h", h, 4, True).shape[1] - 1, b
    cdef Workspace work = inference_work(network, last - first, T, B, h, c, gates)
    cdef Weights w = network.weights(params, panels)
    cdef Strings strings
    _same("starts", starts.shape[0], B)
    _same("sums", out.shape[0], B)
    _same("scratch of symbols", x.shape[0], T * B)
    work.x, work.y = &x[0], address("logits", y, network.itemsize, (T * B, network.net.V))
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
        known = network.kernels.log_likelihoods(&w, &work, &strings, &out[0])
        restore_denormals(mode)
    if not known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {network.net.symbols}")
