"""The doors to the kernels: what Python calls. Shapes are checked here, once; behind a door of training,
sampling or scoring nothing holds the GIL.

Built once for each instruction set from this one source (see setup.py); `crnn._kernels` picks the build.
Everything behind the doors is in the .pxd files: `network` (where everything lies), `chunk` (one chunk forward and
back), `layer_input`, `rnn`, `gru`, `lstm` (the cells), `decoder`, `row_products`, `panels`, `edges` and `blas`
(products), `softmax`, `dropout`, `boundary`, `elementwise`; for training `crew`, `update` and `optimizers`; for
inference `inference_step`, `sampler` and `draws`, `texts` and `pcg64`, `strings`.
"""
from cython cimport floating
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, NAN, isfinite, pow, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy
from . cimport elementwise
from .chunk cimport (Chunk, block_steps, carry_states, chunk_of, chunk_scratch, clear_states, layers_forward,
                     loss_and_gradients)
from .crew cimport spin_barrier, spin_barrier_break, spin_barrier_wait
from .decoder cimport decode
from .draws cimport Steering, draw
from .dropout cimport Dropout, drop_out, drop_run, dropout_key, weights_key
from .inference_step cimport move_on, prepare_draw, put_back
from .network cimport GRU, LSTM, MAX_LAYERS, RNN, pack_network, place_panels
from .network cimport Network as NetworkPlaces
from .optimizers cimport ADAGRAD, ADAM, RMSPROP, Rule
from .panels cimport STRIP_VECTORS, TILE_VECTORS, Columns, multiply_panels, pack, pack_transposed, packed_elements
from .pcg64 cimport Wide, multiplied, next_uniform, wide
from .sampler cimport Controls as ControlNumbers
from .sampler cimport block_count
from .sampler cimport filter_logits as filter_row
from .softmax cimport log_softmax_at
from .strings cimport read_strings
from .texts cimport Texts, draw_texts
from .update cimport MAX_SHARDS, Pass, Team, pack_first_dropped, update

MANY_ROWS = 64
"""From so many rows of a chunk on, packing a matrix for them pays; for the way back it always does."""

cdef extern from "denormals.h" nogil:
    ctypedef unsigned long long float_mode
    float_mode flush_denormals()
    void restore_denormals(float_mode)


cdef inline int widest(bint one_row) noexcept nogil:
    """The most vectors in a panel of a matrix that is packed for products with one row, or with many."""
    return STRIP_VECTORS if one_row else TILE_VECTORS


cdef class Network:
    """A network's layout as the kernels see it: offsets into the flat weights and into the packed ones.

    `units` and `symbols`: those of the layout's that are not padding, by default all of them.
    `one_row`: the recurrence has one stream only. `many`: the products over the rows of a chunk use packed weights, not
    only on the way back; `one_row_products`: which are then packed for a single row as well. `training`: both orders
    are packed.
    `boundary`: the symbol at which a stream starts from zeros, if there is one. `members`: of a crew that trains it.
    """
    cdef NetworkPlaces net
    cdef readonly Py_ssize_t itemsize

    def __init__(self, layout, *, bint one_row, bint many, bint training, bint one_row_products=False,
                 units=None, symbols=None, boundary=None, int members=1):
        cdef NetworkPlaces* net = &self.net
        cdef Py_ssize_t l, per_layer
        if layout.num_layers > MAX_LAYERS:
            raise ValueError(f"{layout.num_layers} layers: at most {MAX_LAYERS}")
        if members < 1 or members > 1 and not many:
            raise ValueError(f"a crew of {members}: one thread at least, and with few rows only one")
        net.cell = {"rnn": RNN, "gru": GRU, "lstm": LSTM}[layout.cell]
        net.L, net.H, net.V = layout.num_layers, layout.hidden_size, layout.vocab_size
        net.units = net.H if units is None else units
        net.symbols = net.V if symbols is None else symbols
        net.boundary = -1 if boundary is None else boundary
        if not (1 <= net.units <= net.H and 1 <= net.symbols <= net.V and -1 <= net.boundary < net.symbols):
            raise ValueError(f"{units} of {net.H} units, {symbols} of {net.V} symbols, boundary {boundary}: do not fit")
        net.G = layout.kind.gates
        net.Z = {RNN: 1, GRU: 4, LSTM: 5}[net.cell]
        net.many, net.training, net.members = many, training, members
        net.most, net.most_rows = widest(one_row), widest(one_row_products)
        per_layer = 4 if layout.kind.separate_bias else 3
        for l in range(net.L):
            places = layout.offsets[per_layer * l:]
            net.layer[l].Wx, net.layer[l].Wh, net.layer[l].bh = places[0], places[1], places[2]
            net.layer[l].bn = places[3] if layout.kind.separate_bias else -1
        net.Wy, net.by = layout.offsets[per_layer * net.L], layout.offsets[per_layer * net.L + 1]
        net.end = layout.size
        self.itemsize = layout.dtype.itemsize
        if self.itemsize == sizeof(float):
            place_panels[float](net, NULL)
        else:
            place_panels[double](net, NULL)

    @property
    def boundary(self):
        """The symbol at which a stream starts from zeros, an int; None if there is none."""
        return self.net.boundary if self.net.boundary >= 0 else None

    @property
    def panels_size(self) -> int:
        """Elements of the packed weights."""
        return self.net.panels_end


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


