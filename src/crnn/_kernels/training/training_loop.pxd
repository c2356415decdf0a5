"""The training loop of one thread: chunk after chunk, its gradient, and the update.

Each thread runs `train` with a `Training` of its own. A step has four parts:

1. `compute_gradients`: the thread back-propagates its shards, or its share of one. Then it waits for the others.
2. With several processes, `reduce_gradient` sums their gradients.
3. `apply_gradient`: the thread updates its share of the parameters from the sum over all shards.
4. `carry_states`: the next chunk starts from the states at the end of this one. Then the thread waits again.

Every thread sees the same numbers and takes the same decisions, so none needs to tell the others. Nothing is summed by
thread: losses are summed by stream and shard, gradients by shard, the norm by rows of the parameters. The bits
therefore do not depend on the number of threads. A broken barrier ends the call without another update.
"""
# The same in NumPy: `reference/network.py`, `train_step`, and `reference/dropout.py`, `state_resets`.
from libc.math cimport INFINITY, NAN, isfinite, pow, sqrt
from libc.stdint cimport uint32_t
from ..common.interface cimport Network, Training, Workspace, real
from ..network.dropout cimport dropout_key, mix
from ..network.input_tables cimport carry_symbols
from ..network.recurrent_gradient cimport by_rows
from ..network.workspace cimport carry_states, clear_states, clear_stream
from ..products.panels cimport Range
from ..threads.step_poll cimport RELEASE_TILES, is_canceled
from ..threads.thread_group cimport columns_of_thread, wait_for_group
from .chunk cimport loss_and_gradients
from .reduction cimport reduce_gradient
from .team cimport total, wait_for_team
from .update cimport MEASURE, STEP, SUM_SHARDS, gradient_norm, pack_first_dropped, touch_memory, update

cdef enum:
    RESET_PLACE = 0x85EBCA6B  # where `apply_dropout` has layer and time step, which never reach this value


cdef inline void train(Training* run) noexcept nogil:
    """Take `n_steps` steps, or fewer if a loss is not finite or a symbol is unknown."""
    cdef Py_ssize_t step = 0
    cdef int i
    run.progress.steps = 0
    run.progress.norm = NAN
    run.progress.known = True
    run.progress.complete = True
    run.progress.diverged = False
    run.team.next_key = dropout_key(run.dropout_seed, run.schedule.steps_before)
    if run.fresh:
        touch_memory(run)
        wait_for_team(run)
    if run.team.weight_dropout > 0:
        pack_first_dropped(run)
        wait_for_team(run)
    if run.zero_state and run.progress.complete and run.schedule.n_steps:
        for i in range(run.n_shards):
            clear_states(run.weights.net, &run.work[i])
    while step < run.schedule.n_steps and run.progress.complete and take_step(run, step):
        step += 1
    RELEASE_TILES()


cdef inline void gradients_of_chunk(Training* run) noexcept nogil:
    """Compute the losses and gradients of a chunk of the thread's shards, without an update: a call's only step."""
    run.progress.known = True
    run.team.next_key = 0
    compute_gradients(run, 0)
    RELEASE_TILES()


cdef inline bint take_step(Training* run, Py_ssize_t step) noexcept nogil:
    """Train on one chunk; return False if training ends here."""
    cdef double loss
    cdef int i
    compute_gradients(run, step)
    if not wait_for_team(run):
        return False
    loss = total(run.team.losses, run.team.shards) / run.team.streams
    # Here the gradient of the step is complete: each shard's in its own vector. Decisions based on it,
    # whether the loss is finite and how large the norm is, are made after the reduction, alike in every process.
    if run.team.reduce != NULL and not reduce_gradient(run, &loss):
        return False
    if not isfinite(loss):
        run.progress.diverged = True
        return False
    if not apply_gradient(run, step):
        return False
    for i in range(run.n_shards):
        carry_states(run.weights.net, &run.work[i], run.work[i].T)
        carry_symbols(run.weights.net, &run.work[i], run.work[i].x, run.work[i].T)
    run.progress.last_loss = loss
    run.progress.smooth_loss = smoothed(run, loss)
    run.block.position += run.work[0].T
    run.progress.steps = step + 1
    run.poll.ask = NULL  # a signal handler must find the model between two calls, or as it was before the first step
    if not wait_for_team(run):
        return False
    if step + 1 == run.schedule.n_steps and run.clip_norm == INFINITY:
        run.progress.norm = gradient_norm(run)
    return True


