"""The update: sum the gradients of the shards, take the optimizer's step, pack the new weights, each thread a share.

A share is some rows of every matrix and some of the biases. The thread that has updated rows packs them at once. Each
shard of the streams has a gradient, shared by the threads of a group. The squares of the summed gradient are kept for
each row and each bias, so that their sum does not depend on the number of threads.
"""
from libc.stdint cimport uint32_t
from libc.math cimport sqrt
from libc.string cimport memcpy, memset
from ..common.interface cimport PAIRS, SYMBOLS, InputTable, Network, Team, Training, Workspace, barrier_is_broken, real
from ..network.dropout cimport apply_mask, weights_key
from ..network.network cimport input_rows, pack_Wh, pack_Wx, pack_Wy
from ..network.recurrent_gradient cimport gradient_rows, pack_dz, room_for_rows
from ..products.panels cimport GRADIENT_ROWS, PER_ELEMENT, Range
from ..threads.step_poll cimport is_over
from ..threads.thread_group cimport own_share, share
from .optimizers cimport step_run
from .team cimport total

cdef extern from "pages.h" nogil:
    const Py_ssize_t TOUCHED_BYTES
    void touch_pages(void*, size_t)

cdef enum:
    BLOCK = 2048  # elements of a gradient, summed over the shards and used while still in the cache

ctypedef struct WeightMask:  # recurrent weights, partly dropped by this step
    uint32_t key
    Py_ssize_t base  # offset of the first

ctypedef struct Pass:  # what to do with each run of elements
    bint add_up  # sum the shards' gradients in the first one
    bint measure  # keep the squares of the summed gradient
    bint step  # update the parameters
    Py_ssize_t* touched  # bytes of optimizer state touched since the last poll; NULL: do not touch it

ctypedef double (*UpdateRun)(Training*, const Pass*, Py_ssize_t, Py_ssize_t, const WeightMask*, real*) noexcept nogil
ctypedef void (*Update)(Training*, const Pass*) noexcept nogil

cdef extern from "vectors.h" nogil:
    void FORGET_VALUE(UpdateRun)
    void FORGET_UPDATE "FORGET_VALUE"(Update)


cdef inline Py_ssize_t squares_size(const Network* net) noexcept nogil:
    """The number of sums of squares: V rows, for each layer 2 H rows and two biases, H rows and a bias.

    Above an embedding the E rows of the first Wx follow, then the rows of pairs.
    """
    return net.V + net.L * (2 * net.H + 2) + net.H + 1 + net.E + net.table[PAIRS].rows


cdef inline Py_ssize_t layer_squares(const Network* net, Py_ssize_t l) noexcept nogil:
    """The start of a layer's sums: of the rows of Wh, of the rows of Wx, of bh and bn."""
    return net.V + l * (2 * net.H + 2)


cdef inline double gradient_norm(const Training* run) noexcept nogil:
    """The norm of the summed gradient, after a pass that measured it."""
    return sqrt(total(run.team.squares, squares_size(run.weights.net)))


cdef inline double sum_of_squares(const real* d, Py_ssize_t n) noexcept nogil:
    """sum(d * d) in double precision, in sixteen partial sums that fit a vector"""
    cdef double part[16]
    cdef double sum_ = 0
    cdef Py_ssize_t i, j
    for j in range(16):
        part[j] = 0
    for i in range(0, n - n % 16, 16):
        for j in range(16):
            part[j] += <double>d[i + j] * d[i + j]
    for i in range(n - n % 16, n):
        part[0] += <double>d[i] * d[i]
    for j in range(16):
        sum_ += part[j]
    return sum_


cdef inline void touch(Training* run, Py_ssize_t* touched, real* a, Py_ssize_t n) noexcept nogil:
    """Touch n elements, polling after every few MB; stop if the step is interrupted."""
    cdef Py_ssize_t bytes_ = n * sizeof(real), done = 0, part
    while done < bytes_ and not barrier_is_broken(run.poll.barrier):
        part = min(bytes_ - done, TOUCHED_BYTES)
        touch_pages(<char*>a + done, part)
        done += part
        touched[0] += part
        if touched[0] >= TOUCHED_BYTES:
            touched[0] = 0
            is_over(&run.poll)


cdef inline double update_run(Training* run, const Pass* todo, Py_ssize_t start, Py_ssize_t stop,
                              const WeightMask* mask, real* d) noexcept nogil:
    """Process elements [start, stop) while they are in the cache; return their squares, if kept.

    `d` is the address of their gradient, if it is not in its usual place.
    """
    cdef Py_ssize_t i = start, j, n
    cdef const real* other
    cdef double squares = 0
    cdef int s
    if todo.touched != NULL:
        touch(run, todo.touched, run.rule.first + start, stop - start)
        if run.rule.second != run.rule.first:
            touch(run, todo.touched, run.rule.second + start, stop - start)
        return 0
    d = run.team.d[0] if d == NULL else d - start
    while i < stop:
        n = min(stop - i, <Py_ssize_t>BLOCK)
        if todo.add_up:
            # d[0] += d[1] + d[2] + …, in this order
            for s in range(1, run.team.shards):
                other = run.team.d[s]
                for j in range(n):
                    d[i + j] += other[i + j]
            if mask != NULL:
                apply_mask(run.team.weight_dropout, mask.key, i - mask.base, n, d + i)
        if todo.measure:
            squares += sum_of_squares(d + i, n)
        if todo.step:
            step_run(&run.rule, run.weights.p, d + i, i, n)
        i += n
    return squares


