"""The doors to the kernels: what Python calls. Shapes are checked here, once; behind a door nothing holds the GIL.

Built once for each instruction set from this one source (see setup.py); `crnn._kernels` picks the build.
Everything behind the doors is in the .pxd files: `network` (one chunk), `rnn` (the cell), `panels` and `blas`
(products), `softmax`, `optimizers`, `sampler`, `elementwise`.
"""
from cython cimport floating
from libc.limits cimport INT_MAX
from libc.math cimport NAN, isfinite
from libc.string cimport memcpy, memset
import numpy as np
from . cimport elementwise
from .network cimport add_bias, add_input, block_steps, chunk_scratch, loss_and_gradients, recur
from .optimizers cimport adagrad
from .panels cimport (STRIP_VECTORS, TILE_VECTORS, add_transposed_product, multiply_panels, pack, pack_transposed,
                      packed_elements, transposed_scratch)
from .rnn cimport rnn_forward
from .sampler cimport draw
from .softmax cimport log_softmax_at

cdef extern from "spin_barrier.h" nogil:
    ctypedef struct spin_barrier:
        long parties
        long arrived
        long generation
        long broken
    void spin_barrier_break(spin_barrier*)
    bint spin_barrier_wait(spin_barrier*)

cdef extern from "denormals.h" nogil:
    ctypedef unsigned long long float_mode
    float_mode flush_denormals()
    void restore_denormals(float_mode)

cdef enum:
    MAX_SHARDS = 256
    BLOCK = 2048  # elements of a gradient that are summed over the shards and used while still in the cache


cdef class Barrier:
    """Where the threads of one training call meet; `parties` of them."""
    cdef spin_barrier barrier

    def __cinit__(self, long parties):
        self.barrier.parties = parties
        self.barrier.arrived = 0
        self.barrier.generation = 0
        self.barrier.broken = 0

    def break_(self):
        """Let those who wait go: someone will not come. Their call of `train` ends without another update."""
        spin_barrier_break(&self.barrier)


cdef class Cursor:
    """Where a sweep stands: the next chunk's position, steps done, the smoothed and the last loss, whether it broke."""
    cdef public Py_ssize_t position
    cdef public Py_ssize_t n_steps
    cdef public double smooth_loss
    cdef public double last_loss
    cdef public bint diverged

    def __init__(self, Py_ssize_t position, Py_ssize_t n_steps, double smooth_loss, double last_loss):
        self.position = position
        self.n_steps = n_steps
        self.smooth_loss = smooth_loss
        self.last_loss = last_loss


def packed_size(Py_ssize_t K, Py_ssize_t N, Py_ssize_t itemsize) -> int:
    """Elements of a matrix (K, N) packed in panels, whose elements have `itemsize` bytes."""
    return packed_elements[float](NULL, K, N) if itemsize == sizeof(float) else packed_elements[double](NULL, K, N)


def workspace(Py_ssize_t T, Py_ssize_t B, Py_ssize_t H, Py_ssize_t V, Py_ssize_t itemsize) -> tuple[int, int]:
    """Steps that `train` wants dz to have, and elements that it wants scratch to have."""
    return (block_steps(T, B) + 1,
            chunk_scratch[float](NULL, H, V) if itemsize == sizeof(float) else chunk_scratch[double](NULL, H, V))


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
            pack(&W[0, 0], rows, columns, most, 0, rows, &panels[0])


def multiply(const floating[:, ::1] a, const floating[::1] panels, bint one_row, floating[:, ::1] c, int times=1):
    """c += a @ W for the W packed in `panels`; so many times, as a recurrence multiplies (for measuring)."""
    cdef int _
    _same("rows of a", a.shape[0], c.shape[0])
    _same("panels", panels.shape[0], packed_size(a.shape[1], c.shape[1], sizeof(floating)))
    with nogil:
        for _ in range(times):
            multiply_panels(a.shape[0], a.shape[1], c.shape[1], &a[0, 0], a.shape[1], &panels[0], widest(one_row),
                            &c[0, 0], c.shape[1])