cdef inline double smoothed(const Training* run, double loss) noexcept nogil:
    """Return the smoothed loss after a step with this loss."""
    return run.progress.smooth_loss * (1 - run.smoothing) + loss * run.loss_scale * run.smoothing


cdef inline void compute_gradients(Training* run, Py_ssize_t step) noexcept nogil:
    """Back-propagate the next chunk of the thread's shards; a loss is NaN if a symbol is unknown."""
    cdef int i
    cdef double loss
    cdef Workspace* work
    run.team.step_key = run.team.next_key
    run.team.next_key = dropout_key(run.dropout_seed, run.schedule.steps_before + step + 1)
    for i in range(run.n_shards):
        work = &run.work[i]
        if is_canceled(work):
            return
        work.dropout.step_key = run.team.step_key
        work.leaves_dWh = by_rows(run.weights.net) and not wants_gradient(run, step)
        if run.team.state_reset > 0:
            reset_states(run.weights.net, work, run.team.state_reset, run.team.step_key)
        if read_chunk(run, work):
            loss = loss_and_gradients(&run.weights, work, <real>1 / <real>run.team.streams)
        else:
            run.progress.known = False
            loss = NAN
        if work.group.rank == 0:
            run.team.losses[work.shard] = loss


cdef inline bint is_reset(double rate, uint32_t step_key, Py_ssize_t stream) noexcept nogil:
    """Return whether a stream starts a chunk from zeros: a hash decides, as for the masks of `dropout`."""
    return mix(mix(step_key ^ <uint32_t>RESET_PLACE) ^ <uint32_t>stream) >> 8 < <uint32_t>(rate * 16777216.0 + 0.5)


cdef inline void reset_states(const Network* net, const Workspace* work, double rate, uint32_t step_key) noexcept nogil:
    """h[:, 0, b] = c[:, 0, b] = 0 for each reset stream b: the thread's units"""
    cdef Py_ssize_t b
    cdef Range units = columns_of_thread(&work.group, net.dims.H)
    for b in range(work.B):
        if is_reset(rate, step_key, work.dropout.first_stream + b):
            clear_stream(net, work, b, units)
    wait_for_group(&work.group)


cdef inline bint wants_gradient(const Training* run, Py_ssize_t step) noexcept nogil:
    """Return whether a step needs the whole gradient at once: for its norm, or for a reduction."""
    cdef bint last = step + 1 == run.schedule.n_steps
    return last or run.clip_norm < INFINITY or run.team.reduce != NULL or run.team.shards > 1


cdef inline bint read_chunk(const Training* run, Workspace* work) noexcept nogil:
    """x[t, b] = ids[b, position + t] for ids of 1, 2 or 4 bytes; return False if any of them is V or more."""
    cdef Py_ssize_t t, b
    cdef unsigned int v
    cdef unsigned int largest = 0
    cdef const unsigned char* row
    for b in range(work.B):
        row = run.block.ids + (work.dropout.first_stream + b) * run.block.row_stride
        for t in range(work.T + 1):
            v = id_at(row, run.block.id_width, run.block.position + t)
            work.x[t * work.B + b] = <int>v
            largest = max(largest, v)
    return largest < <size_t>run.weights.net.dims.V


cdef inline unsigned int id_at(const unsigned char* row, int width, Py_ssize_t i) noexcept nogil:
    """Return id i of a row of ids of so many bytes."""
    if width == 1:
        return row[i]
    if width == 2:
        return (<const unsigned short*>row)[i]
    return (<const unsigned int*>row)[i]


cdef inline bint apply_gradient(Training* run, Py_ssize_t step) noexcept nogil:
    """Clip by the norm, if limited, and update the parameters; return False if a thread broke the barrier."""
    cdef bint by_norm = run.clip_norm < INFINITY
    cdef bint last = step + 1 == run.schedule.n_steps
    cdef int sum_first = SUM_SHARDS if run.team.reduce == NULL else 0
    run.rule.scale = 1
    if by_norm:
        update(run, sum_first | MEASURE)
        if not wait_for_team(run):
            return False
        run.progress.norm = gradient_norm(run)
        run.rule.scale = min(1.0, run.clip_norm / (run.progress.norm + 1e-6))
    run.rule.learning_rate = run.schedule.rates[step]
    run.rule.correction = 1 - pow(run.rule.beta_1, run.schedule.optimizer_steps + step + 1)
    run.rule.root_correction = sqrt(1 - pow(run.rule.beta_2, run.schedule.optimizer_steps + step + 1))
    if by_norm:
        update(run, STEP)  # the gradient is summed and measured
    else:
        update(run, sum_first | (MEASURE if last else 0) | STEP)
    return True
