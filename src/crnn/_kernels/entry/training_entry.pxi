"""Entry points to training: the optimizer, the threads' barrier, the cursor, and `train`. Part of `core`."""
from cpython.buffer cimport PyBUF_STRIDES
from cpython.object cimport PyObject
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, NAN
from ..common.interface cimport MAX_SHARDS, Training, Workspace, barrier_break, barrier_init, thread_barrier


cdef class Optimizer:
    """An optimizer: its kind, the limits on a gradient's elements and on its norm, and its constants.

    `kind` has the optimizer's `number` in `optimizers`, its properties, and the names of its state arrays.
    """
    cdef int number
    cdef bint sparse
    cdef Py_ssize_t state_arrays
    cdef double clip
    cdef double clip_norm
    cdef double weight_decay
    cdef double beta_1
    cdef double beta_2

    def __cinit__(self, kind, double clip, double clip_norm, double weight_decay, double beta_1=0.9,
                 double beta_2=0.999):
        self.number = kind.number
        self.sparse = kind.sparse
        self.state_arrays = len(kind.state)
        self.clip = clip
        self.clip_norm = clip_norm
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2


cdef class Barrier:
    """A barrier for the `n_threads` threads of a training call, or of a group in it.

    `crowded`: there are more threads than cores, so a waiting thread yields its core at once.
    """
    cdef thread_barrier barrier

    def __cinit__(self, unsigned int n_threads, bint crowded=False):
        barrier_init(&self.barrier, n_threads, crowded)

    def break_(self):
        """Release the waiting threads, because one will not arrive. Their calls of `train` end without an update."""
        barrier_break(&self.barrier)


cdef class Cursor:
    """The progress of training: the next chunk's position in the block, steps done, the smoothed and the last loss.

    `diverged`: whether the last call ended because a loss was not finite. `optimizer_start` is the number of steps
    done when the optimizer state was zero; `gradient_norm` is the last step's, before clipping.
    """
    cdef public Py_ssize_t position
    cdef public Py_ssize_t n_steps
    cdef public double smooth_loss
    cdef public double last_loss
    cdef public Py_ssize_t optimizer_start
    cdef public double gradient_norm
    cdef public bint diverged

    def __cinit__(self, Py_ssize_t position, Py_ssize_t n_steps, double smooth_loss, double last_loss,
                 Py_ssize_t optimizer_start=0, double gradient_norm=NAN):
        self.position = position
        self.n_steps = n_steps
        self.smooth_loss = smooth_loss
        self.last_loss = last_loss
        self.optimizer_start = optimizer_start
        self.gradient_norm = gradient_norm


def reduced_size(Network network not None) -> int:
    """Return the size of the first shard's gradient if a reducer sums the gradients of several processes."""
    network.require_mode(training=True)
    return network.net.n_weights + network.net.inputs.table_rows + 2


def squares_size(Network network not None) -> int:
    """Return the number of sums of squares of the gradient that a team keeps, for its norm."""
    network.require_mode(training=True)
    return network.kernels.squares_size(&network.net)


cdef struct Reduction:  # what a callback to Python needs
    PyObject* team
    float_mode mode


cdef bint call_reducer(void* context) noexcept with gil:
    """Let the team's reducer change the gradient; return False if it raised an error, which the team then keeps."""
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


LONG_STEP = 1 << 25
"""The minimum forward multiplications of a long step, a few milliseconds, within which threads poll."""


def break_barriers(team):
    """Release all waiting threads of a team, because one of them will not arrive.

    Compiled, so that a second Ctrl-C waits until all are released.
    """
    cdef Barrier barrier = team.barrier
    barrier.break_()
    for shard in team.shards:
        barrier = shard.barrier
        barrier.break_()


cdef bint ask_python(void* context) noexcept with gil:
    """Let Python handle signals; if that raises an error, keep it in the team, break all barriers and return False."""
    cdef Reduction* reduction = <Reduction*>context
    team = <object>reduction.team
    restore_denormals(reduction.mode)
    try:
        PyErr_CheckSignals()
        return True
    except BaseException as error:
        team.error = error
        break_barriers(team)
        return False
    finally:
        flush_denormals()


cdef void fill_poll(Training* run, team, Reduction* reduction) except *:
    """Tell the workspaces of a long step where to poll."""
    cdef int s
    cdef double products = 0
    for s in range(run.n_shards):
        products += <double>run.work[s].T * run.work[s].B * run.weights.net.n_weights
    reduction.team = <PyObject*>team
    run.poll.barrier = run.team.barrier
    run.poll.next = 0
    run.poll.context = reduction
    run.poll.ask = NULL
    if run.team.rank == 0:
        run.poll.ask = ask_python
    for s in range(run.n_shards):
        run.work[s].poll = &run.poll if products >= LONG_STEP else NULL


