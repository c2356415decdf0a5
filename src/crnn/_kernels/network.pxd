"""Where everything of a network lies: offsets into the flat vector of weights and into that of packed weights.

Structures cannot have the weights' type as a parameter, so a Network holds offsets, and every function takes the base
pointers beside it: p (weights), d (gradients, of the same layout), panels (packed weights).

The weights of a recurrent layer are G gates side by side, (H, G H). Packed for the forward pass each gate is a matrix
of its own, (H, H): the panels of all gates that belong to the same units can then be multiplied one after the other and
the cell's arithmetic done on them while they are in the first-level cache. For the backward pass the transposed
(G H, H) is packed as a whole. Where several threads share the units (see `crew`), the columns of each are packed for
themselves, one thread's after the other's.

For inference H and V are padded to whole vectors, so that no loop has a remainder: with weights of zero, under which
the states of such units stay zero, and with biases of -inf, under which such symbols have no probability.
"""
from cython cimport floating
from .edges cimport edge_columns, edge_length, pack_edge
from .panels cimport Columns, columns_of, pack, pack_transposed, packed_elements

cdef enum:
    MAX_LAYERS = 64
    RNN = 0
    GRU = 1
    LSTM = 2

ctypedef struct LayerPlaces:
    Py_ssize_t Wx
    Py_ssize_t Wh
    Py_ssize_t bh
    Py_ssize_t bn
    Py_ssize_t Wx_panels  # of the layers above the first, if the network packs for many rows
    Py_ssize_t WxT_panels  # of these for any number of rows
    Py_ssize_t Wh_panels
    Py_ssize_t WhT_panels

ctypedef struct Network:
    int cell
    Py_ssize_t L
    Py_ssize_t H
    Py_ssize_t V
    Py_ssize_t units  # of the H columns, and so rows of the matrices, those that are not padding
    Py_ssize_t symbols  # of the V
    int boundary  # the symbol at which a stream's state is zero (see `boundary`); -1 if there is none
    Py_ssize_t G  # gates: blocks of H columns in the weights
    Py_ssize_t Z  # blocks of H columns in a row of the array of gates
    Py_ssize_t ldg  # elements from one such row to the next
    bint many  # products over the rows of a chunk on the way forward use packed weights, otherwise the BLAS
    bint training  # the transposed matrices are packed too
    int members  # threads that share the units
    int most  # vectors in a panel of the recurrence
    int most_rows  # vectors in a panel of the products over the rows of a chunk
    LayerPlaces layer[MAX_LAYERS]
    Py_ssize_t Wy
    Py_ssize_t by
    Py_ssize_t end
    Py_ssize_t Wy_panels  # of as many columns as are symbols_in_panels
    Py_ssize_t symbols_in_panels  # all, those of the padding too, unless there is an edge
    Py_ssize_t Wy_edge  # the columns after those
    Py_ssize_t symbols_edge  # how many they are; none if the network does not pack for many rows
    Py_ssize_t WyT_panels
    # The same of each gate of the first layer's Wh, for inference.
    Py_ssize_t units_in_panels
    Py_ssize_t Wh_edge
    Py_ssize_t units_edge
    Py_ssize_t panels_end


cdef inline Py_ssize_t input_block(const Network* net, Py_ssize_t gate) noexcept nogil:
    """Block of a row of the gates' array that takes the input part of a gate; the recurrent part has block `gate`.

    Only a GRU keeps them apart, and only for its last gate: r multiplies the recurrent part of n.
    """
    return 3 if net.cell == GRU and gate == 2 else gate