def transposed_product(const floating[:, ::1] a, const floating[:, ::1] b, floating[::1] scratch, floating[:, ::1] c):
    """c += a.T @ b; scratch is as `workspace` says for a vocabulary of b's columns or fewer."""
    _same("rows of b", b.shape[0], a.shape[0])
    _same("rows of c", c.shape[0], a.shape[1])
    _same("columns of c", c.shape[1], b.shape[1])
    if scratch.shape[0] < transposed_scratch(&a[0, 0], c.shape[0], c.shape[1]):
        raise ValueError(f"scratch: size {scratch.shape[0]} is too small")
    with nogil:
        add_transposed_product(a.shape[0], a.shape[1], b.shape[1], &a[0, 0], &b[0, 0], &scratch[0], &c[0, 0])


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


cdef inline int widest(bint one_row) noexcept nogil:
    """The most vectors in a panel of a matrix that is packed for products with one row, or with many."""
    return STRIP_VECTORS if one_row else TILE_VECTORS


def rsqrt(floating[::1] x):
    """x = 1 / sqrt(x)"""
    if x.shape[0]:
        elementwise.rsqrt_array(&x[0], x.shape[0])


def _same(str what, Py_ssize_t found, Py_ssize_t wanted):
    if found != wanted:
        raise ValueError(f"{what}: size {found}, but {wanted} is wanted")


def _fits(Py_ssize_t Wx_columns, Py_ssize_t biases, Py_ssize_t H):
    _same("columns of Wx", Wx_columns, H)
    _same("hidden biases", biases, H)


def _known(const int[:, ::1] x, Py_ssize_t V):
    cdef Py_ssize_t t, b
    cdef unsigned int largest = 0
    for t in range(x.shape[0]):
        for b in range(x.shape[1]):
            largest = max(largest, <unsigned int>x[t, b])
    if x.shape[0] * x.shape[1] and largest >= <size_t>V:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {V}")


cdef inline int read_chunk(const unsigned char* ids, int width, Py_ssize_t V, Py_ssize_t stride, Py_ssize_t position,
                           int[:, ::1] x) noexcept nogil:
    """x[t, b] = ids[b * stride + position + t] for ids of 1, 2 or 4 bytes; 0 if one of them is not below V."""
    cdef Py_ssize_t t, b, i
    cdef unsigned int v, largest = 0
    for b in range(x.shape[1]):
        i = b * stride + position
        for t in range(x.shape[0]):
            if width == 1:
                v = ids[i + t]
            elif width == 2:
                v = (<const unsigned short*>ids)[i + t]
            else:
                v = (<const unsigned int*>ids)[i + t]
            x[t, b] = <int>v
            largest = max(largest, v)
    return largest < <size_t>V


cdef inline void update_run(floating* p, floating** d, int shards, floating* sum_, Py_ssize_t first, Py_ssize_t last,
                            floating learning_rate, floating clip) noexcept nogil:
    """Sum the gradients of the shards, in their order, and step, over elements [first, last)."""
    cdef Py_ssize_t i = first, j, n
    cdef int s
    while i < last:
        n = min(last - i, <Py_ssize_t>BLOCK)
        for s in range(1, shards):
            for j in range(n):
                d[0][i + j] += d[s][i + j]
        adagrad(p + i, d[0] + i, sum_ + i, n, learning_rate, clip)
        i += n


cdef inline Py_ssize_t share(Py_ssize_t n, int rank, int shards) noexcept nogil:
    """Where the rank's share of n begins; that of rank `shards` is n."""
    return n * rank // shards


ctypedef struct Places:  # offsets in the flat vector
    Py_ssize_t Wx
    Py_ssize_t Wh
    Py_ssize_t bh
    Py_ssize_t end