cdef void fill_team(Training* run, Network network, team, int rank, Reduction* reduction) except *:
    """Set what all threads share: the gradients of all shards, which symbols occur in them, and the barrier."""
    cdef Barrier barrier = team.barrier
    cdef double[::1] losses = team.losses
    cdef double[::1] squares = team.squares
    fill_threads(run, network, team, rank)
    run.team.streams = team.n_streams
    run.team.reduce = NULL
    # Small arrays are not worth it: a page that is read before it is written costs the system two faults.
    run.fresh = team.fresh and network.net.n_weights * network.itemsize >= TOUCHED_BYTES
    if team.reduce is not None:
        reduction.team = <PyObject*>team
        run.team.reduce = call_reducer
        run.team.reduce_context = reduction
    fill_gradients(run, network, team.shards)
    require_size("losses", losses.shape[0], run.team.shards)
    require_size("sums of squares", squares.shape[0], squares_size(network))
    if barrier is None:
        raise ValueError("the team has no barrier")
    require_size("threads at the barrier", barrier.barrier.n_threads, run.team.threads)
    run.team.losses = &losses[0]
    run.team.squares = &squares[0]
    run.team.barrier = &barrier.barrier


cdef void fill_threads(Training* run, Network network, team, int rank) except *:
    """Set the numbers of shards and threads, and the thread's rank, after checking that they fit each other."""
    cdef int group_size = network.net.packing.group_size
    cdef int shards = len(team.shards)
    cdef int threads = team.n_threads
    cdef int most = shards * group_size
    if shards > MAX_SHARDS:
        raise ValueError(f"a team has at most {MAX_SHARDS} shards, not {shards}")
    if shards == 0:
        raise ValueError("a team needs at least 1 shard")
    if not 0 <= rank < threads:
        raise ValueError(f"rank must be from 0 to {threads - 1}, not {rank}")
    if threads > most or group_size > 1 and threads < most:
        raise ValueError(f"{shards} shards in groups of {group_size} threads cannot use {threads}")
    run.team.shards = shards
    run.team.threads = threads
    run.team.rank = rank


cdef void fill_gradients(Training* run, Network network, list shards) except *:
    """Set the gradient of each shard, and where its first thread marks the rows of input tables that occur."""
    cdef unsigned char[::1] occurs
    cdef int[:, ::1] x
    cdef int group_size = network.net.packing.group_size
    cdef Py_ssize_t size
    cdef Py_ssize_t T = 0
    cdef int s
    for s in range(run.team.shards):
        size = network.net.n_weights
        if s == 0 and run.team.reduce != NULL:
            size = reduced_size(network)
        run.team.d[s] = address("gradient", shards[s].gradient, network.itemsize, (size,))
        if len(shards[s].threads) < group_size:
            raise ValueError(f"a shard needs arrays for {group_size} threads, but has arrays for "
                             f"{len(shards[s].threads)}")
        x = shards[s].threads[0].x
        occurs = shards[s].threads[0].occurs
        if x is None or occurs is None:
            raise TypeError("x and occurs must be arrays, not None")
        require_rows(x.shape[0] - 1, x.shape[1])
        T = T or x.shape[0] - 1
        require_size("time steps of a shard", x.shape[0] - 1, T)
        run.team.occurs[s] = &occurs[0]


cdef void fill_shards(Training* run, Network network, list shards, double dropout) except *:
    """Set the workspaces of the shards that the thread works on: several, or one together with its group."""
    cdef int group_size = network.net.packing.group_size
    cdef int member = 0
    cdef int s, first, last
    cdef Workspace* work
    if group_size > 1:
        first = run.team.rank // group_size
        last = first + 1
        member = run.team.rank % group_size
    else:
        first = run.team.rank * run.team.shards // run.team.threads
        last = (run.team.rank + 1) * run.team.shards // run.team.threads
    run.n_shards = last - first
    for s in range(first, last):
        work = &run.work[s - first]
        fill_workspace(run, work, network, shards[s], shards[s].threads[member], dropout)
        fill_group(work, network, shards[s], member)
        work.shard = s
        work.d = run.team.d[s]


cdef void fill_workspace(Training* run, Workspace* work, Network network, shard, thread, double dropout) except *:
    """Set the arrays that a thread of a shard works on; `thread` has what this thread has to itself."""
    cdef NetworkLayout* net = &network.net
    cdef int[:, ::1] x = shard.threads[0].x
    cdef Py_ssize_t T = x.shape[0] - 1
    cdef Py_ssize_t B = x.shape[1]
    network.kernels.size_workspace(net, T, B, work)
    fill_arrays(work, shard_arrays(network, T, B, dropout > 0), shard, network.itemsize)
    fill_arrays(work, thread_arrays(network, T, B), thread, network.itemsize)
    work.dropout.rate = dropout
    work.dropout.first_stream = shard.first_stream
    fill_requests(work, network, shard)
    require_few_rows(net, work)
    if not 0 <= work.dropout.first_stream <= run.team.streams - B:
        raise ValueError(f"{B} streams from {shard.first_stream} on exceed the team's {run.team.streams} streams")