cdef inline Py_ssize_t gates_row(const Network* net, const floating* w) noexcept nogil:
    """Elements of a row of the gates' array: an odd number of cache lines, or a unit's gates in all streams would fall
    on the same few lines of the first-level cache. A vanilla cell's rows are those of h."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(floating), lines = (net.Z * net.H + line - 1) // line
    return net.H if net.cell == RNN else (lines | 1) * line


cdef inline void place_panels(Network* net, const floating* w) noexcept nogil:
    """Deal out the packed vector; `w` only tells the dtype."""
    cdef Py_ssize_t l, end = 0, H = net.H
    cdef Py_ssize_t forward = net.G * packed_elements(w, net.units, H), backward = packed_elements(w, net.G * H, H)
    net.ldg = gates_row(net, w)
    for l in range(net.L):
        net.layer[l].Wh_panels = end
        end += forward
        net.layer[l].WhT_panels = end
        end += backward if net.training else 0
        if l:
            net.layer[l].Wx_panels = end
            end += forward if net.many else 0
            net.layer[l].WxT_panels = end
            end += backward if net.training else 0
    net.Wy_panels = end
    net.symbols_edge = edge_columns(w, net.symbols) if net.many else 0
    net.symbols_in_panels = net.symbols - net.symbols_edge if net.symbols_edge else net.V
    end += packed_elements(w, net.units, net.symbols_in_panels) if net.many else 0
    net.Wy_edge = end
    end += net.symbols_edge * edge_length(w, net.units)
    net.WyT_panels = end
    end += packed_elements(w, net.V, H) if net.training else 0
    net.units_edge = 0 if net.training else edge_columns(w, net.units)
    net.units_in_panels = net.units - net.units_edge if net.units_edge else H
    net.Wh_edge = end
    end += net.G * net.units_edge * edge_length(w, net.units)
    net.panels_end = end


cdef inline void pack_gates(const Network* net, const floating* W, Py_ssize_t N, int most, bint ahead,
                            Py_ssize_t first, Py_ssize_t last, floating* panels, floating* transposed) noexcept nogil:
    """Pack rows [first, last) of the weights W (H, G H) of a layer for the way `ahead`, of each gate's columns the
    first N, and if the network is for training also for the way back."""
    cdef Py_ssize_t g, H = net.H, columns = net.G * net.H
    cdef Columns part
    cdef int m
    for m in range(net.members if ahead else 0):
        part = columns_of(W, N, m, net.members)
        for g in range(net.G):
            pack(W + g * H + part.first, net.units, part.count, columns, most, first, last,
                 panels + g * packed_elements(W, net.units, H) + net.units * part.first)
    if net.training:
        pack_back(net, W, columns, most, first, last, transposed)


cdef inline void pack_back(const Network* net, const floating* W, Py_ssize_t K, int most, Py_ssize_t first,
                           Py_ssize_t last, floating* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, H), which lead back to the units, for weights W (H, K)."""
    cdef Columns part
    cdef int m
    for m in range(net.members):
        part = columns_of(W, net.H, m, net.members)
        if part.first < last and first < part.first + part.count:
            pack_transposed(W + part.first * K, K, part.count, most, max(first - part.first, <Py_ssize_t>0),
                            min(last - part.first, part.count), panels + K * part.first)


cdef inline void pack_Wh(const Network* net, const floating* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         floating* panels) noexcept nogil:
    """Pack rows [first, last) of a layer's recurrent weights."""
    cdef Py_ssize_t g
    cdef const floating* W = p + net.layer[l].Wh
    pack_gates(net, W, net.H if l else net.units_in_panels, net.most, True, first, last,
               panels + net.layer[l].Wh_panels, panels + net.layer[l].WhT_panels)
    for g in range(0 if l else net.G):
        pack_edge(W + g * net.H + net.units_in_panels, net.units, net.units_edge, net.G * net.H, first, last,
                  panels + net.Wh_edge + g * net.units_edge * edge_length(p, net.units))


cdef inline void pack_Wx(const Network* net, const floating* p, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last,
                         floating* panels) noexcept nogil:
    """Pack rows [first, last) of the input weights of a layer above the first."""
    pack_gates(net, p + net.layer[l].Wx, net.H, net.most_rows, net.many, first, last, panels + net.layer[l].Wx_panels,
               panels + net.layer[l].WxT_panels)


cdef inline void pack_Wy(const Network* net, const floating* p, Py_ssize_t first, Py_ssize_t last,
                         floating* panels) noexcept nogil:
    """Pack rows [first, last) of the decoder's weights (H, V)."""
    if net.many:
        pack(p + net.Wy, net.units, net.symbols_in_panels, net.V, net.most_rows, first, last, panels + net.Wy_panels)
        pack_edge(p + net.Wy + net.symbols_in_panels, net.units, net.symbols_edge, net.V, first, last,
                  panels + net.Wy_edge)
    if net.training:
        pack_back(net, p + net.Wy, net.V, net.most_rows, first, last, panels + net.WyT_panels)


cdef inline void pack_network(const Network* net, const floating* p, floating* panels) noexcept nogil:
    """Pack all that the network multiplies by in panels."""
    cdef Py_ssize_t l
    for l in range(net.L):
        pack_Wh(net, p, l, 0, net.units, panels)
        if l:
            pack_Wx(net, p, l, 0, net.units, panels)
    pack_Wy(net, p, 0, net.units, panels)
