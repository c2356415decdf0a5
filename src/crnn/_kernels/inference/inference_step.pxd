"""One time step of inference, split where a symbol is drawn: the products possible before it is known, and the rest."""
from ..common.interface cimport DrawSettings, Weights, Workspace, real
from ..network.decoder cimport decode
from ..network.layer_steps cimport begin_step, finish_step, restart_at_boundary
from ..network.input_tables cimport carry_symbols
from ..network.layers cimport layers_forward
from ..network.workspace cimport carry_states, layer_c, layer_h, layer_z
from .draws cimport unnormalized_softmax_rows


cdef inline void prepare_draw(const Weights* w, const Workspace* work, const DrawSettings* settings, bint ahead,
                              bint back, const Py_ssize_t* texts) noexcept nogil:
    """y = h @ Wy + by of the top layer, as probabilities up to a factor; `ahead` of the symbols also z = h @ Wh + bh

    A single stream computes both products, in alternating order: what was multiplied last, and is still in the cache,
    comes first. The exponentials wait for one another, and a second product independent of them runs meanwhile.
    """
    cdef const real* h = layer_h(work, 0, 0)
    cdef real* z = layer_z(w.net, work, 0, 0)
    if ahead and back:
        begin_step(w, work, h, back=True, z=z)
    decode(w, work.B, layer_h(work, w.net.dims.L - 1, 0), work.decoder.y, work.scratch, back)
    unnormalized_softmax_rows(w.net.dims.symbols, w.net.dims.V, settings, work.B, texts, work.decoder.y)
    if ahead and not back:
        begin_step(w, work, h, back=False, z=z)


cdef inline void advance(const Weights* w, const Workspace* work, bint ahead, bint back, const int* x) noexcept nogil:
    """h[:, 1], c[:, 1] = the states after those in h[:, 0], c[:, 0], once the symbols x (B,) are drawn."""
    cdef const real* h = layer_h(work, 0, 0)
    cdef real* z = layer_z(w.net, work, 0, 0)
    if not ahead:
        begin_step(w, work, h, back, z)
    restart_at_boundary(w, work, x, z)
    if w.net.cell.has_c:
        finish_step(w, work, x, 0, h, layer_c(work, 0, 0), z, layer_c(work, 0, 1), layer_h(work, 0, 1))
    else:
        finish_step(w, work, x, 0, h, h, z, layer_h(work, 0, 1), layer_h(work, 0, 1))
    if w.net.dims.L > 1:
        layers_forward(w, work, x, 0, 1, 1)
    carry_symbols(w.net, work, x, 1)


cdef inline void swap_states(Workspace* work) noexcept nogil:
    """After `advance`: swap the two buffers for states."""
    work.layers.h += work.layers.step_stride
    if work.layers.c != NULL:
        work.layers.c += work.layers.step_stride
    work.layers.step_stride = -work.layers.step_stride


cdef inline void restore_states(const Weights* w, Workspace* work) noexcept nogil:
    """After an odd number of `swap_states`: copy the states from the second buffer to the first."""
    swap_states(work)
    carry_states(w.net, work, 1)
