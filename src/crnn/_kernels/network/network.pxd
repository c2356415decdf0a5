"""The layout of a network: offsets into the flat vector of weights and into the vector of packed weights.

A Network contains offsets, which are the same for the vectors p (weights), d (gradients) and the optimizer state; the
base pointers are separate.

The weights of a recurrent layer are G gates side by side, (H, G H). Packed for the forward pass, each gate is a
separate matrix, (H, H): the panels of all gates for the same units can then be multiplied in sequence, and
the cell's arithmetic done on them while they are in the first-level cache. For the backward pass the transposed (G H,
H) is packed as a whole. If several threads share the units (see `thread_group`), each thread's columns are packed
separately, one thread after the other.

For inference H and V are padded to whole vectors, so that loops have no remainder: with zero weights, which keep
the states of such units at zero, and with biases of -inf, which give such symbols no probability.
"""
from ..common.interface cimport Network, Weights, real
from ..products.panels cimport (GRADIENT_ROWS, HEAD_ROWS, PER_ELEMENT, Range, columns_of, depth_of, head_panels, pack,
                                pack_transposed, packed_elements, panel_vectors)
from ..products.tail_columns cimport head_tail, pack_tail, tail_count, tail_length


cdef enum:
    MIN_IN_PLACE = 1 << 15  # recurrent weights of a layer; with fewer, packed weights are faster


cdef inline bint in_place(const Network* net) noexcept nogil:
    """Whether one stream multiplies by unpacked recurrent weights, which is impossible if operands are rounded."""
    return PER_ELEMENT == 1 and net.in_place


cdef inline Py_ssize_t input_block(const Network* net, Py_ssize_t gate) noexcept nogil:
    """Block of a row of gates for the input part of a gate; the recurrent part has block `gate`."""
    return net.G if gate == net.split_gate else gate


cdef inline Py_ssize_t gates_row(const Network* net) noexcept nogil:
    """Elements of a row of gates: an odd number of cache lines, or else a unit's gates in all streams would map to the
    same few lines of the first-level cache. If z is stored in h, it uses the rows of h."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real), lines = (net.Z * net.H + line - 1) // line
    return net.H if net.z_in_h else (lines | 1) * line


cdef inline void place_panels(Network* net, bint one_row, bint one_row_products) noexcept nogil:
    """Split the packed vector among the matrices, packed for products with one row or many.

    `in_place` comes in as whether recurrent weights may stay unpacked; it remains true if one stream can use that.
    """
    cdef Py_ssize_t l, end = 0, H = net.H
    cdef Py_ssize_t forward = net.G * packed_elements(net.units, H), backward = packed_elements(net.G * H, H)
    net.in_place = (in_place(net) and net.training and one_row and net.group_size == 1
                    and H % GRADIENT_ROWS == 0 and net.G * H * H >= MIN_IN_PLACE)
    net.max_vectors, net.max_row_vectors = panel_vectors(one_row), panel_vectors(one_row_products)
    net.ldg = gates_row(net)
    for l in range(net.L):
        net.layer[l].Wh_panels = end
        end += 0 if in_place(net) else forward
        net.layer[l].WhT_panels = end
        end += backward if net.training and not in_place(net) else 0
        if l == 0 and net.E:
            net.layer[l].Wx_panels = end
            end += packed_elements(net.E, net.G * H) if net.many else 0
            net.layer[l].WxT_panels = end
            end += packed_elements(net.G * H, net.E)
        if l:
            net.layer[l].Wx_panels = end
            end += forward if net.many else 0
            net.layer[l].WxT_panels = end
            end += backward if net.training else 0
    net.Wy_panels = end
    net.symbols_tail = tail_count(net.symbols) if net.many and not net.sampled else 0
    net.symbols_in_panels = net.symbols - net.symbols_tail if net.symbols_tail else net.V
    end += packed_elements(net.units, net.symbols_in_panels) if net.many and not net.sampled else 0
    net.Wy_tail = end
    end += net.symbols_tail * tail_length(net.units)
    net.WyT_panels = end
    end += packed_elements(net.V, H) if net.training and not net.sampled else 0
    net.units_tail = 0 if net.training else tail_count(net.units)
    net.units_in_panels = net.units - net.units_tail if net.units_tail else H
    net.Wh_tail = end
    end += net.G * net.units_tail * tail_length(net.units)
    net.panels_end = end


cdef inline void pack_gates(const Network* net, const real* W, Py_ssize_t N, int max_vectors, bint forward,
                            Py_ssize_t first, Py_ssize_t last, real* panels, real* transposed) noexcept nogil:
    """Pack rows [first, last) of the weights W (H, G H) of a layer for the forward pass, with the first N
    columns of each gate, and for training also for the backward pass."""
    cdef Py_ssize_t g, H = net.H, columns = net.G * net.H
    cdef Range part
    cdef int rank
    for rank in range(net.group_size if forward else 0):
        part = columns_of(N, rank, net.group_size)
        for g in range(net.G):
            pack(W + g * H + part.first, net.units, part.count, columns, max_vectors, first, last,
                 panels + g * packed_elements(net.units, H) + depth_of(net.units) * part.first)
    if net.training:
        pack_back(net, W, columns, max_vectors, first, last, transposed)


cdef inline void pack_back(const Network* net, const real* W, Py_ssize_t K, int max_vectors, Py_ssize_t first,
                           Py_ssize_t last, real* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, H), which lead back to the units, for weights W (H, K)."""
    cdef Range part
    cdef int rank
    for rank in range(net.group_size):
        part = columns_of(net.H, rank, net.group_size)
        if part.first < last and first < part.first + part.count:
            pack_transposed(W + part.first * K, K, part.count, max_vectors, max(first - part.first, <Py_ssize_t>0),
                            min(last - part.first, part.count), panels + depth_of(K) * part.first)


