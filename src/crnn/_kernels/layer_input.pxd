"""What reaches the cells of a layer from below, and the gradient of it: look-ups in the first layer, products above.

Each function does the part of a member of a crew: that of the units which are `own`.
"""
from cython cimport floating
from .crew cimport Crew, own_columns
from .network cimport GRU, Network, input_block
from .panels cimport Columns, Panel, multiply_panel, packed_elements, panel_among, panel_count
from .row_products cimport (add_column_sums, add_weight_gradient, clear_rows, multiply_rows, multiply_rows_back,
                            set_rows)


cdef inline void set_biases(const Network* net, const floating* p, Py_ssize_t l, Columns own, Py_ssize_t rows,
                            floating* z) noexcept nogil:
    """z = bh                                          (rows, G H): what a layer's products are then added to"""
    cdef Py_ssize_t g, H = net.H
    for g in range(net.G):
        set_rows(p + net.layer[l].bh + g * H + own.first, rows, own.count, z + input_block(net, g) * H + own.first,
                 net.ldg)
    if net.cell == GRU:
        set_rows(p + net.layer[l].bn + own.first, rows, own.count, z + 2 * H + own.first, net.ldg)


cdef inline void look_up_input(const Network* net, const floating* p, const int* x, Columns own, Py_ssize_t B,
                               floating* z) noexcept nogil:
    """z = Wx[x] + bh                                  (B, G H): the first layer's input, a row for each stream"""
    cdef Py_ssize_t b, j, g, H = net.H
    cdef const floating* bias
    cdef const floating* row
    cdef floating* out
    for b in range(B):
        for g in range(net.G):
            bias = p + net.layer[0].bh + g * H + own.first
            row = p + net.layer[0].Wx + (x[b] * net.G + g) * H + own.first
            out = z + b * net.ldg + input_block(net, g) * H + own.first
            for j in range(own.count):
                out[j] = row[j] + bias[j]
    if net.cell == GRU:
        set_rows(p + net.layer[0].bn + own.first, B, own.count, z + 2 * H + own.first, net.ldg)


cdef inline void project_input(const Network* net, const floating* p, const floating* panels, Py_ssize_t l,
                               Columns own, Py_ssize_t rows, const floating* below, floating* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H): the input of a higher layer"""
    cdef Py_ssize_t g, H = net.H, N = net.G * H
    set_biases(net, p, l, own, rows, z)
    for g in range(net.G):
        multiply_rows(net.many, rows, net.units, own.count, below, H, p + net.layer[l].Wx + g * H + own.first, N,
                      panels + net.layer[l].Wx_panels + g * packed_elements(p, net.units, H) + net.units * own.first,
                      net.most_rows, z + input_block(net, g) * H + own.first, net.ldg)


cdef inline void add_lookup_gradient(const Network* net, const floating* dz, const int* x, Columns own, Py_ssize_t B,
                                     floating* d) noexcept nogil:
    """dWx[x] += dz                                    the backward of `look_up_input`, while dz is in the cache"""
    cdef Py_ssize_t b, j, g, H = net.H
    cdef const floating* out
    cdef floating* row
    for b in range(B):
        for g in range(net.G):
            row = d + net.layer[0].Wx + (x[b] * net.G + g) * H + own.first
            out = dz + b * net.ldg + input_block(net, g) * H + own.first
            for j in range(own.count):
                row[j] += out[j]


cdef inline void add_lookup_bias_gradient(const Network* net, Columns own, Py_ssize_t n, const int* x,
                                          Py_ssize_t* seen, Py_ssize_t now, floating* d) noexcept nogil:
    """dbh = dWx.sum(axis=0)                           every dz is in one row of dWx; rows of other symbols are zero"""
    cdef Py_ssize_t i, g, H = net.H, N = net.G * H, start
    for i in range(n):
        if seen[x[i]] != now:
            seen[x[i]] = now
            for g in range(net.G):
                start = g * H + own.first
                add_column_sums(d + net.layer[0].Wx + x[i] * N + start, 1, own.count, N, d + net.layer[0].bh + start)


cdef inline void project_input_back(const Network* net, const floating* p, const floating* panels, Py_ssize_t l,
                                    const Crew* crew, Py_ssize_t rows, const floating* below, const floating* dz,
                                    floating* d, floating* scratch, floating* dbelow) noexcept nogil:
    """dWx += below.T @ dz; dbh += dz.sum(axis=0); dbelow = dz @ Wx.T          the backward of `project_input`"""
    cdef Py_ssize_t H = net.H, N = net.G * H, ld = net.ldg
    cdef Columns own = own_columns(crew, p, H), part = own_columns(crew, p, 2 * H if net.cell == GRU else N)
    cdef const floating* WxT = panels + net.layer[l].WxT_panels
    cdef floating* dWx = d + net.layer[l].Wx
    cdef floating* dbh = d + net.layer[l].bh
    add_weight_gradient(net.many, rows, H, part.count, below, H, dz + part.first, ld, scratch, dWx + part.first, N)
    add_column_sums(dz + part.first, rows, part.count, ld, dbh + part.first)
    if net.cell == GRU:
        add_weight_gradient(net.many, rows, H, own.count, below, H, dz + 3 * H + own.first, ld, scratch,
                            dWx + 2 * H + own.first, N)
        add_column_sums(dz + 3 * H + own.first, rows, own.count, ld, dbh + 2 * H + own.first)
        # dbelow = dz[r z] @ Wx[r z].T + dn @ Wx[n].T, so that the last block is added to the others
        multiply_split_back(net, own, rows, dz, WxT, dbelow)
    else:
        multiply_rows_back(rows, N, own.count, dz, ld, WxT + N * own.first, net.most_rows, dbelow + own.first, H)


cdef inline void multiply_split_back(const Network* net, Columns own, Py_ssize_t rows, const floating* dz,
                                     const floating* WxT, floating* dbelow) noexcept nogil:
    """dbelow = [dr dz dn] @ Wx.T for a GRU's rows [dr dz dm dn]             (rows, H) = (rows, 3 H) (H, 3 H)'"""
    cdef Py_ssize_t H = net.H, j, width
    cdef const floating* panel
    cdef Panel part
    clear_rows(rows, own.count, dbelow + own.first, H)
    for j in range(panel_count(dz, own.count, net.most_rows)):
        part = panel_among(dz, own, net.most_rows, j, False)
        width = packed_elements(dz, 1, part.columns)
        panel = WxT + 3 * H * part.start
        multiply_panel(rows, 2 * H, dz, net.ldg, panel, part.columns, panel + 2 * H * width, dbelow + part.start, H)
        multiply_panel(rows, H, dz + 3 * H, net.ldg, panel + 2 * H * width, part.columns, WxT + 3 * H * part.next,
                       dbelow + part.start, H)
