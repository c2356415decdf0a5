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
from ..threads.thread_group cimport share_of_thread, share
from .optimizers cimport step_run
from .team cimport total

cdef extern from "pages.h" nogil:
    const Py_ssize_t TOUCHED_BYTES
    void touch_pages(void*, size_t)

cdef enum:
    BLOCK = 2048  # elements of a gradient, summed over the shards and used while still in the cache

cdef enum:  # what a pass over the parameters does with each run of elements: one of these, or several, in this order
    TOUCH = 1  # touch the optimizer state, and nothing else
    SUM_SHARDS = 2  # sum the shards' gradients in the first one
    MEASURE = 4  # keep the squares of the summed gradient
    STEP = 8  # update the parameters and pack them

ctypedef struct Matrix:  # rows of neighboring elements in the flat vectors; a bias is one row
    Py_ssize_t place  # offset of its first row
    Py_ssize_t columns
    Py_ssize_t squares  # the number of its first row's sum of squares; the other rows' sums follow

ctypedef struct WeightMask:  # recurrent weights, partly dropped by this step
    uint32_t key
    Py_ssize_t base  # offset of the first

ctypedef double (*UpdateRun)(Training*, int, Py_ssize_t, Py_ssize_t, const WeightMask*, real*) noexcept nogil
ctypedef void (*Update)(Training*, int) noexcept nogil

cdef extern from "vectors.h" nogil:
    void FORGET_VALUE(UpdateRun)
    void FORGET_UPDATE "FORGET_VALUE"(Update)


# ------------------------------------------------------------------------------------------------- sums of squares


cdef inline Py_ssize_t squares_size(const Network* net) noexcept nogil:
    """Return the number of sums of squares: V rows, for each layer 2 H rows and two biases, H rows and a bias.

    Above an embedding the E rows of the first Wx follow, then the rows of pairs.
    """
    return pair_squares(net) + net.inputs.table[PAIRS].rows


cdef inline Py_ssize_t layer_squares(const Network* net, Py_ssize_t l) noexcept nogil:
    """Return the start of a layer's sums: of the rows of Wh, of the rows of Wx, of bh and bn."""
    return net.dims.V + l * (2 * net.dims.H + 2)


cdef inline Py_ssize_t embedding_squares(const Network* net) noexcept nogil:
    """Return the start of the sums of the rows of Wx above an embedding; they follow the decoder's."""
    return layer_squares(net, net.dims.L) + net.dims.H + 1


cdef inline Py_ssize_t pair_squares(const Network* net) noexcept nogil:
    """Return the start of the sums of the rows of pairs."""
    return embedding_squares(net) + net.dims.E


cdef inline double gradient_norm(const Training* run) noexcept nogil:
    """Return the norm of the summed gradient, after a pass that measured it."""
    return sqrt(total(run.team.squares, squares_size(run.weights.net)))


cdef inline double sum_of_squares(const real* d, Py_ssize_t n) noexcept nogil:
    """Return sum(d * d) in double precision, from sixteen partial sums that fit a vector."""
    cdef double part[16]
    cdef double sum_ = 0
    cdef Py_ssize_t whole = n - n % 16
    cdef Py_ssize_t i, j
    for j in range(16):
        part[j] = 0
    for i in range(0, whole, 16):
        for j in range(16):
            part[j] += <double>d[i + j] * d[i + j]
    for i in range(whole, n):
        part[0] += <double>d[i] * d[i]
    for j in range(16):
        sum_ += part[j]
    return sum_


# ------------------------------------------------------------------------------------------------- runs of elements


cdef inline void touch(Training* run, real* a, Py_ssize_t n) noexcept nogil:
    """Touch n elements, polling after every few MB; stop if the step is interrupted."""
    cdef Py_ssize_t size = n * sizeof(real)
    cdef Py_ssize_t done = 0
    cdef Py_ssize_t part
    while done < size and not barrier_is_broken(run.poll.barrier):
        part = min(size - done, TOUCHED_BYTES)
        touch_pages(<char*>a + done, part)
        done += part
        run.touched += part
        if run.touched >= TOUCHED_BYTES:
            run.touched = 0
            is_over(&run.poll)