cdef inline void update(floating* p, floating** d, int** x, const Py_ssize_t* streams, int shards, int rank,
                        floating* sum_, Places at, Py_ssize_t T, Py_ssize_t V, Py_ssize_t H, int[::1] seen, int now,
                        floating* Wh_panels, floating* WhT_panels, int most, floating learning_rate,
                        floating clip) noexcept nogil:
    """The rank's share of the update: its symbols' rows of Wx, its rows of Wh (packed at once), its part of the rest.

    A row of Wx whose symbol the chunk did not hold has no gradient: leaving it alone is exact.
    """
    cdef Py_ssize_t first = share(V, rank, shards), last = share(V, rank + 1, shards)
    cdef Py_ssize_t i, row
    cdef int s, v
    for s in range(shards):
        for i in range(T * streams[s]):
            v = x[s][i]
            if first <= v < last and seen[v] != now:
                seen[v] = now
                row = at.Wx + v * H
                update_run(p, d, shards, sum_, row, row + H, learning_rate, clip)
                clear_rows(d, shards, row, H)
    first = share(H, rank, shards)
    last = share(H, rank + 1, shards)
    update_run(p, d, shards, sum_, at.Wh + first * H, at.Wh + last * H, learning_rate, clip)
    pack(p + at.Wh, H, H, most, first, last, Wh_panels)
    pack_transposed(p + at.Wh, H, H, most, first, last, WhT_panels)
    i = at.end - at.bh
    update_run(p, d, shards, sum_, at.bh + share(i, rank, shards), at.bh + share(i, rank + 1, shards),
               learning_rate, clip)