cdef inline void update_rows(Training* run, const Pass* todo, Py_ssize_t base, Py_ssize_t N, Py_ssize_t squares,
                             Py_ssize_t start, Py_ssize_t stop, const WeightMask* mask=NULL,
                             real* d=NULL) noexcept nogil:
    """Rows [start, stop) of a matrix with N columns that starts at `base`; its first row's squares are at `squares`.

    `d` is the gradient of the rows, if it is not in its usual place; such a gradient is not measured.
    """
    cdef Py_ssize_t r
    cdef UpdateRun update_elements = update_run
    FORGET_VALUE(update_elements)  # its loops are long, and there are many calls
    if not todo.measure:
        update_elements(run, todo, base + start * N, base + stop * N, mask, d)
        return
    for r in range(start, stop):
        run.team.squares[squares + r] = update_elements(run, todo, base + r * N, base + (r + 1) * N, mask, NULL)


cdef inline void update_bias(Training* run, const Pass* todo, Py_ssize_t base, Py_ssize_t n,
                             Py_ssize_t squares) noexcept nogil:
    """A bias of n elements, if it is the thread's turn."""
    if squares % run.team.threads == run.team.rank:
        update_rows(run, todo, base, n, squares, 0, 1)


cdef inline void clear_gradients_of(const Team* team, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """d[start:start + n] = 0 in every shard"""
    cdef int s
    for s in range(team.shards):
        memset(team.d[s] + start, 0, n * sizeof(real))


cdef inline bint occurs_in_any(const Team* team, Py_ssize_t v) noexcept nogil:
    """Whether any shard's chunk reads row v of the input tables, numbered consecutively."""
    cdef int s
    for s in range(team.shards):
        if team.occurs[s][v]:
            return True
    return False


cdef inline bint is_read(const Training* run, const Pass* todo, Py_ssize_t v) noexcept nogil:
    """Whether any chunk reads a row; after a reduction, of any process: see `reduction`."""
    if run.team.reduce != NULL and not todo.add_up:
        return run.team.d[0][run.weights.net.end + v] != 0
    return occurs_in_any(&run.team, v)


cdef inline void update_read_rows(Training* run, const Pass* todo, Py_ssize_t base, Py_ssize_t N, Py_ssize_t squares,
                                  Py_ssize_t flags, Py_ssize_t rows) noexcept nogil:
    """The thread's share of the rows read in a table with N columns; their flags start at `flags`.

    Their gradients are cleared after use.
    """
    cdef const Team* team = &run.team
    cdef Py_ssize_t r
    for r in range(share(rows, team.rank, team.threads), share(rows, team.rank + 1, team.threads)):
        if is_read(run, todo, flags + r):
            update_rows(run, todo, base, N, squares, r, r + 1)
            if todo.step:
                clear_gradients_of(team, base + r * N, N)
        elif todo.measure:
            team.squares[squares + r] = 0


cdef inline void update_table(Training* run, const Pass* todo, int which) noexcept nogil:
    """The thread's share of the rows of an input table: only rows read by the chunk have a gradient.

    A sparse optimizer skips the others, which is exact. A sparse table is large and a chunk reads little of it, so
    every optimizer skips the others, and their part of its state stays unchanged. The rows' gradients are cleared
    after use.
    """
    cdef const Network* net = run.weights.net
    cdef const InputTable* table = &net.table[which]
    cdef const Team* team = &run.team
    cdef Py_ssize_t start = share(table.rows, team.rank, team.threads)
    cdef Py_ssize_t stop = share(table.rows, team.rank + 1, team.threads), N = table.columns
    cdef double rate = run.rule.learning_rate
    if not (run.rule.sparse or table.sparse):
        update_rows(run, todo, table.place, N, 0, start, stop)
        if todo.step:
            clear_gradients_of(team, table.place + start * N, (stop - start) * N)
        return
    run.rule.learning_rate = rate * table.rate
    update_read_rows(run, todo, table.place, N, 0 if which == SYMBOLS else squares_size(net) - table.rows,
                     0 if which == SYMBOLS else net.V, table.rows)
    run.rule.learning_rate = rate


cdef inline Py_ssize_t row_share(Py_ssize_t H, int rank, int parts) noexcept nogil:
    """Like `share`, for packed rows: the rows of one packed element belong to one thread."""
    return min(share((H + 1) // 2, rank, parts) * 2, H)


cdef inline void pack_dropped(Training* run, Py_ssize_t l, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Pack rows of a layer's recurrent weights for the next step; the gradient's memory is free meanwhile."""
    cdef const Network* net = run.weights.net
    cdef real* d = run.team.d[0]
    cdef Py_ssize_t N = net.G * net.H, at = net.layer[l].Wh + start * N, n = (stop - start) * N
    memcpy(d + at, run.weights.p + at, n * sizeof(real))
    apply_mask(run.team.weight_dropout, weights_key(run.team.next_key, l), start * N, n, d + at)
    pack_Wh(net, d, l, start, stop, run.weights.panels)


cdef inline void pack_first_dropped(Training* run) noexcept nogil:
    """The thread's share of `pack_dropped` before the first step, which has had no update."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t l, start = row_share(net.H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(net.H, run.team.rank + 1, run.team.threads)
    for l in range(net.L):
        pack_dropped(run, l, start, stop)


cdef inline void update_recurrent(Training* run, const Pass* todo, Py_ssize_t l, Py_ssize_t start,
                                  Py_ssize_t stop) noexcept nogil:
    """Rows [start, stop) of a layer's Wh, whose gradient has the mask of this step's weight dropout.

    A gradient left to the update is computed a few rows at a time, which stay in the cache meanwhile: from the
    last rows, which the backward pass read last, to the first rows, where the next forward pass starts.
    """
    cdef const Network* net = run.weights.net
    cdef const Workspace* work = &run.work[0]
    cdef bint dropping = run.team.weight_dropout > 0, computed = PER_ELEMENT == 1 and todo.step and work.leaves_dWh
    cdef Py_ssize_t r = stop, rows = GRADIENT_ROWS if computed else stop - start
    cdef real* d = room_for_rows(net, work) if computed else NULL
    cdef WeightMask mask
    mask.key, mask.base = weights_key(run.team.step_key, l), net.layer[l].Wh
    if computed:
        pack_dz(net, work, l)
    while r > start:
        r -= rows
        if computed:
            gradient_rows(net, work, l, r, d)
        update_rows(run, todo, mask.base, net.G * net.H, layer_squares(net, l), r, r + rows,
                    &mask if dropping else NULL, d)
    if todo.step and dropping:
        pack_dropped(run, l, start, stop)
    elif todo.step:
        pack_Wh(net, run.weights.p, l, start, stop, run.weights.panels)


cdef inline void update_input_weights(Training* run, const Pass* todo, Py_ssize_t l) noexcept nogil:
    """The thread's share of the rows of a layer's Wx, for the first layer only above an embedding."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t H = net.H, rows = input_rows(net, l)
    cdef Py_ssize_t squares = layer_squares(net, l) + H if l else layer_squares(net, net.L) + H + 1
    cdef Py_ssize_t start = row_share(rows, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(rows, run.team.rank + 1, run.team.threads)
    update_rows(run, todo, net.layer[l].Wx, net.G * H, squares, start, stop)
    if todo.step:
        pack_Wx(net, run.weights.p, l, start, stop, run.weights.panels)


cdef inline void update(Training* run, const Pass* todo) noexcept nogil:
    """One pass over the thread's share of everything."""
    cdef Update once = update_share
    FORGET_UPDATE(once)
    once(run, todo)


cdef inline void update_share(Training* run, const Pass* todo) noexcept nogil:
    """The body of `update`, compiled once rather than for each kind of pass."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t l, at, H = net.H, N = net.G * H
    cdef Py_ssize_t start = row_share(H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(H, run.team.rank + 1, run.team.threads)
    update_table(run, todo, PAIRS)
    update_table(run, todo, SYMBOLS)
    for l in range(net.L):
        at = layer_squares(net, l)
        if l or net.E:
            update_input_weights(run, todo, l)
        update_recurrent(run, todo, l, start, stop)
        update_bias(run, todo, net.layer[l].bh, N, at + 2 * H)
        if net.layer[l].bn >= 0:
            update_bias(run, todo, net.layer[l].bn, H, at + 2 * H + 1)
    at = layer_squares(net, net.L)
    update_rows(run, todo, net.Wy, net.V, at, start, stop)
    if todo.step:
        pack_Wy(net, run.weights.p, start, stop, run.weights.panels)
    update_bias(run, todo, net.by, net.V, at + H)


cdef inline void touch_memory(Training* run) noexcept nogil:
    """Touch the thread's share of the optimizer state, and of the gradients of the shards that it works on.

    The first update, which cannot be interrupted, then takes no longer than others. Rows of symbols that a sparse
    optimizer skips stay untouched.
    """
    cdef const Network* net = run.weights.net
    cdef int i
    cdef Py_ssize_t touched = 0
    cdef const InputTable* symbols = &net.table[SYMBOLS]
    cdef Py_ssize_t first = symbols.place + symbols.rows * symbols.columns if run.rule.sparse else 0
    cdef Range own
    cdef Pass todo = Pass(False, False, False, &touched)
    update(run, &todo)
    for i in range(run.own_shards):
        own = own_share(&run.work[i].group, net.end - first)
        touch(run, &touched, run.work[i].d + first + own.first, own.count)
