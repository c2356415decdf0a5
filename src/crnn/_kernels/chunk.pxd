"""One chunk through the network: rows of Wx, the cells over T steps, logits, loss, and the same backwards.

Time-major arrays, a layer after the other: h (L, T + 1, B, H) with the carried states in h[:, 0], c like it for an
LSTM; y (T, B, V) the logits and then dy; gates as the cell says, (L, T, B, Z H) for a GRU or an LSTM. The vanilla cell
needs no gates: there the array holds dz, the gradient of what tanh is applied to, for a few time steps at a time, and
one row more for the step after them.
x (T + 1, B) holds the chunk's symbols and one more row: x[:-1] are the inputs, x[1:] the targets.

A chunk is taken `block_steps` time steps at a time through all layers, so that what one stage leaves in the cache the
next one finds there.

Everything here may be done by a crew: each member calls the same functions with the same arrays, writes what belongs to
its own units (of logits: to its own rows), and meets the others before it reads what they have written.
"""
from cython cimport floating
from libc.string cimport memcpy, memset
from .boundary cimport clear_starting, without_past
from .crew cimport Crew, alone, meet, own_columns, own_share
from .decoder cimport decode, decode_back
from .dropout cimport Dropout, drop_out
from .edges cimport edge_length, multiply_edge
from .elementwise cimport tanh_
from .gru cimport gru_backward, gru_forward, gru_units
from .layer_input cimport (add_lookup_bias_gradient, add_lookup_gradient, look_up_input, project_input,
                           project_input_back, set_biases)
from .lstm cimport lstm_backward, lstm_forward, lstm_units
from .network cimport GRU, LSTM, RNN, Network, input_block
from .panels cimport MOST_COLUMNS, Columns, multiply_panels, packed_elements, transposed_scratch
from .rnn cimport rnn_backward, rnn_forward
from .row_products cimport add_column_sums, add_weight_gradient
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
    void* cut  # with a boundary: room for one step's states, and for training also for one step's dz; a member's own
    Crew crew


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
    chunk.crew = alone()
    return chunk


cdef inline Py_ssize_t chunk_scratch(const Network* net, Py_ssize_t T, Py_ssize_t B, const floating* w) noexcept nogil:
    """Elements of the scratch of `loss_and_gradients`; `w` only tells the dtype."""
    return transposed_scratch(w, block_steps(T, B) * B, net.H)


# --------------------------------------------------------------------------------------------------- one layer


cdef inline void begin_step(const Network* net, const floating* p, const floating* panels, Py_ssize_t B,
                            const floating* h_prev, bint back, floating* z) noexcept nogil:
    """z = bh + h_prev @ Wh                            (B, G H): of the first layer's step, what needs no symbol"""
    cdef Py_ssize_t g, H = net.H, ld = net.ldg, whole = net.units_in_panels
    cdef const floating* Wh = panels + net.layer[0].Wh_panels
    cdef const floating* edge = panels + net.Wh_edge
    set_biases(net, p, 0, Columns(0, H), B, z)
    for g in range(net.G):
        multiply_panels(B, net.units, whole, h_prev, H, Wh + g * packed_elements(p, net.units, H), net.most, z + g * H,
                        ld, back)
        # Padding of the units, where there is any, is zeros in h_prev and in the packed columns.
        multiply_edge(B, H, h_prev, H, edge + g * net.units_edge * edge_length(p, H), net.units_edge,
                      z + g * H + whole, ld)


cdef inline void start_anew(const Network* net, const floating* p, Chunk chunk, const int* x, floating* z, floating* c,
                            floating* h) noexcept nogil:
    """After `begin_step`, of the streams that turn out to read the boundary: states of zeros, and z as from those."""
    cdef Py_ssize_t b, l, H = net.H
    for b in range(chunk.B):
        if x[b] == net.boundary:
            set_biases(net, p, 0, Columns(0, H), 1, z + b * net.ldg)
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
    cdef Columns own = own_columns(&chunk.crew, p, H)
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
            look_up_input(net, p, x + t * B, own, B, z)
        if net.cell == RNN:
            rnn_forward(B, H, net.units, own, h_prev, Wh, net.most, t & 1, net.training & t, z)
        elif net.cell == GRU:
            gru_forward(B, H, net.units, own, h_prev, Wh, net.most, t & 1, z, net.ldg, h + (t + 1) * step)
        else:
            lstm_forward(B, H, net.units, own, h_prev, c_prev, Wh, net.most, t & 1, z, net.ldg, c + (t + 1) * step,
                         h + (t + 1) * step)
        meet(&chunk.crew)


