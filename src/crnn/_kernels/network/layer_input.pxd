"""The input of higher layers, from the layer below, and its gradient, by products. For the first layer: `input_tables`.

Each function computes the units of one thread in a group.
"""
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.blas cimport add_product
from ..products.panels cimport (Panel, Range, as_operand, depth_of, multiply_panel, multiply_panels, operand_elements,
                                operand_rows, packed_elements, panel_among, panel_count)
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport columns_of_thread
from .layer_steps cimport set_biases, share_input_product
from .network cimport input_block
from .row_products cimport add_column_sums, add_weight_gradient, clear_rows, multiply_rows_back


cdef inline void project_input(const Weights* w, const Workspace* work, Py_ssize_t l, Range units, Py_ssize_t rows,
                               const real* below, real* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H): the input of a higher layer"""
    cdef const Network* net = w.net
    cdef Py_ssize_t K = net.dims.units
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t ld = net.dims.ldg
    cdef Py_ssize_t gate = packed_elements(K, H)
    cdef const real* Wx = w.p + net.layer[l].Wx + units.first
    cdef const real* panels = w.panels + net.layer[l].Wx_panels + depth_of(K) * units.first
    cdef operand_rows a = as_operand(rows, K, below, H, work.scratch)
    cdef real* out
    cdef Py_ssize_t g
    if work.shared != NULL:
        share_input_product(work.shared, w, l, rows, a, z)
        return
    set_biases(net, w.p, l, units, rows, z)
    for g in range(net.dims.G):
        if is_canceled(work):
            return
        out = z + input_block(net, g) * H + units.first
        if net.packing.gemm == NULL:
            multiply_panels(rows, K, units.count, a.first, a.stride, panels + g * gate, net.packing.max_row_vectors,
                            out, ld)
        else:
            add_product(net.packing.gemm, rows, units.count, K, below, H, Wx + g * H, net.dims.G * H, out, ld)


cdef inline void project_input_back(const Weights* w, const Workspace* work, Py_ssize_t l, Py_ssize_t rows,
                                    const real* below, const real* dz, real* dbelow) noexcept nogil:
    """dWx += below.T @ dz; dbh += dz.sum(axis=0); dbelow = dz @ Wx.T          the backward of `project_input`

    (H, G H) += (rows, H)' (rows, G H);  (G H,) += (rows, G H);  (rows, H) = (rows, G H) (H, G H)'
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t N = net.dims.G * H
    cdef Range units = columns_of_thread(&work.group, H)
    cdef const real* WxT = w.panels + net.layer[l].WxT_panels
    if net.cell.split_gate >= 0:
        add_input_gradient(net, work, l, rows, below, dz, columns_of_thread(&work.group, net.cell.split_gate * H), 0)
        # The input part of the split gate is in block G of dz, N elements on.
        add_input_gradient(net, work, l, rows, below, dz + N, units, net.cell.split_gate * H)
        multiply_split_back(net, work, units, rows, dz, WxT, dbelow)
    else:
        add_input_gradient(net, work, l, rows, below, dz, columns_of_thread(&work.group, N), 0)
        multiply_rows_back(work, rows, N, units.count, dz, net.dims.ldg, WxT + depth_of(N) * units.first,
                           net.packing.max_row_vectors, dbelow + units.first, H)


cdef inline void add_input_gradient(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t rows,
                                    const real* below, const real* dz, Range part, Py_ssize_t place) noexcept nogil:
    """dWx[:, place + part] += below.T @ dz[:, part]; dbh[place + part] += dz[:, part].sum(axis=0)"""
    cdef Py_ssize_t N = net.dims.G * net.dims.H
    cdef Py_ssize_t first = place + part.first
    add_weight_gradient(net, work, rows, net.dims.H, part.count, below, dz + part.first, net.dims.ldg,
                        work.d + net.layer[l].Wx + first, N)
    add_column_sums(dz + part.first, rows, part.count, net.dims.ldg, work.d + net.layer[l].bh + first)


cdef inline void multiply_split_back(const Network* net, const Workspace* work, Range units, Py_ssize_t rows,
                                     const real* dz, const real* WxT, real* dbelow) noexcept nogil:
    """dbelow = dz[:, gates before the split one] @ Wx.T + dz[:, block G] @ Wx[:, split gate].T

    (rows, H) = (rows, S H) (H, S H)' + (rows, H) (H, H)' for the split gate S, the last one; S is even, so that the two
    parts have no packed element in common.
    """
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t depth = depth_of(net.dims.G * H)
    cdef Py_ssize_t before = net.cell.split_gate * H
    cdef real* second_room = work.scratch + operand_elements(rows, before)
    cdef operand_rows a = as_operand(rows, before, dz, net.dims.ldg, work.scratch)
    cdef operand_rows b = as_operand(rows, H, dz + net.dims.G * H, net.dims.ldg, second_room)
    cdef const real* panel
    cdef const real* second_panel
    cdef Panel part
    cdef Py_ssize_t j
    clear_rows(rows, units.count, dbelow + units.first, H)
    for j in range(panel_count(units.count, net.packing.max_row_vectors)):
        if is_canceled(work):
            return
        part = panel_among(units, net.packing.max_row_vectors, j, back=False)
        panel = WxT + depth * part.start
        second_panel = panel + packed_elements(1, part.columns) * depth_of(before)
        multiply_panel(rows, before, a.first, a.stride, panel, part.columns, second_panel, dbelow + part.start, H,
                       descending=False)
        multiply_panel(rows, H, b.first, b.stride, second_panel, part.columns, WxT + depth * part.next,
                       dbelow + part.start, H, descending=False)
