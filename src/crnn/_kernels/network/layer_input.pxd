"""The input of higher layers, from the layer below, and its gradient, by products. For the first layer: `input_tables`.

Each function computes the `own` units of one thread in a group.
"""
from ..common.interface cimport Network, Weights, Workspace, real
from ..products.blas cimport add_product
from ..products.panels cimport (Panel, Range, as_operand, depth_of, multiply_panel, multiply_panels, operand_elements,
                                operand_rows, packed_elements, panel_among, panel_count)
from ..threads.step_poll cimport is_canceled
from ..threads.thread_group cimport own_columns
from .network cimport input_block
from .row_products cimport add_column_sums, add_weight_gradient, clear_rows, multiply_rows_back, set_rows
from .shared_step cimport share_input_product


cdef inline void set_split_bias(const Network* net, const real* p, Py_ssize_t l, Range own, Py_ssize_t rows,
                                real* z) noexcept nogil:
    """z[split gate] = bn                              (rows, H): the recurrent part's own bias, if a gate is split"""
    if net.split_gate >= 0:
        set_rows(p + net.layer[l].bn + own.first, rows, own.count, z + net.split_gate * net.H + own.first, net.ldg)


cdef inline void set_biases(const Network* net, const real* p, Py_ssize_t l, Range own, Py_ssize_t rows,
                            real* z) noexcept nogil:
    """z = bh                                          (rows, G H): to which a layer's products are then added"""
    cdef Py_ssize_t g, H = net.H
    for g in range(net.G):
        set_rows(p + net.layer[l].bh + g * H + own.first, rows, own.count, z + input_block(net, g) * H + own.first,
                 net.ldg)
    set_split_bias(net, p, l, own, rows, z)


cdef inline void project_input(const Weights* w, const Workspace* work, Py_ssize_t l, Range own, Py_ssize_t rows,
                               const real* below, real* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H): the input of a higher layer"""
    cdef const Network* net = w.net
    cdef Py_ssize_t g, H = net.H, gate = packed_elements(net.units, H)
    cdef const real* Wx = w.p + net.layer[l].Wx + own.first
    cdef const real* panels = w.panels + net.layer[l].Wx_panels + depth_of(net.units) * own.first
    cdef operand_rows a = as_operand(rows, net.units, below, H, work.scratch)
    cdef real* out
    if work.shared != NULL:
        share_input_product(work.shared, w, l, rows, a, z)
        return
    set_biases(net, w.p, l, own, rows, z)
    for g in range(net.G):
        if is_canceled(work):
            return
        out = z + input_block(net, g) * H + own.first
        if net.gemm == NULL:
            multiply_panels(rows, net.units, own.count, a.first, a.stride, panels + g * gate, net.max_row_vectors, out,
                            net.ldg)
        else:
            add_product(net.gemm, rows, own.count, net.units, below, H, Wx + g * H, net.G * H, out, net.ldg)


cdef inline void project_input_back(const Weights* w, const Workspace* work, Py_ssize_t l, Py_ssize_t rows,
                                    const real* below, const real* dz, real* dbelow) noexcept nogil:
    """dWx += below.T @ dz; dbh += dz.sum(axis=0); dbelow = dz @ Wx.T          the backward of `project_input`

    (H, G H) += (rows, H)' (rows, G H);  (G H,) += (rows, G H);  (rows, H) = (rows, G H) (H, G H)'
    """
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.H, N = net.G * H, ld = net.ldg, split = net.split_gate
    cdef Range own = own_columns(&work.group, H), part = own_columns(&work.group, split * H if split >= 0 else N)
    cdef const real* WxT = w.panels + net.layer[l].WxT_panels
    cdef real* dWx = work.d + net.layer[l].Wx
    cdef real* dbh = work.d + net.layer[l].bh
    add_weight_gradient(net, work, rows, H, part.count, below, dz + part.first, ld, dWx + part.first, N)
    add_column_sums(dz + part.first, rows, part.count, ld, dbh + part.first)
    if split >= 0:  # the input part of the last gate is in block G
        dz += N
        add_weight_gradient(net, work, rows, H, own.count, below, dz + own.first, ld, dWx + split * H + own.first, N)
        add_column_sums(dz + own.first, rows, own.count, ld, dbh + split * H + own.first)
        multiply_split_back(net, work, own, rows, dz - N, WxT, dbelow)
    else:
        multiply_rows_back(work, rows, N, own.count, dz, ld, WxT + depth_of(N) * own.first, net.max_row_vectors,
                           dbelow + own.first, H)


cdef inline void multiply_split_back(const Network* net, const Workspace* work, Range own, Py_ssize_t rows,
                                     const real* dz, const real* WxT, real* dbelow) noexcept nogil:
    """dbelow = dz[:, gates before the split one] @ Wx.T + dz[:, block G] @ Wx[:, split gate].T

    (rows, H) = (rows, S H) (H, S H)' + (rows, H) (H, H)' for the split gate S, the last one; S is even, so that the two
    parts have no packed element in common.
    """
    cdef Py_ssize_t H = net.H, depth = depth_of(net.G * H), before = net.split_gate * H, j, width
    cdef operand_rows a = as_operand(rows, before, dz, net.ldg, work.scratch)
    cdef operand_rows b = as_operand(rows, H, dz + net.G * H, net.ldg, work.scratch + operand_elements(rows, before))
    cdef const real* panel
    cdef Panel part
    clear_rows(rows, own.count, dbelow + own.first, H)
    for j in range(panel_count(own.count, net.max_row_vectors)):
        if is_canceled(work):
            return
        part = panel_among(own, net.max_row_vectors, j, False)
        width = packed_elements(1, part.columns)
        panel = WxT + depth * part.start
        width *= depth_of(before)  # of the panel's first part
        multiply_panel(rows, before, a.first, a.stride, panel, part.columns, panel + width, dbelow + part.start, H,
                       False)
        multiply_panel(rows, H, b.first, b.stride, panel + width, part.columns, WxT + depth * part.next,
                       dbelow + part.start, H, False)
