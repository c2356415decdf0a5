"""One chunk through the network: rows of Wx, the cells over T steps, logits, loss, and the same backwards.

Time-major arrays, a layer after the other: h (L, T + 1, B, H) with the carried states in h[:, 0], c like it for an
LSTM; y (T, B, V) the logits and then dy; gates as the cell says, (L, T, B, Z H) for a GRU or an LSTM. The vanilla cell
needs no gates: there the array holds dz, the gradient of what tanh is applied to, for a few time steps at a time, and
one row more for the step after them.
x (T + 1, B) holds the chunk's symbols and one more row: x[:-1] are the inputs, x[1:] the targets.

A chunk is taken `block_steps` time steps at a time through all layers, so that what one stage leaves in the cache the
next one finds there.
"""
from cython cimport floating
from libc.string cimport memcpy, memset
from .blas cimport gemm
from .boundary cimport clear_starting, without_past
from .dropout cimport Dropout, drop_out
from .elementwise cimport tanh_
from .gru cimport gru_backward, gru_forward, gru_units
from .lstm cimport lstm_backward, lstm_forward, lstm_units
from .network cimport GRU, LSTM, RNN, Network, input_block
from .panels cimport (MOST_COLUMNS, Panel, add_transposed_product, multiply_panel, multiply_panels, packed_elements,
                      panel_count, panel_in_turn, transposed_scratch)
from .rnn cimport rnn_backward, rnn_forward
from .softmax cimport softmax_loss

cdef enum:
    BLOCK_ROWS = 512  # streams times time steps that pass through all stages before the next ones are taken

ctypedef struct Chunk:  # a shard's chunk: its sizes, and where in the workspace a layer's part begins
    Py_ssize_t T
    Py_ssize_t B
    Py_ssize_t block  # time steps taken at a time
    Py_ssize_t states  # elements of a layer's h, and of its c
    Py_ssize_t following  # elements from the states of a time step, of all streams, to those of the one after it
    Py_ssize_t gates
    void* cut  # with a boundary: room for one step's states, and for training also for one step's dz


