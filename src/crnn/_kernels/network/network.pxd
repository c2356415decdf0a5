"""The layout of a network: offsets into the flat vector of weights and into the vector of packed weights.

A Network contains offsets, which are the same for the vectors p (weights), d (gradients) and the optimizer state; the
base pointers are separate.

Sizes are in `net.dims`, offsets in `net.layer[l]`, `net.first_layer` and `net.decoder`, and what is packed for which
products in `net.packing`.

The weights of a recurrent layer are G gates side by side, (H, G H). Packed for the forward pass, each gate is a
separate matrix, (H, H): the panels of all gates for the same units can then be multiplied in sequence, and
the cell's arithmetic done on them while they are in the first-level cache. For the backward pass the transposed (G H,
H) is packed as a whole. If several threads share the units (see `thread_group`), each thread's columns are packed
separately, one thread after the other.

For inference H and V are padded to whole vectors, so that loops have no remainder: with zero weights, which keep
the states of such units at zero, and with biases of -inf, which give such symbols no probability.
"""
from ..common.interface cimport DecoderPlaces, FirstLayerTail, Network, Weights, real
from ..products.panels cimport (GRADIENT_ROWS, HEAD_ROWS, PER_ELEMENT, Range, columns_of, depth_of, head_panels, pack,
                                pack_transposed, packed_elements, panel_vectors)
from ..products.tail_columns cimport head_tail, pack_tail, tail_count, tail_length


cdef enum:
    MIN_IN_PLACE = 1 << 15  # recurrent weights of a layer; with fewer, packed weights are faster


cdef inline bint in_place(const Network* net) noexcept nogil:
    """Return whether one stream multiplies by unpacked recurrent weights; never, if the products round operands.

    Rounded operands have another layout, which only packing makes. There the answer is known at compile time, and the
    code for unpacked weights drops out.
    """
    return PER_ELEMENT == 1 and net.packing.in_place


cdef inline Py_ssize_t input_block(const Network* net, Py_ssize_t gate) noexcept nogil:
    """Return the block of a row of gates for the input part of a gate; the recurrent part has block `gate`."""
    return net.dims.G if gate == net.cell.split_gate else gate


cdef inline Py_ssize_t gates_row(const Network* net) noexcept nogil:
    """Return the elements from one row of gates to the next.

    They fill an odd number of cache lines, or else a unit's gates in all streams would map to the same few lines of the
    first-level cache. If z is stored in h, it uses the rows of h.
    """
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t lines = (net.dims.Z * net.dims.H + line - 1) // line
    return net.dims.H if net.cell.z_in_h else (lines | 1) * line


# ------------------------------------------------------------------------------------------------- the layout


cdef inline void place_panels(Network* net, bint one_row, bint one_row_products) noexcept nogil:
    """Split the packed vector among the matrices, packed for products with one row or many.

    The caller sets `packing.in_place` if the recurrent weights may stay unpacked, and finds it cleared if they are
    packed nevertheless: because the products round their operands, have many rows, or because of the sizes. Each part
    starts at `n_packed`, which then grows by the part's elements.
    """
    cdef Py_ssize_t l
    cdef bint allowed = in_place(net)
    net.packing.in_place = allowed and one_row and may_stay_unpacked(net)
    net.packing.max_vectors = panel_vectors(one_row)
    net.packing.max_row_vectors = panel_vectors(one_row_products)
    net.dims.ldg = gates_row(net)
    net.n_packed = 0
    for l in range(net.dims.L):
        place_Wh(net, l)
        if l or net.dims.E:
            place_Wx(net, l)
    place_Wy(net)
    place_first_layer_tail(net)


cdef inline bint may_stay_unpacked(const Network* net) noexcept nogil:
    """Return whether the sizes let a single thread train with recurrent weights that are not packed."""
    cdef Py_ssize_t H = net.dims.H
    return (net.packing.training and net.packing.group_size == 1 and H % GRADIENT_ROWS == 0
            and net.dims.G * H * H >= MIN_IN_PLACE)


cdef inline Py_ssize_t gate_elements(const Network* net) noexcept nogil:
    """Return the elements of one gate's weights (units, H), packed for the forward pass."""
    return packed_elements(net.dims.units, net.dims.H)


cdef inline Py_ssize_t transposed_elements(const Network* net) noexcept nogil:
    """Return the elements of a layer's transposed weights (G H, H), packed for the backward pass."""
    return packed_elements(net.dims.G * net.dims.H, net.dims.H)


cdef inline void place_Wh(Network* net, Py_ssize_t l) noexcept nogil:
    """Place a layer's recurrent weights, which take no room if they stay unpacked."""
    cdef bint packed = not in_place(net)
    net.layer[l].Wh_panels = net.n_packed
    if packed:
        net.n_packed += net.dims.G * gate_elements(net)
    net.layer[l].WhT_panels = net.n_packed
    if packed and net.packing.training:
        net.n_packed += transposed_elements(net)