cdef class Controls:
    """What is done to logits before a draw, beside the temperature; see `sampler` for the numbers."""
    cdef ControlNumbers numbers

    def __init__(self, *, double penalty, Py_ssize_t top_k, double top_p, double min_p):
        self.numbers.penalty, self.numbers.top_k = penalty, top_k
        self.numbers.top_p, self.numbers.min_p = top_p, min_p


cdef class Barrier:
    """Where the threads of one training call, or of one crew in it, meet; `parties` of them.

    `crowded`: there are more threads than cores, and who waits should make room for another one.
    """
    cdef spin_barrier barrier

    def __cinit__(self, long parties, bint crowded=False):
        self.barrier.parties = parties
        self.barrier.arrived = 0
        self.barrier.generation = 0
        self.barrier.broken = 0
        self.barrier.crowded = crowded

    def break_(self):
        """Let those who wait go: someone will not come. Their call of `train` ends without another update."""
        spin_barrier_break(&self.barrier)


cdef class Cursor:
    """Where training stands: the next chunk's position in the block, steps done, the smoothed and the last loss.

    `diverged`: whether the last call ended because a loss was not finite.

    `optimizer_start` is how many steps had been done when the optimiser's memory was zero; `gradient_norm` that of the
    last step of the last call, before clipping.
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
        """Where it stands now."""
        cdef Cursor other = Cursor(self.position, self.n_steps, self.smooth_loss, self.last_loss, self.optimizer_start,
                                   self.gradient_norm)
        other.diverged = self.diverged
        return other


def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize) -> int:
    """Elements of a matrix (K, N) packed in panels, whose elements have `itemsize` bytes."""
    return packed_elements[float](NULL, K, N) if itemsize == sizeof(float) else packed_elements[double](NULL, K, N)


def own_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that `train` wants of each member of a crew for itself."""
    cdef NetworkPlaces* net = &network.net
    return {
        "cut": (2 if net.boundary >= 0 else 0, B, net.ldg),
        "scratch": (chunk_scratch[float](net, T, B, NULL) if network.itemsize == sizeof(float)
                    else chunk_scratch[double](net, T, B, NULL),),
    }


def workspace(Network network not None, Py_ssize_t T, Py_ssize_t B, bint dropout) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that `train` wants of a shard of B streams."""
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t L = net.L, H = net.H
    return {
        "h": (L, T + 1, B, H),
        "c": (L, T + 1 if net.cell == LSTM else 0, B, H),
        "gates": (L, block_steps(T, B) + 1 if net.cell == RNN else T, B, net.ldg),
        "dropped": (L, T if dropout else 0, B, H),
        "y": (T, B, net.V),
        "dh": (0 if net.cell == RNN else block_steps(T, B), B, H),
        "carry": (L, B, H),
    }


def pack_panels(const floating[:, ::1] W, bint transposed, bint one_row, floating[::1] panels):
    """Pack W, or its transpose, for products with one row or with many."""
    cdef Py_ssize_t rows = W.shape[0], columns = W.shape[1]
    cdef int most = widest(one_row)
    _same("panels", panels.shape[0], packed_size(columns, rows, sizeof(floating)) if transposed else
          packed_size(rows, columns, sizeof(floating)))
    with nogil:
        if transposed:
            pack_transposed(&W[0, 0], columns, rows, most, 0, rows, &panels[0])
        else:
            pack(&W[0, 0], rows, columns, columns, most, 0, rows, &panels[0])


def multiply(const floating[:, ::1] a, const floating[::1] panels, bint one_row, floating[:, ::1] c, int times=1):
    """c += a @ W for the W packed in `panels`; so many times, as a recurrence multiplies (for measuring)."""
    cdef int i
    _same("rows of a", a.shape[0], c.shape[0])
    _same("panels", panels.shape[0], packed_size(a.shape[1], c.shape[1], sizeof(floating)))
    with nogil:
        for i in range(times):
            multiply_panels(a.shape[0], a.shape[1], c.shape[1], &a[0, 0], a.shape[1], &panels[0], widest(one_row),
                            &c[0, 0], c.shape[1], i & 1)


def pack_weights(Network network not None, const floating[::1] params, floating[::1] panels):
    """Pack all of a network's weights that are multiplied by in panels."""
    _fits(network, params, panels)
    with nogil:
        pack_network(&network.net, &params[0], &panels[0])


def multiply_by_mask(floating[:, :, ::1] a, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer,
                     Py_ssize_t first_stream):
    """a *= mask for the outputs a (T, B, H) of a layer in a training step; see `dropout`."""
    cdef Dropout drop
    drop.rate, drop.step_key, drop.first_stream = rate, dropout_key(seed, step), first_stream
    if a.shape[0] * a.shape[1] * a.shape[2]:
        with nogil:
            drop_out(&drop, layer, 0, a.shape[0], a.shape[1], a.shape[2], Columns(0, a.shape[2]), &a[0, 0, 0])