cdef inline void clear_rows(floating** d, int shards, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef int s
    for s in range(shards):
        memset(d[s] + first, 0, n * sizeof(floating))


def train(floating[::1] params, floating[::1] sum_, layout, floating[::1] Wh_panels, floating[::1] WhT_panels,
          const unsigned char[::1] ids, int id_width, Py_ssize_t stride, list shards, int rank, Barrier barrier,
          double[::1] losses, Cursor cursor, double loss_scale, Py_ssize_t n_steps, double learning_rate, double clip):
    """Train on `n_steps` chunks as thread `rank` of `len(shards)`; all threads call this with the same arguments.

    Each shard is a group of neighbouring streams with its own gradient and workspace. In a step every thread
    back-propagates its shard, meets the others, updates its share of the parameters from the sum over all shards,
    and meets them again. Every thread sees the same numbers and so takes the same decisions; the first one moves
    the cursor at the end. When a loss is not finite its update is not made, and the cursor says `diverged`.
    """
    cdef floating* d[MAX_SHARDS]
    cdef int* x_of[MAX_SHARDS]
    cdef Py_ssize_t streams[MAX_SHARDS]
    cdef int n_shards = len(shards)
    if n_shards > MAX_SHARDS:
        raise ValueError(f"{n_shards} shards: at most {MAX_SHARDS}")
    cdef Places at
    at.Wx, at.Wh, at.bh = layout.offsets[:3]
    at.end = layout.size
    cdef floating[::1] flat
    cdef int[:, ::1] x
    cdef Py_ssize_t all_streams = 0
    cdef int s
    _same("parameters", params.shape[0], at.end)
    _same("optimiser memory", sum_.shape[0], at.end)
    for s in range(n_shards):
        flat = shards[s].gradient
        _same("gradient", flat.shape[0], at.end)
        x = shards[s].x
        d[s] = &flat[0]
        x_of[s] = &x[0, 0]
        streams[s] = x.shape[1]
        all_streams += x.shape[1]

    own = shards[rank]
    x = own.x
    cdef floating[:, :, ::1] h = own.h
    cdef floating[:, :, ::1] y = own.y
    cdef floating[:, :, ::1] dz = own.dz
    cdef int[::1] seen = own.seen
    cdef floating[::1] scratch = own.scratch
    weights = layout.tensors(np.asarray(params))
    cdef floating[:, ::1] Wx = weights.Wx
    cdef floating[::1] bh = weights.bh
    cdef floating[:, ::1] Wy = weights.Wy
    cdef floating[::1] by = weights.by
    gradients = layout.tensors(own.gradient)
    cdef floating[:, ::1] dWx = gradients.Wx
    cdef floating[:, ::1] dWh = gradients.Wh
    cdef floating[::1] dbh = gradients.bh
    cdef floating[:, ::1] dWy = gradients.Wy
    cdef floating[::1] dby = gradients.by
    cdef Py_ssize_t T = y.shape[0], B = y.shape[1], V = y.shape[2], H = h.shape[2]
    _same("states", h.shape[0] * h.shape[1], (T + 1) * B)
    _same("symbols", x.shape[0] * x.shape[1], (T + 1) * B)
    _same("hidden units", dz.shape[2], H)
    _same("steps of dz", dz.shape[0], block_steps(T, B) + 1)
    _same("streams of dz", dz.shape[1], B)
    _same("symbols seen", seen.shape[0], V)
    _same("rows of Wx", Wx.shape[0], V)
    _same("columns of Wx", Wx.shape[1], H)
    _same("packed Wh", Wh_panels.shape[0], packed_size(H, H, sizeof(floating)))
    _same("packed Wh.T", WhT_panels.shape[0], packed_size(H, H, sizeof(floating)))
    _same("scratch", scratch.shape[0], chunk_scratch(&scratch[0], H, V))
    _same("losses", losses.shape[0], n_shards)
    if T * B > INT_MAX:
        raise ValueError(f"{T} steps of {B} streams: their product must be at most {INT_MAX}, as far as a BLAS counts")
    if ids.shape[0] < ((all_streams - 1) * stride + T + 1) * id_width:
        raise ValueError(f"{ids.shape[0] // id_width} symbols: too few for {all_streams} streams of {stride}")

    cdef int most = widest(all_streams == 1)
    cdef Py_ssize_t first_stream = own.first_stream
    cdef const unsigned char* own_ids = &ids[first_stream * stride * id_width]
    cdef Py_ssize_t step, stamp = own.stamp, position = cursor.position, done = n_steps
    cdef double loss = 0, last_loss = cursor.last_loss, smooth_loss = cursor.smooth_loss
    cdef bint known = True, met = True
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        for step in range(n_steps):
            if position + T + 1 >= stride + 1:  # min-char-rnn's rule; a stream has stride + 1 symbols
                position = 0
                memset(&h[0, 0, 0], 0, B * H * sizeof(floating))
            known = read_chunk(own_ids, id_width, V, stride, position, x)
            if known:
                losses[rank] = loss_and_gradients(
                    Wx, bh, Wy, by, &Wh_panels[0], &WhT_panels[0], most, x, <floating>1 / <floating>all_streams,
                    h, y, dz, dWx, dWh, dbh, dWy, dby, &scratch[0])
            else:
                losses[rank] = NAN
            met = spin_barrier_wait(&barrier.barrier)
            if not met:
                break
            loss = 0
            for s in range(n_shards):
                loss += losses[s]
            loss /= all_streams
            if not isfinite(loss):
                done = step
                break
            stamp += 1
            update(&params[0], d, x_of, streams, n_shards, rank, &sum_[0], at, T, V, H, seen, <int>stamp,
                   &Wh_panels[0], &WhT_panels[0], most, <floating>learning_rate, <floating>clip)
            memcpy(&h[0, 0, 0], &h[T, 0, 0], B * H * sizeof(floating))
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
    own.stamp = stamp
    if not known:
        raise ValueError(f"a symbol's id is not below the vocabulary's size {V}")


def feed(const floating[:, ::1] Wx, const floating[::1] bh, const floating[::1] Wh_panels, bint one_row,
         const int[:, ::1] x, floating[:, ::1] h, floating[:, ::1] scratch):
    """Move the states h (k, H) on over symbols x (n, k); scratch is like h."""
    cdef Py_ssize_t t, B = h.shape[0], H = h.shape[1]
    _same("streams", x.shape[1], B)
    _fits(Wx.shape[1], bh.shape[0], H)
    _known(x, Wx.shape[0])
    _same("scratch", scratch.shape[0] * scratch.shape[1], B * H)
    _same("packed Wh", Wh_panels.shape[0], packed_size(H, H, sizeof(floating)))
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        for t in range(x.shape[0]):
            advance(Wx, bh, Wh_panels, widest(one_row), &x[t, 0], h, scratch)
        restore_denormals(mode)


cdef inline void advance(const floating[:, ::1] Wx, const floating[::1] bh, const floating[::1] Wh_panels,
                         int most, const int* x, floating[:, ::1] h, floating[:, ::1] scratch) noexcept nogil:
    """h = tanh(Wx[x] + bh + h @ Wh)"""
    cdef Py_ssize_t B = h.shape[0], H = h.shape[1]
    add_input(Wx, bh, x, B, &scratch[0, 0])
    rnn_forward(B, H, &h[0, 0], &Wh_panels[0], most, &scratch[0, 0])
    memcpy(&h[0, 0], &scratch[0, 0], B * H * sizeof(floating))


def sample(const floating[:, ::1] Wx, const floating[::1] bh, const floating[::1] Wh_panels,
           bint one_row, const floating[::1] Wy_panels, bint Wy_one_row, const floating[::1] by,
           const double[:, ::1] uniforms, double temperature,
           floating[:, ::1] h, floating[:, ::1] scratch, floating[:, ::1] y, int[:, ::1] out):
    """Draw out[t, b] with uniforms[t, b] from the state h[b], feeding each symbol back in; h is left after the last.

    `one_row` and `Wy_one_row` say that Wh and Wy are packed for one stream.
    """
    cdef Py_ssize_t t, b, B = h.shape[0], H = h.shape[1], V = y.shape[1]
    _same("streams of uniforms", uniforms.shape[1], B)
    _same("streams of logits", y.shape[0], B)
    _same("symbols", by.shape[0], V)
    _same("rows of Wx", Wx.shape[0], V)
    _fits(Wx.shape[1], bh.shape[0], H)
    _same("scratch", scratch.shape[0] * scratch.shape[1], B * H)
    _same("output", out.shape[0] * out.shape[1], uniforms.shape[0] * B)
    _same("packed Wh", Wh_panels.shape[0], packed_size(H, H, sizeof(floating)))
    _same("packed Wy", Wy_panels.shape[0], packed_size(H, V, sizeof(floating)))
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        for t in range(uniforms.shape[0]):
            # y = h @ Wy + by                          (B, V) = (B, H) (H, V)
            add_bias(by, B, &y[0, 0])
            multiply_panels(B, H, V, &h[0, 0], H, &Wy_panels[0], widest(Wy_one_row), &y[0, 0], V)
            for b in range(B):
                out[t, b] = draw(&y[b, 0], V, uniforms[t, b], <floating>temperature)
            advance(Wx, bh, Wh_panels, widest(one_row), &out[t, 0], h, scratch)
        restore_denormals(mode)


def log_probabilities(const floating[:, ::1] Wx, const floating[::1] bh, const floating[::1] Wh_panels,
                      bint one_row, const floating[::1] Wy_panels, bint Wy_one_row, const floating[::1] by,
                      const int[:, ::1] x,
                      floating[:, :, ::1] h, floating[:, :, ::1] y, double[:, ::1] out):
    """out[t, b] = log P(x[t, b] | h[0, b] and the symbols before); h[0] is left after the last symbol.

    h (T + 1, B, H) and y (T, B, V) are the workspace for T symbols at a time. `one_row` and `Wy_one_row` say that Wh
    and Wy are packed for products with one row; Wh meets B rows at a time here, Wy T * B.
    """
    cdef Py_ssize_t T = y.shape[0], B = y.shape[1], V = y.shape[2], H = h.shape[2], n = x.shape[0]
    cdef Py_ssize_t t, i = 0, b, steps
    _same("states", h.shape[0] * h.shape[1], (T + 1) * B)
    _same("streams", x.shape[1], B)
    _same("output", out.shape[0] * out.shape[1], n * B)
    _same("symbols", by.shape[0], V)
    _same("rows of Wx", Wx.shape[0], V)
    _fits(Wx.shape[1], bh.shape[0], H)
    _known(x, V)
    _same("packed Wh", Wh_panels.shape[0], packed_size(H, H, sizeof(floating)))
    _same("packed Wy", Wy_panels.shape[0], packed_size(H, V, sizeof(floating)))
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        while i < n:
            steps = min(T, n - i)
            recur(Wx, bh, &Wh_panels[0], widest(one_row), x[i:], h, 0, steps)
            # y = h[:-1] @ Wy + by                     (TB, V) = (TB, H) (H, V)
            add_bias(by, steps * B, &y[0, 0, 0])
            multiply_panels(steps * B, H, V, &h[0, 0, 0], H, &Wy_panels[0], widest(Wy_one_row), &y[0, 0, 0], V)
            for t in range(steps):
                for b in range(B):
                    out[i + t, b] = log_softmax_at(&y[t, b, 0], V, x[i + t, b])
            memcpy(&h[0, 0, 0], &h[steps, 0, 0], B * H * sizeof(floating))
            i += steps
        restore_denormals(mode)