cdef inline void place_Wx(Network* net, Py_ssize_t l) noexcept nogil:
    """Place the input weights of a layer above the first, (H, G H), or above an embedding, (E, G H)."""
    cdef Py_ssize_t E = net.dims.E
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    net.layer[l].Wx_panels = net.n_packed
    if net.packing.many and l == 0:
        net.n_packed += packed_elements(E, N)
    elif net.packing.many:
        net.n_packed += net.dims.G * gate_elements(net)
    net.layer[l].WxT_panels = net.n_packed
    if l == 0:
        net.n_packed += packed_elements(N, E)
    elif net.packing.training:
        net.n_packed += transposed_elements(net)


cdef inline void place_Wy(Network* net) noexcept nogil:
    """Place the decoder's weights (H, V); a sampled softmax packs columns of them itself."""
    cdef DecoderPlaces* decoder = &net.decoder
    cdef bint packed = not decoder.sampled
    decoder.symbols_tail = 0
    decoder.symbols_in_panels = net.dims.V
    if packed and net.packing.many:
        decoder.symbols_tail = tail_count(net.dims.symbols)
    if decoder.symbols_tail:
        decoder.symbols_in_panels = net.dims.symbols - decoder.symbols_tail
    decoder.Wy_panels = net.n_packed
    if packed and net.packing.many:
        net.n_packed += packed_elements(net.dims.units, decoder.symbols_in_panels)
    decoder.Wy_tail = net.n_packed
    net.n_packed += decoder.symbols_tail * tail_length(net.dims.units)
    decoder.WyT_panels = net.n_packed
    if packed and net.packing.training:
        net.n_packed += packed_elements(net.dims.V, net.dims.H)


cdef inline void place_first_layer_tail(Network* net) noexcept nogil:
    """Place the tail columns of each gate of the first layer's Wh, which only inference has."""
    cdef FirstLayerTail* first = &net.first_layer
    first.units_tail = 0
    first.units_in_panels = net.dims.H
    if not net.packing.training:
        first.units_tail = tail_count(net.dims.units)
    if first.units_tail:
        first.units_in_panels = net.dims.units - first.units_tail
    first.Wh_tail = net.n_packed
    net.n_packed += net.dims.G * first_tail_elements(net)


cdef inline Py_ssize_t first_tail_elements(const Network* net) noexcept nogil:
    """Return the elements of the tail columns of one gate of the first layer's Wh."""
    return net.first_layer.units_tail * tail_length(net.dims.units)


# ------------------------------------------------------------------------------------------------- packing


cdef inline void pack_gates(const Network* net, const real* W, Py_ssize_t N, int max_vectors, bint forward,
                            Py_ssize_t first, Py_ssize_t last, real* panels, real* transposed) noexcept nogil:
    """Pack rows [first, last) of the weights W (H, G H) of a layer: for the forward pass, with the first N columns of
    each gate, if `forward`, and for training also for the backward pass."""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t columns = net.dims.G * H
    cdef Py_ssize_t g
    cdef Range part
    cdef int rank
    if forward:
        for rank in range(net.packing.group_size):
            part = columns_of(N, rank, net.packing.group_size)
            for g in range(net.dims.G):
                pack(W + g * H + part.first, net.dims.units, part.count, columns, max_vectors, first, last,
                     panels + g * gate_elements(net) + depth_of(net.dims.units) * part.first)
    if net.packing.training:
        pack_back(net, W, columns, max_vectors, first, last, transposed)


cdef inline void pack_back(const Network* net, const real* W, Py_ssize_t K, int max_vectors, Py_ssize_t first,
                           Py_ssize_t last, real* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, H), which lead back to the units, for weights W (H, K)."""
    cdef Range part
    cdef int rank
    for rank in range(net.packing.group_size):
        part = columns_of(net.dims.H, rank, net.packing.group_size)
        if part.first < last and first < part.first + part.count:
            pack_transposed(W + part.first * K, K, part.count, max_vectors, max(first - part.first, <Py_ssize_t>0),
                            min(last - part.first, part.count), panels + depth_of(K) * part.first)


cdef inline void pack_Wh(const Network* net, const real* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of a layer's recurrent weights (H, G H), unless they stay unpacked."""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef Py_ssize_t g
    cdef const real* W = p + net.layer[l].Wh
    if in_place(net):
        return
    pack_gates(net, W, H if l else whole, net.packing.max_vectors, forward=True, first=first, last=last,
               panels=panels + net.layer[l].Wh_panels, transposed=panels + net.layer[l].WhT_panels)
    if l == 0:
        for g in range(net.dims.G):
            pack_tail(W + g * H + whole, net.dims.units, net.first_layer.units_tail, net.dims.G * H, first, last,
                      panels + net.first_layer.Wh_tail + g * first_tail_elements(net))