cdef inline Py_ssize_t block_steps(Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Time steps of a chunk that are taken at a time."""
    return min(T, max(1, <Py_ssize_t>BLOCK_ROWS // B))


cdef inline Chunk chunk_of(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    cdef Chunk chunk
    chunk.T = T
    chunk.B = B
    chunk.block = block_steps(T, B)
    chunk.states = (T + 1) * B * net.H
    chunk.following = B * net.H
    chunk.gates = (chunk.block + 1 if net.cell == RNN else T) * B * net.ldg
    chunk.cut = NULL
    return chunk


cdef inline Py_ssize_t chunk_scratch(const Network* net, Py_ssize_t T, Py_ssize_t B, const floating* w) noexcept nogil:
    """Elements of the scratch of `loss_and_gradients`; `w` only tells the dtype."""
    return transposed_scratch(w, block_steps(T, B) * B, net.H)


# ------------------------------------------------------------------------- products over the rows of a chunk


cdef inline void multiply_rows(bint many, Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a,
                               Py_ssize_t lda, const floating* W, Py_ssize_t ldw, const floating* panels, int most,
                               floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a @ W                                      (rows, N) += (rows, K) (K, N)"""
    if many:
        multiply_panels(rows, K, N, a, lda, panels, most, c, ldc)
    else:
        gemm(b"n", b"n", rows, N, K, a, lda, W, ldw, <floating>1, c, ldc)


cdef inline void multiply_rows_back(bint many, Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a,
                                    Py_ssize_t lda, const floating* W, Py_ssize_t ldw, const floating* panels,
                                    int most, floating* c) noexcept nogil:
    """c = a @ W.T                                     (rows, N) = (rows, K) (N, K)'"""
    if many:
        memset(c, 0, rows * N * sizeof(floating))
        multiply_panels(rows, K, N, a, lda, panels, most, c, N)
    else:
        gemm(b"t", b"n", rows, N, K, a, lda, W, ldw, <floating>0, c, N)


cdef inline void add_weight_gradient(bint many, Py_ssize_t rows, Py_ssize_t M, Py_ssize_t N, const floating* a,
                                     const floating* d, Py_ssize_t ldd, floating* scratch, floating* dW,
                                     Py_ssize_t ldw) noexcept nogil:
    """dW += a.T @ d                                   (M, N) += (rows, M)' (rows, N)"""
    if many:
        add_transposed_product(rows, M, N, a, d, ldd, scratch, dW, ldw)
    else:
        gemm(b"n", b"t", M, N, rows, a, M, d, ldd, <floating>1, dW, ldw)


cdef inline void set_rows(const floating* bias, Py_ssize_t rows, Py_ssize_t N, floating* y,
                          Py_ssize_t ldy) noexcept nogil:
    """y = bias                                        (rows, N): what a product is then added to"""
    cdef Py_ssize_t r
    for r in range(rows):
        memcpy(y + r * ldy, bias, N * sizeof(floating))


cdef inline void add_column_sums(const floating* a, Py_ssize_t rows, Py_ssize_t N, Py_ssize_t lda,
                                 floating* out) noexcept nogil:
    """out += a.sum(axis=0)"""
    cdef Py_ssize_t r, j
    for r in range(rows):
        for j in range(N):
            out[j] += a[r * lda + j]


# -------------------------------------------------------------------------------------------- input of a layer


cdef inline void set_biases(const Network* net, const floating* p, Py_ssize_t l, Py_ssize_t rows,
                            floating* z) noexcept nogil:
    """z = bh                                          (rows, G H): what a layer's products are then added to"""
    cdef Py_ssize_t g, H = net.H
    for g in range(net.G):
        set_rows(p + net.layer[l].bh + g * H, rows, H, z + input_block(net, g) * H, net.ldg)
    if net.cell == GRU:
        set_rows(p + net.layer[l].bn, rows, H, z + 2 * H, net.ldg)


cdef inline void look_up_input(const Network* net, const floating* p, const int* x, Py_ssize_t B,
                               floating* z) noexcept nogil:
    """z = Wx[x] + bh                                  (B, G H): the first layer's input, a row for each stream"""
    cdef Py_ssize_t b, j, g, H = net.H
    cdef const floating* bias
    cdef const floating* row
    cdef floating* out
    for b in range(B):
        for g in range(net.G):
            bias = p + net.layer[0].bh + g * H
            row = p + net.layer[0].Wx + (x[b] * net.G + g) * H
            out = z + b * net.ldg + input_block(net, g) * H
            for j in range(H):
                out[j] = row[j] + bias[j]
    if net.cell == GRU:
        set_rows(p + net.layer[0].bn, B, H, z + 2 * H, net.ldg)


cdef inline void project_input(const Network* net, const floating* p, const floating* panels, Py_ssize_t l,
                               Py_ssize_t rows, const floating* below, floating* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H): the input of a higher layer"""
    cdef Py_ssize_t g, H = net.H, N = net.G * H
    set_biases(net, p, l, rows, z)
    for g in range(net.G):
        multiply_rows(net.many, rows, net.units, H, below, H, p + net.layer[l].Wx + g * H, N,
                      panels + net.layer[l].Wx_panels + g * packed_elements(p, net.units, H), net.most_rows,
                      z + input_block(net, g) * H, net.ldg)


cdef inline void add_lookup_gradient(const Network* net, const floating* dz, const int* x, Py_ssize_t B,
                                     floating* d) noexcept nogil:
    """dWx[x] += dz                                    the backward of `look_up_input`, while dz is in the cache"""
    cdef Py_ssize_t b, j, g, H = net.H
    cdef const floating* out
    cdef floating* row
    for b in range(B):
        for g in range(net.G):
            row = d + net.layer[0].Wx + (x[b] * net.G + g) * H
            out = dz + b * net.ldg + input_block(net, g) * H
            for j in range(H):
                row[j] += out[j]


cdef inline void add_lookup_bias_gradient(const Network* net, Chunk chunk, const int* x, int* seen, int now,
                                          floating* d) noexcept nogil:
    """dbh = dWx.sum(axis=0)                           every dz is in one row of dWx; rows of other symbols are zero"""
    cdef Py_ssize_t i, N = net.G * net.H
    for i in range(chunk.T * chunk.B):
        if seen[x[i]] != now:
            seen[x[i]] = now
            add_column_sums(d + net.layer[0].Wx + x[i] * N, 1, N, N, d + net.layer[0].bh)


cdef inline void project_input_back(const Network* net, const floating* p, const floating* panels, Py_ssize_t l,
                                    Py_ssize_t rows, const floating* below, const floating* dz, floating* d,
                                    floating* scratch, floating* dbelow) noexcept nogil:
    """dWx += below.T @ dz; dbh += dz.sum(axis=0); dbelow = dz @ Wx.T          the backward of `project_input`"""
    cdef Py_ssize_t H = net.H, N = net.G * H, ld = net.ldg, together = 2 * H if net.cell == GRU else N
    cdef const floating* WxT = panels + net.layer[l].WxT_panels
    cdef const floating* Wx = p + net.layer[l].Wx
    cdef floating* dWx = d + net.layer[l].Wx
    add_weight_gradient(net.many, rows, H, together, below, dz, ld, scratch, dWx, N)
    add_column_sums(dz, rows, together, ld, d + net.layer[l].bh)
    if net.cell == GRU:
        add_weight_gradient(net.many, rows, H, H, below, dz + 3 * H, ld, scratch, dWx + 2 * H, N)
        add_column_sums(dz + 3 * H, rows, H, ld, d + net.layer[l].bh + 2 * H)
        # dbelow = dz[r z] @ Wx[r z].T + dn @ Wx[n].T, so that the last block is added to the others
        multiply_split_back(net, rows, dz, Wx, WxT, dbelow)
    else:
        multiply_rows_back(net.many, rows, N, H, dz, ld, Wx, N, WxT, net.most_rows, dbelow)


cdef inline void multiply_split_back(const Network* net, Py_ssize_t rows, const floating* dz, const floating* Wx,
                                     const floating* WxT, floating* dbelow) noexcept nogil:
    """dbelow = [dr dz dn] @ Wx.T for a GRU's rows [dr dz dm dn]             (rows, H) = (rows, 3 H) (H, 3 H)'"""
    cdef Py_ssize_t H = net.H, j, width
    cdef const floating* panel
    cdef Panel part
    if not net.many:
        gemm(b"t", b"n", rows, H, 2 * H, dz, net.ldg, Wx, 3 * H, <floating>0, dbelow, H)
        gemm(b"t", b"n", rows, H, H, dz + 3 * H, net.ldg, Wx + 2 * H, 3 * H, <floating>1, dbelow, H)
        return
    memset(dbelow, 0, rows * H * sizeof(floating))
    for j in range(panel_count(dz, H, net.most_rows)):
        part = panel_in_turn(dz, H, net.most_rows, j, False)
        width = packed_elements(dz, 1, part.columns)
        panel = WxT + 3 * H * part.start
        multiply_panel(rows, 2 * H, dz, net.ldg, panel, part.columns, panel + 2 * H * width, dbelow + part.start, H)
        multiply_panel(rows, H, dz + 3 * H, net.ldg, panel + 2 * H * width, part.columns, WxT + 3 * H * part.next,
                       dbelow + part.start, H)


# --------------------------------------------------------------------------------------------------- one layer


cdef inline void begin_step(const Network* net, const floating* p, const floating* panels, Py_ssize_t B,
                            const floating* h_prev, bint back, floating* z) noexcept nogil:
    """z = bh + h_prev @ Wh                            (B, G H): of the first layer's step, what needs no symbol"""
    cdef Py_ssize_t g, H = net.H, ld = net.ldg
    cdef const floating* Wh = panels + net.layer[0].Wh_panels
    set_biases(net, p, 0, B, z)
    for g in range(net.G):
        multiply_panels(B, net.units, H, h_prev, H, Wh + g * packed_elements(p, net.units, H), net.most, z + g * H, ld,
                        back)


cdef inline void start_anew(const Network* net, const floating* p, Chunk chunk, const int* x, floating* z, floating* c,
                            floating* h) noexcept nogil:
    """After `begin_step`, of the streams that turn out to read the boundary: states of zeros, and z as from those."""
    cdef Py_ssize_t b, l, H = net.H
    for b in range(chunk.B):
        if x[b] == net.boundary:
            set_biases(net, p, 0, 1, z + b * net.ldg)
            for l in range(net.L):
                memset(h + l * chunk.states + b * H, 0, H * sizeof(floating))
                if net.cell == LSTM:
                    memset(c + l * chunk.states + b * H, 0, H * sizeof(floating))


cdef inline void finish_step(const Network* net, const floating* p, const int* x, Py_ssize_t B,
                             const floating* h_prev, const floating* c_prev, floating* z, floating* c,
                             floating* h) noexcept nogil:
    """z += Wx[x], then the cell                       for a vanilla cell z is h"""
    cdef Py_ssize_t b, j, g, n, H = net.H
    cdef const floating* row
    cdef floating* out
    for b in range(B):
        if net.cell == RNN:
            row = p + net.layer[0].Wx + x[b] * H
            out = z + b * H
            for j in range(H):
                out[j] = tanh_(out[j] + row[j])
            continue
        for g in range(net.G):
            row = p + net.layer[0].Wx + (x[b] * net.G + g) * H
            out = z + b * net.ldg + input_block(net, g) * H
            for j in range(H):
                out[j] += row[j]
        j = 0
        while j < H:
            n = min(H - j, <Py_ssize_t>MOST_COLUMNS)
            if net.cell == GRU:
                gru_units(n, H, h_prev + b * H + j, z + b * net.ldg + j, h + b * H + j)
            else:
                lstm_units(n, H, c_prev + b * H + j, z + b * net.ldg + j, c + b * H + j, h + b * H + j)
            j += n


cdef inline void recur(const Network* net, const floating* p, const floating* panels, Py_ssize_t l, Chunk chunk,
                       const int* x, Py_ssize_t first, Py_ssize_t last, floating* h, floating* c,
                       floating* gates) noexcept nogil:
    """Layer l over time steps [first, last); the input part of a higher layer is already in its place.

    h and c begin with the states before step 0, gates with those of step 0.
    """
    cdef Py_ssize_t t, B = chunk.B, H = net.H, row = B * net.ldg, step = chunk.following
    cdef const floating* Wh = panels + net.layer[l].Wh_panels
    cdef const floating* h_prev
    cdef const floating* c_prev
    cdef floating* cut = <floating*>chunk.cut
    cdef floating* z
    for t in range(first, last):
        h_prev = without_past(net, x + t * B, B, H, h + t * step, H, cut)
        c_prev = without_past(net, x + t * B, B, H, c + t * step, H, cut + B * H) if net.cell == LSTM else NULL
        z = h + (t + 1) * step if net.cell == RNN else gates + t * row
        if l == 0 and not net.training:
            # As `sample` has to do it, which knows a step's symbols only when the step's product is done.
            begin_step(net, p, panels, B, h_prev, t & 1, z)
            finish_step(net, p, x + t * B, B, h_prev, c_prev, z, c + (t + 1) * step, h + (t + 1) * step)
            continue
        if l == 0:
            look_up_input(net, p, x + t * B, B, z)
        if net.cell == RNN:
            rnn_forward(B, H, net.units, h_prev, Wh, net.most, t & 1, z)
        elif net.cell == GRU:
            gru_forward(B, H, net.units, h_prev, Wh, net.most, t & 1, z, net.ldg, h + (t + 1) * step)
        else:
            lstm_forward(B, H, net.units, h_prev, c_prev, Wh, net.most, t & 1, z, net.ldg, c + (t + 1) * step,
                         h + (t + 1) * step)


cdef inline void layers_forward(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                const int* x, Py_ssize_t first, Py_ssize_t last, const Dropout* drop, floating* h,
                                floating* c, floating* gates, floating* dropped, Py_ssize_t lowest=0) noexcept nogil:
    """The layers from the lowest one on over time steps [first, last).

    With dropout, `dropped` (L, T, B, H) is what each layer passes on.
    """
    cdef Py_ssize_t l, step = chunk.following, rows = (last - first) * chunk.B
    cdef floating* out
    cdef floating* z
    cdef const floating* below = h + (lowest - 1) * chunk.states + (first + 1) * step if lowest else NULL
    for l in range(lowest, net.L):
        if l:
            z = (h + l * chunk.states + (first + 1) * step if net.cell == RNN
                 else gates + l * chunk.gates + first * chunk.B * net.ldg)
            project_input(net, p, panels, l, rows, below, z)
        recur(net, p, panels, l, chunk, x, first, last, h + l * chunk.states, c + l * chunk.states,
              gates + l * chunk.gates)
        below = h + l * chunk.states + (first + 1) * step
        if drop != NULL:
            out = dropped + (l * chunk.T + first) * step
            memcpy(out, below, rows * net.H * sizeof(floating))
            drop_out(drop, l, first, last, chunk.B, net.H, out)
            below = out


cdef inline void recur_back(const Network* net, const floating* panels, Py_ssize_t l, Chunk chunk, const int* x,
                            Py_ssize_t first, Py_ssize_t last, const floating* h, const floating* c,
                            floating* gates, floating* dh, floating* carry, floating* d) noexcept nogil:
    """Back through layer l from time step last - 1 to first; dh (last - first, B, H) is what reaches h from above.

    `carry` (B, H) is what reaches the state before the block past its products. At the end gates hold dz.
    """
    cdef Py_ssize_t t, B = chunk.B, H = net.H, BH = B * H, row = B * net.ldg
    cdef const floating* WhT = panels + net.layer[l].WhT_panels
    cdef const floating* dz_next
    cdef const floating* before
    cdef floating* cut = <floating*>chunk.cut
    cdef floating* dz
    for t in range(last - 1, first - 1, -1):
        if net.cell == RNN:
            dz = gates + (t - first) * BH
            dz_next = gates + (chunk.block if t + 1 == last else t + 1 - first) * BH
        else:
            dz = gates + t * row
            dz_next = dz + row
        if t + 1 == chunk.T:
            dz_next = NULL
        else:
            dz_next = without_past(net, x + (t + 1) * B, B, net.G * H, dz_next, net.ldg, cut + row)
        if net.cell == RNN:
            rnn_backward(B, H, dz_next, WhT, net.most, t & 1, h + (t + 1) * BH, dz)
        elif net.cell == GRU:
            before = without_past(net, x + t * B, B, H, h + t * BH, H, cut)
            gru_backward(B, H, dz_next, WhT, net.most, t & 1, before, dz, net.ldg, dh + (t - first) * BH, carry)
        else:
            before = without_past(net, x + t * B, B, H, c + t * BH, H, cut)
            lstm_backward(B, H, dz_next, WhT, net.most, t & 1, before, dz, net.ldg, dh + (t - first) * BH, carry)
        clear_starting(net, x + t * B, B, H, carry, H)
        if l == 0:
            add_lookup_gradient(net, dz, x + t * B, B, d)


cdef inline floating* gradient_from_above(const Network* net, Chunk chunk, Py_ssize_t l, floating* gates,
                                          floating* dh) noexcept nogil:
    """Where the gradient of layer l's outputs is to be put: the vanilla cell turns it into dz in its place."""
    return gates + l * chunk.gates if net.cell == RNN else dh


cdef inline void layers_backward(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                 const int* x, Py_ssize_t first, Py_ssize_t last, const Dropout* drop,
                                 const floating* h, const floating* c, floating* gates, const floating* dropped,
                                 floating* dh, floating* carry, floating* d, floating* scratch) noexcept nogil:
    """All layers back over time steps [first, last); the top one's gradient from above is in its place."""
    cdef Py_ssize_t l, H = net.H, BH = chunk.B * H, rows = (last - first) * chunk.B, ld = net.ldg
    cdef const floating* h_l
    cdef const floating* below
    cdef floating* dz
    cdef floating* gates_l
    cdef floating* above
    for l in range(net.L - 1, -1, -1):
        h_l = h + l * chunk.states
        gates_l = gates + l * chunk.gates
        if drop != NULL:
            drop_out(drop, l, first, last, chunk.B, H, gradient_from_above(net, chunk, l, gates, dh))
        recur_back(net, panels, l, chunk, x, first, last, h_l, c + l * chunk.states, gates_l, dh, carry + l * BH, d)
        dz = gates_l if net.cell == RNN else gates_l + first * chunk.B * net.ldg
        if net.cell == GRU:
            add_column_sums(dz + 2 * H, rows, H, ld, d + net.layer[l].bn)
        if l:
            below = (dropped + ((l - 1) * chunk.T + first) * BH if drop != NULL
                     else h + (l - 1) * chunk.states + (first + 1) * BH)
            above = gradient_from_above(net, chunk, l - 1, gates, dh)
            project_input_back(net, p, panels, l, rows, below, dz, d, scratch, above)
        # What a stream read at a boundary was multiplied by Wx, but Wh had nothing to do with it: from here on without.
        clear_starting(net, x + first * chunk.B, rows, net.G * H, dz, ld)
        # dWh += h[:-1].T @ dz                         (H, G H) = (TB, H)' (TB, G H)
        add_weight_gradient(net.many, rows, H, net.G * H, h_l + first * BH, dz, ld, scratch,
                            d + net.layer[l].Wh, net.G * H)
        if net.cell == RNN:
            memcpy(gates_l + chunk.block * BH, gates_l, BH * sizeof(floating))


# --------------------------------------------------------------------------------------------------- one chunk


cdef inline void clear_gradients(const Network* net, floating* d) noexcept nogil:
    """d = 0, but for the rows of Wx, of which the update clears those that it has used."""
    memset(d + net.layer[0].Wh, 0, (net.end - net.layer[0].Wh) * sizeof(floating))


cdef inline double loss_and_gradients(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                      const int* x, floating weight, const Dropout* drop, floating* h, floating* c,
                                      floating* gates, floating* dropped, floating* y, floating* dh, floating* carry,
                                      floating* d, floating* scratch, int* seen, int now) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in d, the states in h and c.

    The rows of Wx in d must come in as zeros; `seen` (V,) holds no `now`. For the few rows of an online chunk the
    products are single calls of the BLAS; for many rows weights are packed.
    """
    cdef Py_ssize_t first, last, rows, H = net.H, V = net.V, B = chunk.B, BH = B * H, top = net.L - 1
    cdef const floating* out
    cdef double loss = 0
    clear_gradients(net, d)
    memset(carry, 0, net.L * BH * sizeof(floating))

    first = 0
    while first < chunk.T:
        last = min(first + chunk.block, chunk.T)
        rows = (last - first) * B
        layers_forward(net, p, panels, chunk, x, first, last, drop, h, c, gates, dropped)
        out = dropped + (top * chunk.T + first) * BH if drop != NULL else h + top * chunk.states + (first + 1) * BH
        # y = h[1:] @ Wy + by                          (TB, V) = (TB, H) (H, V)
        set_rows(p + net.by, rows, V, y + first * B * V, V)
        multiply_rows(net.many, rows, H, V, out, H, p + net.Wy, V, panels + net.Wy_panels, net.most_rows,
                      y + first * B * V, V)
        loss += softmax_loss(y + first * B * V, x + (first + 1) * B, rows, V, weight)
        first = last

    # From here on y holds dy.
    last = chunk.T
    while last > 0:
        first = max(last - chunk.block, 0)
        rows = (last - first) * B
        out = dropped + (top * chunk.T + first) * BH if drop != NULL else h + top * chunk.states + (first + 1) * BH
        # dWy += h[1:].T @ dy                          (H, V) = (TB, H)' (TB, V)
        add_weight_gradient(net.many, rows, H, V, out, y + first * B * V, V, scratch, d + net.Wy, V)
        add_column_sums(y + first * B * V, rows, V, V, d + net.by)
        # dh = dy @ Wy.T                               (TB, H) = (TB, V) (H, V)'
        multiply_rows_back(net.many, rows, V, H, y + first * B * V, V, p + net.Wy, V, panels + net.WyT_panels,
                           net.most_rows, gradient_from_above(net, chunk, top, gates, dh))
        layers_backward(net, p, panels, chunk, x, first, last, drop, h, c, gates, dropped, dh, carry, d, scratch)
        last = first
    add_lookup_bias_gradient(net, chunk, x, seen, now, d)
    return loss