cdef int require_few_rows(const NetworkLayout* net, const Workspace* work) except -1:
    """Raise an error if a network that is not packed for many rows, but multiplies by a BLAS, gets too many."""
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t rows = work.T * work.B
    if not net.packing.many and work.block < work.T:
        raise ValueError(f"a network packed for few rows takes at most {work.block} time steps of {work.B} streams, "
                         f"not {work.T}. Pack it with many=True.")
    if net.packing.gemm != NULL and max(rows, net.dims.V, net.dims.E, N, net.dims.ldg) > INT_MAX:
        raise ValueError(f"{work.T} time steps x {work.B} streams, {N} gates or {net.dims.V} symbols exceed a BLAS's "
                         f"largest size, {INT_MAX}")
    return 0


cdef void fill_requests(Workspace* work, Network network, shard) except *:
    """Set what a caller may request in addition to the update: loss weights, and the gradients of the states."""
    cdef Py_ssize_t T = work.T
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t size = network.itemsize
    shape = (network.net.dims.L, T, B, network.net.dims.H)
    work.decoder.loss_weights = NULL
    work.layers.kept_dh = NULL
    work.layers.kept_dc = NULL
    if shard.loss_weights is not None:
        work.decoder.loss_weights = address("weights of the losses", shard.loss_weights, size, (T, B), writable=False)
    if shard.state_gradients is not None:
        require_size("gradients of states", len(shard.state_gradients), 2 if network.net.cell.has_c else 1)
        work.layers.kept_dh = address("gradients of h", shard.state_gradients[0], size, shape)
        if network.net.cell.has_c:
            work.layers.kept_dc = address("gradients of c", shard.state_gradients[1], size, shape)


cdef void fill_group(Workspace* work, Network network, shard, int member) except *:
    """Set the thread's rank in its shard's group."""
    cdef Barrier barrier = shard.barrier
    if barrier is None:
        raise ValueError("a shard has no barrier")
    require_size("threads at a shard's barrier", barrier.barrier.n_threads, network.net.packing.group_size)
    work.group.threads = network.net.packing.group_size
    work.group.rank = member
    work.group.barrier = &barrier.barrier


cdef void fill_rule(Training* run, Network network, Optimizer optimizer, list state) except *:
    """Set the optimizer's step and its state."""
    shape = (network.net.n_weights,)
    require_size("arrays of optimizer state", len(state), optimizer.state_arrays)
    run.rule.number = optimizer.number
    run.rule.sparse = optimizer.sparse
    run.rule.clip = optimizer.clip
    run.rule.weight_decay = optimizer.weight_decay
    run.rule.beta_1 = optimizer.beta_1
    run.rule.beta_2 = optimizer.beta_2
    run.rule.first = address("optimizer state", state[0], network.itemsize, shape)
    run.rule.second = address("optimizer state", state[len(state) - 1], network.itemsize, shape)
    run.clip_norm = optimizer.clip_norm


cdef void fill_block(Training* run, ids, Py_ssize_t position) except *:
    """Set the ids that the streams read, after checking that the block contains everything to be read."""
    cdef Py_buffer view
    cdef Py_ssize_t T = run.work[0].T
    cdef Py_ssize_t symbols
    PyObject_GetBuffer(ids, &view, PyBUF_STRIDES | PyBUF_FORMAT)
    try:
        if view.format.decode() not in ("B", "H", "I", "L") or view.itemsize > 4:
            raise ValueError(f"ids must be unsigned integers of 1, 2 or 4 bytes, not of type "
                             f"{view.format.decode()!r} with {view.itemsize} bytes")
        if view.ndim != 2:
            raise ValueError(f"ids must have 2 dimensions, not {view.ndim}")
        require_size("streams in the block", view.shape[0], run.team.streams)
        if view.strides[1] != view.itemsize or view.strides[0] % view.itemsize:
            raise ValueError(f"a block's rows must be contiguous ids of {view.itemsize} bytes, but their strides are "
                             f"({view.strides[0]}, {view.strides[1]})")
        symbols = view.shape[1]
        run.block.ids = <const unsigned char*>view.buf
        run.block.id_width = view.itemsize
        run.block.row_stride = view.strides[0]
        run.block.position = position
    finally:
        PyBuffer_Release(&view)
    if position < 0:
        raise ValueError(f"position must be at least 0, not {position}")
    # The last chunk's targets are read last; compare by division, since a product of sizes may overflow.
    if symbols - 1 < position or (symbols - 1 - position) // T < run.schedule.n_steps:
        raise ValueError(f"{symbols} symbols per stream are too few for {run.schedule.n_steps} steps of {T} at "
                         f"position {position}")