cdef inline Py_ssize_t input_rows(const Network* net, Py_ssize_t l) noexcept nogil:
    """Return the number of packed rows of a layer's input weights: 0 for lookup tables."""
    return net.dims.units if l else net.dims.E


cdef inline void pack_Wx(const Network* net, const real* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of the input weights of a layer above the first, or above an embedding.

    The matrix above an embedding (E, G H) is never split: each thread of a group multiplies its own rows.
    """
    cdef const real* W = p + net.layer[l].Wx
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef int max_vectors = net.packing.max_row_vectors
    if l:
        pack_gates(net, W, net.dims.H, max_vectors, net.packing.many, first, last, panels + net.layer[l].Wx_panels,
                   panels + net.layer[l].WxT_panels)
        return
    if net.packing.many:
        pack(W, net.dims.E, N, N, max_vectors, first, last, panels + net.layer[l].Wx_panels)
    pack_transposed(W, N, net.dims.E, max_vectors, first, last, panels + net.layer[l].WxT_panels)


cdef inline void pack_Wy(const Network* net, const real* p, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of the decoder's weights (H, V); a sampled softmax packs columns of them itself."""
    cdef const DecoderPlaces* decoder = &net.decoder
    cdef const real* Wy = p + decoder.Wy
    if decoder.sampled:
        return
    if net.packing.many:
        pack(Wy, net.dims.units, decoder.symbols_in_panels, net.dims.V, net.packing.max_row_vectors, first, last,
             panels + decoder.Wy_panels)
        pack_tail(Wy + decoder.symbols_in_panels, net.dims.units, decoder.symbols_tail, net.dims.V, first, last,
                  panels + decoder.Wy_tail)
    if net.packing.training:
        pack_back(net, Wy, net.dims.V, net.packing.max_row_vectors, first, last, panels + decoder.WyT_panels)


cdef inline void pack_rows(const Weights* w, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Pack rows [first, last) of every matrix with products in panels; a matrix may end before `last`."""
    cdef const Network* net = w.net
    cdef Py_ssize_t last_unit = min(last, net.dims.units)
    cdef Py_ssize_t last_input
    cdef Py_ssize_t l
    for l in range(net.dims.L):
        if first < last_unit:
            pack_Wh(net, w.p, l, first, last_unit, w.panels)
        last_input = min(last, input_rows(net, l))
        if first < last_input:
            pack_Wx(net, w.p, l, first, last_input, w.panels)
    if first < last_unit:
        pack_Wy(net, w.p, first, last_unit, w.panels)
    if HEAD_ROWS and first < last_unit == net.dims.units:
        set_heads(w)


cdef inline void set_heads(const Weights* w) noexcept nogil:
    """After all rows: set the heads of the panels and tail columns for inference, from the scales of the columns.

    The scales are (L, 2, G H) for each layer's Wx and Wh, and (V,) for Wy.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t K = net.dims.units
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t whole = net.decoder.symbols_in_panels
    cdef Py_ssize_t l
    cdef const real* scales = w.scales
    for l in range(net.dims.L):
        if l:
            set_heads_of_Wx(w, l, scales)
        set_heads_of_Wh(w, l, scales + N)
        scales += 2 * N
    head_panels(K, whole, net.packing.max_row_vectors, scales, w.panels + net.decoder.Wy_panels)
    head_tail(K, net.decoder.symbols_tail, scales + whole, w.panels + net.decoder.Wy_tail)


cdef inline void set_heads_of_Wx(const Weights* w, Py_ssize_t l, const real* scales) noexcept nogil:
    """Set the heads of the packed input weights of a layer above the first, from the scales (G H,)."""
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        head_panels(net.dims.units, H, net.packing.max_row_vectors, scales + g * H,
                    w.panels + net.layer[l].Wx_panels + g * gate_elements(net))


cdef inline void set_heads_of_Wh(const Weights* w, Py_ssize_t l, const real* scales) noexcept nogil:
    """Set the heads of a layer's packed recurrent weights, from the scales (G H,)."""
    cdef const Network* net = w.net
    cdef Py_ssize_t K = net.dims.units
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        head_panels(K, H if l else whole, net.packing.max_vectors, scales + g * H,
                    w.panels + net.layer[l].Wh_panels + g * gate_elements(net))
        if l == 0:
            head_tail(K, net.first_layer.units_tail, scales + g * H + whole,
                      w.panels + net.first_layer.Wh_tail + g * first_tail_elements(net))