def multiply_by_weight_mask(floating[::1] w, double rate, uint64_t seed, uint64_t step, Py_ssize_t layer,
                            Py_ssize_t first=0):
    """w *= mask for a layer's recurrent weights from number `first` on in a training step; see `dropout`."""
    if w.shape[0]:
        drop_run(rate, weights_key(dropout_key(seed, step), layer), first, w.shape[0], &w[0])


def space_streams(uint64_t[:, ::1] states, const uint64_t[::1] multiplier, const uint64_t[::1] plus):
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


def uniforms(uint64_t[:, ::1] states, const uint64_t[::1] increment, double[:, ::1] out):
    """out[t, i] = the next number in [0, 1) of stream i, whose state moves on; see `pcg64`."""
    cdef Py_ssize_t t, i
    _same("halves of a state", states.shape[1], 2)
    _same("halves of an increment", increment.shape[0], 2)
    _same("streams of output", out.shape[1], states.shape[0])
    with nogil:
        for i in range(states.shape[0]):
            for t in range(out.shape[0]):
                out[t, i] = next_uniform(&states[i, 0], wide(&increment[0]))


def exp(floating[::1] x):
    """x = exp(x)"""
    if x.shape[0]:
        elementwise.exp_array(&x[0], x.shape[0])


def tanh(floating[::1] x):
    """x = tanh(x)"""
    if x.shape[0]:
        elementwise.tanh_array(&x[0], x.shape[0])


def sigmoid(floating[::1] x):
    """x = 1 / (1 + exp(-x))"""
    if x.shape[0]:
        elementwise.sigmoid_array(&x[0], x.shape[0])


def rsqrt(floating[::1] x):
    """x = 1 / sqrt(x)"""
    if x.shape[0]:
        elementwise.rsqrt_array(&x[0], x.shape[0])


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


cdef inline int read_chunk(const unsigned char* ids, int width, Py_ssize_t V, Py_ssize_t row_stride,
                           Py_ssize_t position, int[:, ::1] x) noexcept nogil:
    """x[t, b] = ids[b, position + t] for ids of 1, 2 or 4 bytes; 0 if one of them is not below V.

    Rows begin `row_stride` bytes apart.
    """
    cdef Py_ssize_t t, b
    cdef unsigned int v, largest = 0
    cdef const unsigned char* row
    for b in range(x.shape[1]):
        row = ids + b * row_stride
        for t in range(x.shape[0]):
            if width == 1:
                v = row[position + t]
            elif width == 2:
                v = (<const unsigned short*>row)[position + t]
            else:
                v = (<const unsigned int*>row)[position + t]
            x[t, b] = <int>v
            largest = max(largest, v)
    return largest < <size_t>V


cdef inline floating* begin(floating[:, :, :, ::1] a) noexcept nogil:
    """The first element of an array; NULL if it has none."""
    return &a[0, 0, 0, 0] if a.shape[0] * a.shape[1] * a.shape[2] * a.shape[3] else NULL


def _fits(Network network, const floating[::1] params, const floating[::1] panels):
    if network.itemsize != sizeof(floating):
        raise ValueError(f"weights of {sizeof(floating)} bytes: the network's have {network.itemsize}")
    _same("parameters", params.shape[0], network.net.end)
    _same("packed weights", panels.shape[0], network.net.panels_end)


def _shaped(str what, array, tuple wanted):
    if array.shape != wanted:
        raise ValueError(f"{what}: shape {array.shape}, but size {wanted} is wanted")