cdef void update_cursor(Cursor cursor, const Training* run) except *:
    """Set the progress of training after a call."""
    cursor.position = run.block.position
    cursor.n_steps += run.progress.steps
    cursor.smooth_loss = run.progress.smooth_loss
    cursor.last_loss = run.progress.last_loss
    cursor.diverged = run.progress.diverged
    cursor.gradient_norm = run.progress.norm


cdef int require_known(Network network, const Training* run) except -1:
    """Raise an error if the chunks had an unknown symbol."""
    cdef Py_ssize_t V = network.net.dims.V
    if not run.progress.known:
        raise ValueError(f"ids must be from 0 to {V - 1}, below the vocabulary's size {V}")
    return 0


def train(Network network not None, params, panels, Optimizer optimizer not None, list optimizer_state not None, team,
          int rank, ids, bint zero_state, Cursor cursor not None, const double[::1] rates not None, settings):
    """Train on one chunk per learning rate, as thread `rank` of the team; all threads make the same call.

    Each shard of the team is a range of neighboring streams with its own gradient and workspace. A thread works on one
    or more shards, or a group of threads on one; see `training_loop` and `crnn.training.team`. The first thread
    updates the cursor at the end. If a loss is not finite, its update is not made, and the cursor says `diverged`.
    With weight dropout, the packed weights at the end are those for the next step.

    `ids` is a block of symbols, one row per stream, which the chunks read from `cursor.position`: a row must contain
    all of them. `zero_state`: the first chunk starts from zero states. `settings` is a `StepSettings`.
    """
    cdef Training run
    cdef Reduction reduction
    fill_team(&run, network, team, rank, &reduction)
    run.weights = network.weights(params, panels, writable=True)
    fill_rule(&run, network, optimizer, optimizer_state)
    fill_shards(&run, network, team.shards, settings.dropout)
    fill_poll(&run, team, &reduction)
    run.schedule.rates = &rates[0] if rates.shape[0] else NULL
    run.schedule.n_steps = rates.shape[0]
    run.schedule.steps_before = cursor.n_steps
    run.schedule.optimizer_steps = cursor.n_steps - cursor.optimizer_start
    run.zero_state = zero_state
    run.team.weight_dropout = settings.weight_dropout
    run.team.state_reset = settings.state_reset
    if network.net.packing.in_place and (run.team.weight_dropout > 0 or run.team.streams != 1):
        raise ValueError("weight dropout and several streams need packed recurrent weights (in_place=False)")
    run.dropout_seed = settings.dropout_seed
    run.loss_scale = settings.seq_length / <double>run.work[0].T
    run.smoothing = SMOOTHING
    run.progress.smooth_loss = cursor.smooth_loss
    run.progress.last_loss = cursor.last_loss
    fill_block(&run, ids, cursor.position)
    with nogil:
        reduction.mode = flush_denormals()
        network.kernels.train(&run)
        restore_denormals(reduction.mode)
    if rank == 0 and (run.progress.complete or team.error is not None):
        team.fresh = False  # the other threads have read it
        update_cursor(cursor, &run)  # an error comes between two steps
    if rank == 0 and team.error is not None:
        raise team.error
    require_known(network, &run)


def loss_and_gradients(Network network not None, params, panels, team, ids) -> float:
    """Return the loss of one chunk, and add its gradient to the team's only shard; nothing is updated.

    The arguments are as for `train`; the gradient must come in as zeros. The states of the shard, h[:, 0] and the
    others, are those before the chunk. Nothing is dropped or reset.
    """
    cdef Training run
    cdef Reduction reduction
    cdef double[::1] losses = team.losses
    fill_team(&run, network, team, 0, &reduction)
    require_size("shards", run.team.shards, 1)
    require_size("threads", run.team.threads, 1)
    run.weights = network.weights(params, panels)
    fill_shards(&run, network, team.shards, 0)
    fill_poll(&run, team, &reduction)
    run.schedule.n_steps = 1
    run.schedule.steps_before = 0
    run.dropout_seed = 0
    run.clip_norm = INFINITY
    run.team.weight_dropout = 0
    run.team.state_reset = 0
    fill_block(&run, ids, 0)
    with nogil:
        reduction.mode = flush_denormals()
        network.kernels.gradients_of_chunk(&run)
        restore_denormals(reduction.mode)
    if team.error is not None:
        raise team.error
    require_known(network, &run)
    return losses[0]