cdef inline void layers_forward(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                const int* x, Py_ssize_t first, Py_ssize_t last, const Dropout* drop, floating* h,
                                floating* c, floating* gates, floating* dropped, Py_ssize_t lowest=0) noexcept nogil:
    """The layers from the lowest one on over time steps [first, last).

    With dropout, `dropped` (L, T, B, H) is what each layer passes on.
    """
    cdef Py_ssize_t l, r, step = chunk.following, rows = (last - first) * chunk.B
    cdef Columns own = own_columns(&chunk.crew, p, net.H)
    cdef floating* out
    cdef floating* z
    cdef const floating* below = h + (lowest - 1) * chunk.states + (first + 1) * step if lowest else NULL
    for l in range(lowest, net.L):
        if l:
            z = (h + l * chunk.states + (first + 1) * step if net.cell == RNN
                 else gates + l * chunk.gates + first * chunk.B * net.ldg)
            project_input(net, p, panels, l, own, rows, below, z)
        recur(net, p, panels, l, chunk, x, first, last, h + l * chunk.states, c + l * chunk.states,
              gates + l * chunk.gates)
        below = h + l * chunk.states + (first + 1) * step
        if drop != NULL:
            out = dropped + (l * chunk.T + first) * step
            for r in range(rows):
                memcpy(out + r * net.H + own.first, below + r * net.H + own.first, own.count * sizeof(floating))
            drop_out(drop, l, first, last, chunk.B, net.H, own, out)
            meet(&chunk.crew)
            below = out


cdef inline void recur_back(const Network* net, const floating* panels, Py_ssize_t l, Chunk chunk, const int* x,
                            Py_ssize_t first, Py_ssize_t last, const floating* h, const floating* c,
                            floating* gates, floating* dh, floating* carry, floating* d) noexcept nogil:
    """Back through layer l from time step last - 1 to first; dh (last - first, B, H) is what reaches h from above.

    `carry` (B, H) is what reaches the state before the block past its products. At the end gates hold dz.
    """
    cdef Py_ssize_t t, B = chunk.B, H = net.H, BH = B * H, row = B * net.ldg
    cdef Columns own = own_columns(&chunk.crew, h, H)
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
            rnn_backward(B, H, own, dz_next, WhT, net.most, t & 1, h + (t + 1) * BH, dz)
        elif net.cell == GRU:
            before = without_past(net, x + t * B, B, H, h + t * BH, H, cut)
            gru_backward(B, H, own, dz_next, WhT, net.most, t & 1, before, dz, net.ldg, dh + (t - first) * BH, carry)
        else:
            before = without_past(net, x + t * B, B, H, c + t * BH, H, cut)
            lstm_backward(B, H, own, dz_next, WhT, net.most, t & 1, before, dz, net.ldg, dh + (t - first) * BH, carry)
        clear_starting(net, x + t * B, B, own.count, carry + own.first, H)
        if l == 0:
            add_lookup_gradient(net, dz, x + t * B, own, B, d)
        meet(&chunk.crew)


cdef inline floating* gradient_from_above(const Network* net, Chunk chunk, Py_ssize_t l, floating* gates,
                                          floating* dh) noexcept nogil:
    """Where the gradient of layer l's outputs is to be put: the vanilla cell turns it into dz in its place."""
    return gates + l * chunk.gates if net.cell == RNN else dh


cdef inline void layers_backward(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                 const int* x, Py_ssize_t first, Py_ssize_t last, const Dropout* drop,
                                 const floating* h, const floating* c, floating* gates, const floating* dropped,
                                 floating* dh, floating* carry, floating* d, floating* scratch) noexcept nogil:
    """All layers back over time steps [first, last); the top one's gradient from above is in its place."""
    cdef Py_ssize_t l, b, H = net.H, BH = chunk.B * H, rows = (last - first) * chunk.B, ld = net.ldg
    cdef Columns own = own_columns(&chunk.crew, p, H), part = own_columns(&chunk.crew, p, net.G * H)
    cdef const floating* h_l
    cdef const floating* below
    cdef floating* dz
    cdef floating* gates_l
    cdef floating* above
    for l in range(net.L - 1, -1, -1):
        h_l = h + l * chunk.states
        gates_l = gates + l * chunk.gates
        if drop != NULL:
            drop_out(drop, l, first, last, chunk.B, H, own, gradient_from_above(net, chunk, l, gates, dh))
        recur_back(net, panels, l, chunk, x, first, last, h_l, c + l * chunk.states, gates_l, dh, carry + l * BH, d)
        dz = gates_l if net.cell == RNN else gates_l + first * chunk.B * net.ldg
        if net.cell == GRU:
            add_column_sums(dz + 2 * H + own.first, rows, own.count, ld, d + net.layer[l].bn + own.first)
        if l:
            below = (dropped + ((l - 1) * chunk.T + first) * BH if drop != NULL
                     else h + (l - 1) * chunk.states + (first + 1) * BH)
            above = gradient_from_above(net, chunk, l - 1, gates, dh)
            project_input_back(net, p, panels, l, &chunk.crew, rows, below, dz, d, scratch, above)
        meet(&chunk.crew)
        # What a stream read at a boundary was multiplied by Wx, but Wh had nothing to do with it: from here on without.
        clear_starting(net, x + first * chunk.B, rows, part.count, dz + part.first, ld)
        # dWh += h[:-1].T @ dz                         (H, G H) = (TB, H)' (TB, G H)
        add_weight_gradient(net.many, rows, H, part.count, h_l + first * BH, H, dz + part.first, ld, scratch,
                            d + net.layer[l].Wh + part.first, net.G * H)
        if net.cell == RNN:
            for b in range(chunk.B):
                memcpy(gates_l + chunk.block * BH + b * H + own.first, gates_l + b * H + own.first,
                       own.count * sizeof(floating))
    meet(&chunk.crew)