cdef inline void pack_Wh(const Network* net, const real* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of a layer's recurrent weights."""
    cdef Py_ssize_t g
    cdef const real* W = p + net.layer[l].Wh
    if in_place(net):
        return
    pack_gates(net, W, net.H if l else net.units_in_panels, net.max_vectors, True, first, last,
               panels + net.layer[l].Wh_panels, panels + net.layer[l].WhT_panels)
    for g in range(0 if l else net.G):
        pack_tail(W + g * net.H + net.units_in_panels, net.units, net.units_tail, net.G * net.H, first, last,
                  panels + net.Wh_tail + g * net.units_tail * tail_length(net.units))


cdef inline Py_ssize_t input_rows(const Network* net, Py_ssize_t l) noexcept nogil:
    """The number of packed rows of a layer's input weights: 0 for lookup tables."""
    return net.units if l else net.E


cdef inline void pack_Wx(const Network* net, const real* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of the input weights of a layer above the first, or above an embedding.

    The matrix above an embedding (E, G H) is never split: each thread of a group multiplies its own rows.
    """
    cdef const real* W = p + net.layer[l].Wx
    cdef Py_ssize_t N = net.G * net.H
    if l == 0:
        if net.many:
            pack(W, net.E, N, N, net.max_row_vectors, first, last, panels + net.layer[l].Wx_panels)
        pack_transposed(W, N, net.E, net.max_row_vectors, first, last, panels + net.layer[l].WxT_panels)
        return
    pack_gates(net, W, net.H, net.max_row_vectors, net.many, first, last,
               panels + net.layer[l].Wx_panels, panels + net.layer[l].WxT_panels)


cdef inline void pack_Wy(const Network* net, const real* p, Py_ssize_t first, Py_ssize_t last,
                         real* panels) noexcept nogil:
    """Pack rows [first, last) of the decoder's weights (H, V); a sampled softmax packs columns of them itself."""
    if net.sampled:
        return
    if net.many:
        pack(p + net.Wy, net.units, net.symbols_in_panels, net.V, net.max_row_vectors, first, last,
             panels + net.Wy_panels)
        pack_tail(p + net.Wy + net.symbols_in_panels, net.units, net.symbols_tail, net.V, first, last,
                  panels + net.Wy_tail)
    if net.training:
        pack_back(net, p + net.Wy, net.V, net.max_row_vectors, first, last, panels + net.WyT_panels)


cdef inline void pack_rows(const Weights* w, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Pack rows [first, last) of every matrix with products in panels; a matrix may end before `last`."""
    cdef const Network* net = w.net
    cdef Py_ssize_t l, last_unit = min(last, net.units), last_input
    for l in range(net.L):
        if first < last_unit:
            pack_Wh(net, w.p, l, first, last_unit, w.panels)
        last_input = min(last, input_rows(net, l))
        if first < last_input:
            pack_Wx(net, w.p, l, first, last_input, w.panels)
    if first < last_unit:
        pack_Wy(net, w.p, first, last_unit, w.panels)
    if HEAD_ROWS and first < last_unit == net.units:
        set_heads(w)


cdef inline void set_heads(const Weights* w) noexcept nogil:
    """After all rows: set the heads of the panels and tail columns for inference, from the scales of the columns.

    The scales are (L, 2, G H) for each layer's Wx and Wh, and (V,) for Wy.
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t l, g, K = net.units, H = net.H, N = net.G * H, gate = packed_elements(K, H)
    cdef const real* scales = w.scales
    for l in range(net.L):
        for g in range(net.G):
            if l:
                head_panels(K, H, net.max_row_vectors, scales + g * H, w.panels + net.layer[l].Wx_panels + g * gate)
            head_panels(K, H if l else net.units_in_panels, net.max_vectors, scales + N + g * H,
                        w.panels + net.layer[l].Wh_panels + g * gate)
            if l == 0:
                head_tail(K, net.units_tail, scales + N + g * H + net.units_in_panels,
                          w.panels + net.Wh_tail + g * net.units_tail * tail_length(K))
        scales += 2 * N
    head_panels(K, net.symbols_in_panels, net.max_row_vectors, scales, w.panels + net.Wy_panels)
    head_tail(K, net.symbols_tail, scales + net.symbols_in_panels, w.panels + net.Wy_tail)
