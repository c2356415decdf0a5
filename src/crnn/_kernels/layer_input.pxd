"""What reaches the cells of a layer from below, and the gradient of it: look-ups in the first layer, products above."""
from cython cimport floating
from libc.string cimport memset
from .blas cimport gemm
from .network cimport GRU, Network, input_block
from .panels cimport Panel, multiply_panel, packed_elements, panel_count, panel_in_turn
from .row_products cimport add_column_sums, add_weight_gradient, multiply_rows, multiply_rows_back, set_rows


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


cdef inline void add_lookup_bias_gradient(const Network* net, Py_ssize_t n, const int* x, int* seen,
                                          int now, floating* d) noexcept nogil:
    """dbh = dWx.sum(axis=0)                           every dz is in one row of dWx; rows of other symbols are zero"""
    cdef Py_ssize_t i, N = net.G * net.H
    for i in range(n):
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
