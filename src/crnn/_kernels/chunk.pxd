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
from .boundary cimport clear_starting, without_past
from .dropout cimport Dropout, drop_out
from .elementwise cimport tanh_
from .gru cimport gru_backward, gru_forward, gru_units
from .layer_input cimport (add_lookup_bias_gradient, add_lookup_gradient, look_up_input, project_input,
                           project_input_back, set_biases)
from .lstm cimport lstm_backward, lstm_forward, lstm_units
from .network cimport GRU, LSTM, RNN, Network, input_block
from .panels cimport MOST_COLUMNS, multiply_panels, packed_elements, transposed_scratch
from .rnn cimport rnn_backward, rnn_forward
from .row_products cimport add_column_sums, add_weight_gradient, multiply_rows, multiply_rows_back, set_rows
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
    add_lookup_bias_gradient(net, chunk.T * B, x, seen, now, d)
    return loss


# ------------------------------------------------------------------------------------------ between chunks


cdef inline void clear_states(const Network* net, Chunk chunk, floating* h, floating* c) noexcept nogil:
    """Zero the states that the next chunk starts from."""
    cdef Py_ssize_t l, size = chunk.B * net.H * sizeof(floating)
    for l in range(net.L):
        memset(h + l * chunk.states, 0, size)
        if net.cell == LSTM:
            memset(c + l * chunk.states, 0, size)


cdef inline void carry_states(const Network* net, Chunk chunk, Py_ssize_t steps, floating* h,
                              floating* c) noexcept nogil:
    """Make the states after some steps those that the next ones start from."""
    cdef Py_ssize_t l, away = steps * chunk.following, size = chunk.B * net.H * sizeof(floating)
    for l in range(net.L):
        memcpy(h + l * chunk.states, h + l * chunk.states + away, size)
        if net.cell == LSTM:
            memcpy(c + l * chunk.states, c + l * chunk.states + away, size)