cdef inline double update_run(Training* run, int todo, Py_ssize_t start, Py_ssize_t stop, const WeightMask* mask,
                              real* d) noexcept nogil:
    """Process elements [start, stop) while they are in the cache; return their squares, if kept.

    `d` is the address of their gradient, if it is not in its usual place.
    """
    cdef Py_ssize_t i = start
    cdef Py_ssize_t n
    cdef double squares = 0
    if todo & TOUCH:
        touch(run, run.rule.first + start, stop - start)
        if run.rule.second != run.rule.first:
            touch(run, run.rule.second + start, stop - start)
        return 0
    d = run.team.d[0] if d == NULL else d - start
    while i < stop:
        n = min(stop - i, <Py_ssize_t>BLOCK)
        if todo & SUM_SHARDS:
            add_shards(&run.team, i, n, d + i)
            if mask != NULL:
                apply_mask(run.team.weight_dropout, mask.key, i - mask.base, n, d + i)
        if todo & MEASURE:
            squares += sum_of_squares(d + i, n)
        if todo & STEP:
            step_run(&run.rule, run.weights.p, d + i, i, n)
        i += n
    return squares


cdef inline void add_shards(const Team* team, Py_ssize_t start, Py_ssize_t n, real* d) noexcept nogil:
    """d += d[1] + d[2] + …, in this order: n elements of the other shards' gradients from `start`"""
    cdef const real* other
    cdef Py_ssize_t j
    cdef int s
    for s in range(1, team.shards):
        other = team.d[s] + start
        for j in range(n):
            d[j] += other[j]


cdef inline void update_rows(Training* run, int todo, Matrix matrix, Py_ssize_t start, Py_ssize_t stop,
                             const WeightMask* mask=NULL, real* d=NULL) noexcept nogil:
    """Process rows [start, stop) of a matrix.

    `d` is the gradient of the rows, if it is not in its usual place; such a gradient is not measured.
    """
    cdef Py_ssize_t N = matrix.columns
    cdef Py_ssize_t r, first
    cdef UpdateRun update_elements = update_run
    FORGET_VALUE(update_elements)  # its loops are long, and there are many calls
    if not todo & MEASURE:
        update_elements(run, todo, matrix.place + start * N, matrix.place + stop * N, mask, d)
        return
    for r in range(start, stop):
        first = matrix.place + r * N
        run.team.squares[matrix.squares + r] = update_elements(run, todo, first, first + N, mask, NULL)


cdef inline void update_bias(Training* run, int todo, Py_ssize_t place, Py_ssize_t n,
                             Py_ssize_t squares) noexcept nogil:
    """Process a bias of n elements, if it is the thread's turn."""
    if squares % run.team.threads == run.team.rank:
        update_rows(run, todo, Matrix(place, n, squares), 0, 1)


# ------------------------------------------------------------------------------------------------- input tables