# --------------------------------------------------------------------------------------------------- one chunk


cdef inline void clear_share(const Crew* crew, floating* a, Py_ssize_t n) noexcept nogil:
    """a = 0                                           the member's share of n elements"""
    cdef Columns own = own_share(crew, n)
    memset(a + own.first, 0, own.count * sizeof(floating))


cdef inline void clear_gradients(const Network* net, const Crew* crew, floating* d) noexcept nogil:
    """d = 0                                           where gradients are added up, the member's share of it

    Not the rows of the first layer's Wx, of which the update clears those that it has used. Few rows are a chunk: the
    gradients of matrices are then products that nothing is added to.
    """
    cdef Py_ssize_t l
    if net.many:
        clear_share(crew, d + net.layer[0].Wh, net.end - net.layer[0].Wh)
        return
    for l in range(net.L):
        clear_share(crew, d + net.layer[l].bh, net.G * net.H)
        if net.layer[l].bn >= 0:
            clear_share(crew, d + net.layer[l].bn, net.H)
    clear_share(crew, d + net.by, net.V)


cdef inline double loss_and_gradients(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                                      const int* x, floating weight, const Dropout* drop, floating* h, floating* c,
                                      floating* gates, floating* dropped, floating* y, floating* dh, floating* carry,
                                      floating* d, floating* scratch, Py_ssize_t* seen, Py_ssize_t now) noexcept nogil:
    """Return the sum of the chunk's losses; leave weight times its gradients in d, the states in h and c.

    The rows of Wx in d must come in as zeros; `seen` (V,) holds no `now`. For the few rows of an online chunk the
    products are single calls of the BLAS; for many rows weights are packed. A member of a crew returns the losses of
    its own rows.
    """
    cdef Py_ssize_t first, last, rows, H = net.H, V = net.V, B = chunk.B, BH = B * H, top = net.L - 1
    cdef Columns part, own = own_columns(&chunk.crew, p, H)
    cdef const floating* out
    cdef floating* logits
    cdef double loss = 0
    clear_gradients(net, &chunk.crew, d)
    clear_share(&chunk.crew, carry, net.L * BH)

    first = 0
    while first < chunk.T:
        last = min(first + chunk.block, chunk.T)
        rows = (last - first) * B
        layers_forward(net, p, panels, chunk, x, first, last, drop, h, c, gates, dropped)
        out = dropped + (top * chunk.T + first) * BH if drop != NULL else h + top * chunk.states + (first + 1) * BH
        part = own_share(&chunk.crew, rows)
        logits = y + (first * B + part.first) * V
        decode(net, p, panels, part.count, out + part.first * H, logits)
        loss += softmax_loss(logits, x + (first + 1) * B + part.first, part.count, V, weight)
        first = last
    meet(&chunk.crew)

    # From here on y holds dy.
    last = chunk.T
    while last > 0:
        first = max(last - chunk.block, 0)
        rows = (last - first) * B
        out = dropped + (top * chunk.T + first) * BH if drop != NULL else h + top * chunk.states + (first + 1) * BH
        decode_back(net, panels, &chunk.crew, rows, out, y + first * B * V, d, scratch,
                    gradient_from_above(net, chunk, top, gates, dh))
        layers_backward(net, p, panels, chunk, x, first, last, drop, h, c, gates, dropped, dh, carry, d, scratch)
        last = first
    add_lookup_bias_gradient(net, own, chunk.T * B, x, seen, now, d)
    return loss


# ------------------------------------------------------------------------------------------ between chunks


cdef inline void clear_states(const Network* net, Chunk chunk, floating* h, floating* c) noexcept nogil:
    """Zero the states that the next chunk starts from."""
    cdef Py_ssize_t l
    for l in range(net.L):
        clear_share(&chunk.crew, h + l * chunk.states, chunk.B * net.H)
        if net.cell == LSTM:
            clear_share(&chunk.crew, c + l * chunk.states, chunk.B * net.H)
    meet(&chunk.crew)


cdef inline void carry_states(const Network* net, Chunk chunk, Py_ssize_t steps, floating* h,
                              floating* c) noexcept nogil:
    """Make the states after some steps those that the next ones start from."""
    cdef Py_ssize_t l, at, away = steps * chunk.following, size
    cdef Columns own = own_share(&chunk.crew, chunk.B * net.H)
    size = own.count * sizeof(floating)
    for l in range(net.L):
        at = l * chunk.states + own.first
        memcpy(h + at, h + at + away, size)
        if net.cell == LSTM:
            memcpy(c + at, c + at + away, size)