def train(Network network not None, floating[::1] params, list memory not None, floating[::1] panels,
          const unsigned char[:, :] ids, int id_width, bint zero_state, list shards not None, int rank,
          Barrier barrier not None, double[::1] losses, double[::1] norms, Cursor cursor not None, double loss_scale,
          const double[::1] rates, Optimizer optimizer not None, double dropout, double weight_dropout,
          uint64_t dropout_seed):
    """Train on a chunk for each of the learning rates, as thread `rank` of those of all shards; all call this alike.

    Each shard is a group of neighbouring streams with its own gradient and workspace, and the crew that works on it. In
    a step every thread back-propagates its shard, or its share of that, meets the others, updates its share of the
    parameters from the sum over all shards, and meets them again. Every thread sees the same numbers and so takes the
    same decisions; the first one moves the cursor at the end. When a loss is not finite its update is not made, and
    the cursor says `diverged`.

    `ids` are the bytes of a block of symbols, a row for each stream, which the chunks read from `cursor.position` on; a
    row must hold them all, since nothing is read anew. `zero_state`: the first chunk starts from zero states.

    With weight dropout the packed weights are at the end those that the next step would
    have.
    """
    cdef NetworkPlaces* net = &network.net
    cdef floating* d[MAX_SHARDS]
    cdef Team team
    cdef int n_shards = len(shards), members = net.members, n_threads = n_shards * members
    if n_shards > MAX_SHARDS:
        raise ValueError(f"{n_shards} shards: at most {MAX_SHARDS}")
    if not 0 <= rank < n_threads:
        raise ValueError(f"thread {rank} of {n_threads}")
    _fits(network, params, panels)
    _same("optimiser memories", len(memory), 2 if optimizer.kind == ADAM else 1)
    cdef floating[::1] flat, first_memory = memory[0], second_memory = memory[len(memory) - 1]
    cdef int[:, ::1] x
    cdef Py_ssize_t all_streams = 0
    cdef int s
    _same("optimiser memory", first_memory.shape[0], net.end)
    _same("optimiser memory", second_memory.shape[0], net.end)
    for s in range(n_shards):
        flat = shards[s].gradient
        _same("gradient", flat.shape[0], net.end)
        _same("members of a crew", len(shards[s].crew), members)
        x = shards[s].crew[0].x
        d[s] = &flat[0]
        team.x[s] = &x[0, 0]
        team.symbols[s] = (x.shape[0] - 1) * x.shape[1]
        all_streams += x.shape[1]

    shard = shards[rank // members]
    own = shard.crew[rank % members]
    x = own.x
    cdef Py_ssize_t T = x.shape[0] - 1, B = x.shape[1]
    _shaped("symbols", shard.crew[0].x, (T + 1, B))
    for name, shape in workspace(network, T, B, dropout > 0).items():
        _shaped(name, getattr(shard, name), shape)
    for name, shape in own_workspace(network, T, B).items():
        _shaped(name, getattr(own, name), shape)
    cdef floating[:, :, :, ::1] h = shard.h, c = shard.c, gates = shard.gates, dropped = shard.dropped
    cdef floating[:, :, ::1] y = shard.y, dh = shard.dh, carry = shard.carry, cut = own.cut
    cdef floating[::1] scratch = own.scratch
    cdef Py_ssize_t[::1] seen = own.seen
    cdef Barrier crew_barrier = shard.barrier
    if crew_barrier is None:
        raise ValueError("a shard's members have no barrier to meet at")
    _same("symbols seen", seen.shape[0], net.V)
    _same("losses", losses.shape[0], n_threads)
    _same("norms", norms.shape[0], n_threads)
    _same("those who meet", barrier.barrier.parties, n_threads)
    _same("members who meet", crew_barrier.barrier.parties, members)
    if T * B * net.ldg > INT_MAX:
        raise ValueError(f"{T} steps of {B} streams: their gates are more than {INT_MAX}, as far as a BLAS counts")
    if not net.many and block_steps(T, B) < T:
        raise ValueError(f"{T} steps of {B} streams are many rows, and the network is one for few")
    if id_width not in (1, 2, 4):
        raise ValueError(f"ids of {id_width} bytes: 1, 2 or 4 are wanted")
    cdef Py_ssize_t first_stream = shard.first_stream, n_symbols = ids.shape[1] // id_width
    _same("streams in the block", ids.shape[0], all_streams)
    if ids.strides[1] != 1 or ids.strides[0] % id_width:
        raise ValueError(f"a block's rows must be contiguous ids of {id_width} bytes, not of strides "
                         f"({ids.strides[0]}, {ids.strides[1]})")
    if not 0 <= first_stream <= all_streams - B or cursor.position < 0:
        raise ValueError(f"{B} streams from {first_stream} on, at {cursor.position}: not within {all_streams} streams")
    # The last chunk's targets are the furthest that is read; by division, since a product of sizes may overflow.
    if n_symbols - 1 < cursor.position or (n_symbols - 1 - cursor.position) // T < rates.shape[0]:
        raise ValueError(f"a block of {n_symbols} symbols a stream: too few for {rates.shape[0]} steps of {T} at "
                         f"{cursor.position}")
    cdef const unsigned char* own_ids = &ids[first_stream, 0]
    cdef Py_ssize_t step, n_steps = rates.shape[0], position = cursor.position, done = n_steps
    cdef Py_ssize_t steps_before = cursor.n_steps, adam_steps = cursor.n_steps - cursor.optimizer_start
    cdef double loss = 0, last_loss = cursor.last_loss, smooth_loss = cursor.smooth_loss, norm = NAN
    cdef bint known = True, met = True, by_norm = optimizer.clip_norm < INFINITY
    cdef Chunk chunk = chunk_of(net, T, B)
    cdef Dropout drop
    cdef Dropout* dropping = &drop if dropout > 0 else NULL
    cdef Rule rule
    cdef Pass measuring, stepping
    cdef float_mode mode
    cdef floating* h0 = begin(h)
    cdef floating* c0 = begin(c)
    cdef floating* gates0 = begin(gates)
    cdef floating* dropped0 = begin(dropped)
    cdef floating* dh0 = &dh[0, 0, 0] if dh.shape[0] else NULL
    chunk.cut = &cut[0, 0, 0] if cut.shape[0] else NULL
    chunk.crew.members, chunk.crew.rank, chunk.crew.barrier = members, rank % members, &crew_barrier.barrier
    team.shards, team.threads, team.rank, team.seen, team.now = n_shards, n_threads, rank, &seen[0], own.stamp
    drop.rate, drop.first_stream = dropout, first_stream
    team.weight_dropout, team.next_key = weight_dropout, dropout_key(dropout_seed, steps_before)
    rule.kind, rule.clip, rule.weight_decay, rule.scale = optimizer.kind, optimizer.clip, optimizer.weight_decay, 1
    rule.beta_1, rule.beta_2 = optimizer.beta_1, optimizer.beta_2
    measuring.add_up, measuring.measure, measuring.step = True, True, False
    stepping.add_up, stepping.step = not by_norm, True
    with nogil:
        mode = flush_denormals()
        if weight_dropout > 0:
            pack_first_dropped(net, &team, &params[0], d[0], &panels[0])
            met = spin_barrier_wait(&barrier.barrier)
        if zero_state and met and n_steps:
            clear_states(net, chunk, h0, c0)
        for step in range(n_steps if met else 0):
            known = read_chunk(own_ids, id_width, net.V, ids.strides[0], position, x)
            if known:
                team.now += 1
                team.step_key, team.next_key = team.next_key, dropout_key(dropout_seed, steps_before + step + 1)
                drop.step_key = team.step_key
                losses[rank] = loss_and_gradients(
                    net, &params[0], &panels[0], chunk, &x[0, 0], <floating>1 / <floating>all_streams, dropping,
                    h0, c0, gates0, dropped0, &y[0, 0, 0], dh0, &carry[0, 0, 0], d[rank // members], &scratch[0],
                    team.seen, team.now)
            else:
                losses[rank] = NAN
            met = spin_barrier_wait(&barrier.barrier)
            if not met:
                break
            loss = 0
            for s in range(n_threads):
                loss += losses[s]
            loss /= all_streams
            if not isfinite(loss):
                done = step
                break
            if by_norm:
                measuring.squares = 0
                update(net, &rule, &team, &measuring, &params[0], d, &first_memory[0], &second_memory[0], &panels[0])
                norms[rank] = measuring.squares
                met = spin_barrier_wait(&barrier.barrier)
                if not met:
                    break
                norm = total_norm(&norms[0], n_threads)
                rule.scale = min(1.0, optimizer.clip_norm / (norm + 1e-6))
            rule.learning_rate = rates[step]
            rule.correction = 1 - pow(rule.beta_1, adam_steps + step + 1)
            rule.root_correction = sqrt(1 - pow(rule.beta_2, adam_steps + step + 1))
            stepping.measure = not by_norm and step + 1 == n_steps
            stepping.squares = 0
            update(net, &rule, &team, &stepping, &params[0], d, &first_memory[0], &second_memory[0], &panels[0])
            if stepping.measure:
                norms[rank] = stepping.squares
            carry_states(net, chunk, T, h0, c0)
            last_loss = loss
            smooth_loss = smooth_loss * 0.999 + loss * loss_scale * 0.001
            position += T
            met = spin_barrier_wait(&barrier.barrier)
            if not met:
                break
        restore_denormals(mode)
        if rank == 0 and met:
            cursor.position = position
            cursor.n_steps += done
            cursor.smooth_loss = smooth_loss
            cursor.last_loss = last_loss
            cursor.diverged = done < n_steps
            cursor.gradient_norm = norm if by_norm or done < n_steps else total_norm(&norms[0], n_threads)
    own.stamp = team.now
    if not known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {net.V}")


cdef inline double total_norm(const double* squares, int n) noexcept nogil:
    cdef double total = 0
    cdef int i
    for i in range(n):
        total += squares[i]
    return sqrt(total)


def sums_size(Py_ssize_t V) -> int:
    """Elements of the scratch `sums` of a draw from V symbols."""
    return block_count(V)


def inference_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that inference wants for B streams, T symbols at a time.

    h[:, 0] and c[:, 0] are the states. With a boundary the gates have one row more, the room for states that
    `chunk.cut` is.
    """
    cdef NetworkPlaces* net = &network.net
    return {
        "h": (net.L, T + 1, B, net.H),
        "c": (net.L, T + 1 if net.cell == LSTM else 0, B, net.H),
        "gates": (1, (0 if net.cell == RNN else T) + (net.boundary >= 0), B, net.ldg),
    }


cdef Chunk inference_chunk(Network network, Py_ssize_t n, Py_ssize_t T, Py_ssize_t B, h, c, gates) except *:
    """The chunk of B streams and T of n symbols at a time, and the check that the workspace is one of it."""
    cdef Chunk chunk
    if B < 1 or T < 1 and n:
        raise ValueError(f"a workspace of size {T} x {B}: no symbol fits in")
    chunk = chunk_of(&network.net, T, B)
    for array, (name, shape) in zip((h, c, gates), inference_workspace(network, T, B).items()):
        _shaped(name, array, shape)
    if not network.net.many:
        raise ValueError("inference wants a network with all weights packed")
    chunk.gates = 0  # one layer after the other uses the same
    cdef size_t address = gates.ctypes.data
    cdef Py_ssize_t rows = gates.shape[1]
    if network.net.boundary >= 0:  # the last row of the gates
        chunk.cut = <void*>(address + (rows - 1) * B * network.net.ldg * network.itemsize)
    return chunk


def feed(Network network not None, const floating[::1] params, const floating[::1] panels, const int[:, ::1] x, h, c,
         gates):
    """Move the states h[:, 0] (and c[:, 0]) on over symbols x (n, B); see `inference_workspace`."""
    cdef NetworkPlaces* net = &network.net
    cdef floating[:, :, :, ::1] h_ = h, c_ = c, gates_ = gates
    cdef Py_ssize_t i = 0, n = x.shape[0], B = x.shape[1], T = h_.shape[1] - 1, steps
    cdef Chunk chunk = inference_chunk(network, n, T, B, h, c, gates)
    _fits(network, params, panels)
    _known(x, net.symbols)
    cdef floating* h0 = begin(h_)
    cdef floating* c0 = begin(c_)
    cdef floating* gates0 = begin(gates_)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        while i < n:
            steps = min(T, n - i)
            layers_forward(net, &params[0], &panels[0], chunk, &x[i, 0], 0, steps, <const Dropout*>NULL, h0, c0, gates0,
                           <floating*>NULL)
            carry_states(net, chunk, steps, h0, c0)
            i += steps
        restore_denormals(mode)


cdef Steering steering_of(double temperature, Controls controls, const floating[::1] bias, unsigned char[:, ::1] seen,
                          int[::1] order, double[::1] sums, Py_ssize_t texts, Py_ssize_t V) except *:
    """The controls of a draw, after the check that their arrays fit so many texts and V symbols."""
    cdef Steering steering
    _same("sums", sums.shape[0], block_count(V))
    steering.temperature, steering.sums = temperature, &sums[0]
    steering.control, steering.bias, steering.seen, steering.order = NULL, NULL, NULL, NULL
    if controls is not None:
        _control_arrays(bias, seen, order, texts, V)
        steering.control, steering.order = &controls.numbers, &order[0]
        steering.bias = <const void*>&bias[0] if bias is not None else NULL
        steering.seen = &seen[0, 0] if seen is not None else NULL
    return steering


def sample(Network network not None, const floating[::1] params, const floating[::1] panels,
           const double[:, ::1] uniforms, double temperature, h, c, gates, floating[:, ::1] y, double[::1] sums,
           int[:, ::1] out, Controls controls=None, const floating[::1] bias=None, unsigned char[:, ::1] seen=None,
           int[::1] order=None):
    """Draw out[t, b] with uniforms[t, b] from the states, feeding each symbol back in; the states move on.

    The workspace is one of one symbol at a time; y (B, V) and `sums`, see `sums_size`, are scratch. With controls,
    `bias` (V,) is added to all logits, `seen` (B, V) marks the symbols that are penalised, and then those that are
    drawn; `order` (V,) is scratch.
    """
    cdef NetworkPlaces* net = &network.net
    cdef floating[:, :, :, ::1] h_ = h, c_ = c, gates_ = gates
    cdef Py_ssize_t t, b, n = uniforms.shape[0], B = uniforms.shape[1]
    cdef Chunk chunk = inference_chunk(network, n, 1, B, h, c, gates)
    _fits(network, params, panels)
    _same("streams of logits", y.shape[0], B)
    _same("logits", y.shape[1], net.V)
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    cdef Steering steering = steering_of(temperature, controls, bias, seen, order, sums, B, net.V)
    cdef const Py_ssize_t* in_order = NULL
    cdef floating* h0 = begin(h_)
    cdef floating* c0 = begin(c_)
    cdef floating* gates0 = begin(gates_)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        for t in range(n):
            prepare_draw(net, &params[0], &panels[0], chunk, True, t & 1, &steering, in_order, h0, gates0, &y[0, 0])
            for b in range(B):
                out[t, b] = draw(net, &steering, b, uniforms[t, b], &y[b, 0])
            move_on(net, &params[0], &panels[0], chunk, True, t & 1, &out[t, 0], h0, c0, gates0)
            h0, c0, chunk.following = h0 + chunk.following, c0 + chunk.following, -chunk.following
        if n & 1:
            put_back(net, chunk, h0, c0)
        restore_denormals(mode)


cdef class Batch:
    """Which texts `sample_texts` is at: those that were `begun`, and of them those that are `going` on.

    Row b draws text texts[b], for all b < `going`; the other rows have none.
    """
    cdef readonly Py_ssize_t begun
    cdef readonly Py_ssize_t going
    cdef Py_ssize_t[::1] texts

    def __init__(self, Py_ssize_t[::1] texts):
        self.texts = texts


def sample_texts(Network network not None, const floating[::1] params, const floating[::1] panels, list start not None,
                 const floating[::1] start_y, double temperature, Batch batch not None, int[:, ::1] symbols,
                 Py_ssize_t[::1] lengths, Py_ssize_t most, Py_ssize_t steps, uint64_t[:, ::1] streams,
                 const uint64_t[::1] increment, const int[::1] stops, const Py_ssize_t[::1] stop_ends, h, c, gates,
                 floating[:, ::1] y, double[::1] sums, int[::1] x, Controls controls=None,
                 const floating[::1] bias=None, unsigned char[:, ::1] seen=None, int[::1] order=None):
    """Draw texts side by side until all have ended, but at most for so many steps; see `texts` for when one ends.

    All start from the states `start`, each (L, 1, H), and the logits (V,) that follow from them. What was drawn of text
    i is symbols[i, :lengths[i]]; it is drawn with the numbers of streams[i]. A text that ends makes room for the next
    one, and where there is none for the last row: nothing is drawn in vain. The call also ends when a text that goes on
    has no room left in `symbols`.

    The workspace is one of one symbol at a time for B rows; y (B + 1, V), x (B,) and `sums` are scratch. The controls
    are those of `sample`, but that `seen` has a row for each text; those of texts that have not begun must be alike.
    """
    cdef NetworkPlaces* net = &network.net
    cdef floating[:, :, :, ::1] h_ = h, c_ = c, gates_ = gates
    cdef const floating[:, :, ::1] start_h, start_c
    cdef Py_ssize_t B = x.shape[0], V = net.V, i
    cdef Chunk chunk = inference_chunk(network, steps, 1, B, h, c, gates)
    cdef Texts texts
    _fits(network, params, panels)
    _same("states at the start", len(start), 2 if net.cell == LSTM else 1)
    for part in start:
        _shaped("states at the start", part, (net.L, 1, net.H))
    start_h, start_c = start[0], start[len(start) - 1]
    _same("logits at the start", start_y.shape[0], V)
    _same("logits", y.shape[1], V)
    _same("rows of logits", y.shape[0], B + 1)
    _same("rows of the batch", batch.texts.shape[0], B)
    texts.count, texts.most, texts.width, texts.longest = symbols.shape[0], most, symbols.shape[1], 0
    if texts.count < 1 or texts.width < 1 or most < 1:
        raise ValueError(f"{texts.count} texts of {most} symbols, room for {texts.width}: nothing to draw")
    _same("lengths", lengths.shape[0], texts.count)
    _same("streams of numbers", streams.shape[0], texts.count)
    _same("halves of a state", streams.shape[1], 2)
    _same("halves of an increment", increment.shape[0], 2)
    for i in range(stop_ends.shape[0]):
        if not (stop_ends[i - 1] if i else 0) < stop_ends[i] <= stops.shape[0]:
            raise ValueError(f"stop {i} is empty, or does not lie within the {stops.shape[0]} symbols of all stops")
    cdef Steering steering = steering_of(temperature, controls, bias, seen, order, sums, texts.count, V)
    texts.symbols, texts.lengths, texts.streams = &symbols[0, 0], &lengths[0], &streams[0, 0]
    texts.increment = wide(&increment[0])
    texts.stop_count = stop_ends.shape[0]
    texts.stops = &stops[0] if texts.stop_count else NULL
    texts.stop_ends = &stop_ends[0] if texts.stop_count else NULL
    texts.rows, texts.begun, texts.going = &batch.texts[0], batch.begun, batch.going
    for i in range(batch.going):
        if not (batch.begun <= texts.count and 0 <= batch.texts[i] < batch.begun
                and 0 <= lengths[batch.texts[i]] <= texts.width):
            raise ValueError("the batch is one of other texts")
        texts.longest = max(texts.longest, lengths[batch.texts[i]])
    cdef floating* h0 = begin(h_)
    cdef floating* c0 = begin(c_)
    cdef floating* gates0 = begin(gates_)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        memcpy(&y[B, 0], &start_y[0], V * sizeof(floating))
        draw_texts(net, &params[0], &panels[0], chunk, &texts, steps, &steering, &start_h[0, 0, 0], &start_c[0, 0, 0],
                   &y[B, 0], h0, c0, gates0, &y[0, 0], &x[0])
        restore_denormals(mode)
    batch.begun, batch.going = texts.begun, texts.going


def _control_arrays(bias, seen, order, Py_ssize_t B, Py_ssize_t V):
    if order is None:
        raise ValueError("controls want scratch for an order")
    _same("order", order.shape[0], V)
    if bias is not None:
        _same("biases", bias.shape[0], V)
    if seen is not None:
        _same("streams of symbols seen", seen.shape[0], B)
        _same("symbols seen", seen.shape[1], V)


def filter_logits(floating[:, ::1] y, double temperature, Controls controls not None, const floating[::1] bias,
                  unsigned char[:, ::1] seen, int[::1] order):
    """y (B, V) = probabilities, up to a factor for each row, of what the controls leave; as in `sample` (for tests)."""
    cdef Py_ssize_t b, B = y.shape[0], V = y.shape[1]
    _control_arrays(bias, seen, order, B, V)
    cdef float_mode mode = flush_denormals()
    for b in range(B):
        filter_row(&y[b, 0], V, V, <floating>temperature, &controls.numbers, &bias[0] if bias is not None else NULL,
                   &seen[b, 0] if seen is not None else NULL, &order[0])
    restore_denormals(mode)


def logits(Network network not None, const floating[::1] params, const floating[::1] panels, const floating[:, ::1] top,
           floating[:, ::1] y):
    """y = top @ Wy + by for states `top` (rows, H) of the last layer."""
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t rows = top.shape[0]
    _fits(network, params, panels)
    _same("units", top.shape[1], net.H)
    _same("rows of logits", y.shape[0], rows)
    _same("logits", y.shape[1], net.V)
    cdef float_mode mode
    if rows:
        with nogil:
            mode = flush_denormals()
            decode(net, &params[0], &panels[0], rows, &top[0, 0], &y[0, 0])
            restore_denormals(mode)


def log_probabilities(Network network not None, const floating[::1] params, const floating[::1] panels,
                      const int[:, ::1] x, h, c, gates, floating[:, :, ::1] y, double[:, ::1] out):
    """out[t, b] = log P(x[t, b] | the states and the symbols before); the states move on over all of x (n, B).

    The workspace and y (T, B, V) are for T symbols at a time.
    """
    cdef NetworkPlaces* net = &network.net
    cdef floating[:, :, :, ::1] h_ = h, c_ = c, gates_ = gates
    cdef Py_ssize_t T = y.shape[0], B = x.shape[1], V = net.V, n = x.shape[0]
    cdef Py_ssize_t t, i = 0, b, steps
    cdef Chunk chunk = inference_chunk(network, n, T, B, h, c, gates)
    _fits(network, params, panels)
    _same("streams of logits", y.shape[1], B)
    _same("logits", y.shape[2], V)
    _same("streams of output", out.shape[1], B)
    _same("symbols of output", out.shape[0], n)
    _known(x, net.symbols)
    cdef floating* h0 = begin(h_)
    cdef floating* c0 = begin(c_)
    cdef floating* gates0 = begin(gates_)
    cdef const floating* top = h0 + (net.L - 1) * chunk.states
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        while i < n:
            steps = min(T, n - i)
            layers_forward(net, &params[0], &panels[0], chunk, &x[i, 0], 0, steps, <const Dropout*>NULL, h0, c0, gates0,
                           <floating*>NULL)
            decode(net, &params[0], &panels[0], steps * B, top, &y[0, 0, 0])  # of h[:-1]
            for t in range(steps):
                for b in range(B):
                    out[i + t, b] = log_softmax_at(&y[t, b, 0], V, x[i + t, b])
            carry_states(net, chunk, steps, h0, c0)
            i += steps
        restore_denormals(mode)


def log_likelihoods(Network network not None, const floating[::1] params, const floating[::1] panels,
                    const int[::1] ids, const Py_ssize_t[::1] starts, const Py_ssize_t[::1] lengths, Py_ssize_t first,
                    Py_ssize_t last, h, c, gates, int[::1] x, floating[:, ::1] y, double[::1] out):
    """out[b] += log P of symbols [first, last) of string b, which is ids[starts[b]:starts[b] + lengths[b]].

    The longest come first, and the batch shrinks as strings end. The states in the workspace are those before symbol
    `first`; they move on to `last`, those of strings that have ended are lost. x (T B,) and y (T B, V) are scratch.
    """
    cdef NetworkPlaces* net = &network.net
    cdef floating[:, :, :, ::1] h_ = h, c_ = c, gates_ = gates
    cdef Py_ssize_t B = lengths.shape[0], T = h_.shape[1] - 1, b
    cdef Chunk chunk = inference_chunk(network, last - first, T, B, h, c, gates)
    _fits(network, params, panels)
    _same("starts", starts.shape[0], B)
    _same("sums", out.shape[0], B)
    _same("scratch of symbols", x.shape[0], T * B)
    _same("rows of logits", y.shape[0], T * B)
    _same("logits", y.shape[1], net.V)
    for b in range(B):
        if starts[b] < 0 or lengths[b] < 0 or lengths[b] > ids.shape[0] - starts[b]:
            raise ValueError(f"string {b} does not lie within the {ids.shape[0]} symbols")
        if b and lengths[b] > lengths[b - 1]:
            raise ValueError("the longest strings must come first")
    if first < 0:
        raise ValueError(f"first: {first} is no symbol of a string")
    if lengths[0] <= first:
        return
    cdef floating* h0 = begin(h_)
    cdef floating* c0 = begin(c_)
    cdef floating* gates0 = begin(gates_)
    cdef bint known
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        known = read_strings(net, &params[0], &panels[0], chunk, &ids[0], &starts[0], &lengths[0], first, last, h0, c0,
                             gates0, &x[0], &y[0, 0], &out[0])
        restore_denormals(mode)
    if not known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {net.symbols}")