cdef inline void clear_gradients_of(const Team* team, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """d[start:start + n] = 0 in every shard"""
    cdef int s
    for s in range(team.shards):
        memset(team.d[s] + start, 0, n * sizeof(real))


cdef inline bint occurs_in_any(const Team* team, Py_ssize_t v) noexcept nogil:
    """Return whether any shard's chunk reads row v of the input tables, numbered consecutively."""
    cdef int s
    for s in range(team.shards):
        if team.occurs[s][v]:
            return True
    return False


cdef inline bint is_read(const Training* run, int todo, Py_ssize_t v) noexcept nogil:
    """Return whether any chunk reads a row; after a reduction, of any process: see `reduction`."""
    if run.team.reduce != NULL and not todo & SUM_SHARDS:
        return run.team.d[0][run.weights.net.n_weights + v] != 0
    return occurs_in_any(&run.team, v)


cdef inline void update_read_rows(Training* run, int todo, Matrix table, Py_ssize_t rows,
                                  Py_ssize_t first_flag) noexcept nogil:
    """Process the rows read in the thread's share of a table; row r has the flag first_flag + r.

    Their gradients are cleared after use.
    """
    cdef const Team* team = &run.team
    cdef Py_ssize_t start = share(rows, team.rank, team.threads)
    cdef Py_ssize_t stop = share(rows, team.rank + 1, team.threads)
    cdef Py_ssize_t r
    for r in range(start, stop):
        if is_read(run, todo, first_flag + r):
            update_rows(run, todo, table, r, r + 1)
            if todo & STEP:
                clear_gradients_of(team, table.place + r * table.columns, table.columns)
        elif todo & MEASURE:
            team.squares[table.squares + r] = 0


cdef inline void update_all_rows(Training* run, int todo, Matrix table, Py_ssize_t rows) noexcept nogil:
    """Process the thread's share of a table's rows, whether or not they were read; clear gradients after use."""
    cdef const Team* team = &run.team
    cdef Py_ssize_t start = share(rows, team.rank, team.threads)
    cdef Py_ssize_t stop = share(rows, team.rank + 1, team.threads)
    update_rows(run, todo, table, start, stop)
    if todo & STEP:
        clear_gradients_of(team, table.place + start * table.columns, (stop - start) * table.columns)


cdef inline void update_table(Training* run, int todo, int which) noexcept nogil:
    """Process the thread's share of an input table: only rows read by the chunk have a gradient.

    A sparse optimizer skips the others, which is exact. A sparse table is large and a chunk reads little of it, so
    every optimizer skips the others, and their part of its state stays unchanged. The rows' gradients are cleared
    after use.
    """
    cdef const Network* net = run.weights.net
    cdef const InputTable* table = &net.inputs.table[which]
    cdef double rate = run.rule.learning_rate
    cdef Matrix matrix = Matrix(table.place, table.columns, 0)
    cdef Py_ssize_t first_flag = 0
    if which == PAIRS:
        matrix.squares = pair_squares(net)
        first_flag = net.dims.V
    if not (run.rule.sparse or table.sparse):
        update_all_rows(run, todo, matrix, table.rows)
        return
    run.rule.learning_rate = rate * table.rate
    update_read_rows(run, todo, matrix, table.rows, first_flag)
    run.rule.learning_rate = rate


# ------------------------------------------------------------------------------------------------- matrices


cdef inline Py_ssize_t row_share(Py_ssize_t H, int rank, int parts) noexcept nogil:
    """Return the start of a thread's share of H packed rows: the rows of one packed element belong to one thread."""
    return min(share((H + 1) // 2, rank, parts) * 2, H)


cdef inline void pack_dropped(Training* run, Py_ssize_t l, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Pack rows of a layer's recurrent weights for the next step; the gradient's memory is free meanwhile."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t place = net.layer[l].Wh + start * N
    cdef Py_ssize_t n = (stop - start) * N
    cdef real* d = run.team.d[0]
    memcpy(d + place, run.weights.p + place, n * sizeof(real))
    apply_mask(run.team.weight_dropout, weights_key(run.team.next_key, l), start * N, n, d + place)
    pack_Wh(net, d, l, start, stop, run.weights.panels)


cdef inline void pack_first_dropped(Training* run) noexcept nogil:
    """Do the thread's share of `pack_dropped` before the first step, which has had no update."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t start = row_share(net.dims.H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(net.dims.H, run.team.rank + 1, run.team.threads)
    cdef Py_ssize_t l
    for l in range(net.dims.L):
        pack_dropped(run, l, start, stop)


cdef inline void update_recurrent(Training* run, int todo, Py_ssize_t l, Py_ssize_t start,
                                  Py_ssize_t stop) noexcept nogil:
    """Process rows [start, stop) of a layer's Wh, whose gradient has the mask of this step's weight dropout."""
    cdef const Network* net = run.weights.net
    cdef Matrix Wh = Matrix(net.layer[l].Wh, net.dims.G * net.dims.H, layer_squares(net, l))
    cdef bint dropping = run.team.weight_dropout > 0
    cdef WeightMask mask
    mask.key = weights_key(run.team.step_key, l)
    mask.base = Wh.place
    if PER_ELEMENT == 1 and todo & STEP and run.work[0].leaves_dWh:
        update_by_rows(run, todo, l, Wh, start, stop, &mask if dropping else NULL)
    else:
        update_rows(run, todo, Wh, start, stop, &mask if dropping else NULL)
    if todo & STEP and dropping:
        pack_dropped(run, l, start, stop)
    elif todo & STEP:
        pack_Wh(net, run.weights.p, l, start, stop, run.weights.panels)


cdef inline void update_by_rows(Training* run, int todo, Py_ssize_t l, Matrix Wh, Py_ssize_t start, Py_ssize_t stop,
                                const WeightMask* mask) noexcept nogil:
    """Process rows [start, stop) of a layer's Wh, whose gradient is left to the update: compute it a few rows at a
    time, which stay in the cache meanwhile.

    From the last rows, which the backward pass read last, to the first rows, where the next forward pass starts.
    """
    cdef const Network* net = run.weights.net
    cdef const Workspace* work = &run.work[0]
    cdef real* d = room_for_rows(net, work)
    cdef Py_ssize_t r = stop
    pack_dz(net, work, l)
    while r > start:
        r -= GRADIENT_ROWS
        gradient_rows(net, work, l, r, d)
        update_rows(run, todo, Wh, r, r + GRADIENT_ROWS, mask, d)


cdef inline void update_input_weights(Training* run, int todo, Py_ssize_t l) noexcept nogil:
    """Process the thread's share of the rows of a layer's Wx, for the first layer only above an embedding."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t rows = input_rows(net, l)
    cdef Py_ssize_t start = row_share(rows, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(rows, run.team.rank + 1, run.team.threads)
    cdef Matrix Wx = Matrix(net.layer[l].Wx, net.dims.G * net.dims.H, embedding_squares(net))
    if l:
        Wx.squares = layer_squares(net, l) + net.dims.H
    update_rows(run, todo, Wx, start, stop)
    if todo & STEP:
        pack_Wx(net, run.weights.p, l, start, stop, run.weights.panels)


cdef inline void update_decoder(Training* run, int todo, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    """Process rows [start, stop) of Wy, and by if it is the thread's turn."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t squares = layer_squares(net, net.dims.L)
    update_rows(run, todo, Matrix(net.decoder.Wy, net.dims.V, squares), start, stop)
    if todo & STEP:
        pack_Wy(net, run.weights.p, start, stop, run.weights.panels)
    update_bias(run, todo, net.decoder.by, net.dims.V, squares + net.dims.H)


# ------------------------------------------------------------------------------------------------- everything


cdef inline void update(Training* run, int todo) noexcept nogil:
    """Make one pass over the thread's share of everything; `todo` is what it does, such as MEASURE | STEP."""
    cdef Update once = update_share
    FORGET_UPDATE(once)
    once(run, todo)


cdef inline void update_share(Training* run, int todo) noexcept nogil:
    """The body of `update`, compiled once rather than for each kind of pass."""
    cdef const Network* net = run.weights.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t start = row_share(H, run.team.rank, run.team.threads)
    cdef Py_ssize_t stop = row_share(H, run.team.rank + 1, run.team.threads)
    cdef Py_ssize_t l, bias_squares
    update_table(run, todo, PAIRS)
    update_table(run, todo, SYMBOLS)
    for l in range(net.dims.L):
        bias_squares = layer_squares(net, l) + 2 * H
        if l or net.dims.E:
            update_input_weights(run, todo, l)
        update_recurrent(run, todo, l, start, stop)
        update_bias(run, todo, net.layer[l].bh, net.dims.G * H, bias_squares)
        if net.layer[l].bn >= 0:
            update_bias(run, todo, net.layer[l].bn, H, bias_squares + 1)
    update_decoder(run, todo, start, stop)


cdef inline void touch_memory(Training* run) noexcept nogil:
    """Touch the thread's share of the optimizer state, and of the gradients of the shards that it works on.

    The first update, which cannot be interrupted, then takes no longer than others. Rows of symbols that a sparse
    optimizer skips stay untouched.
    """
    cdef const Network* net = run.weights.net
    cdef const InputTable* symbols = &net.inputs.table[SYMBOLS]
    cdef Py_ssize_t first = 0
    cdef Range part
    cdef int i
    run.touched = 0
    if run.rule.sparse:
        first = symbols.place + symbols.rows * symbols.columns
    update(run, TOUCH)
    for i in range(run.n_shards):
        part = share_of_thread(&run.work[i].group, net.n_weights - first)
        touch(run, run.work[i].d + first + part.first, part.count)
