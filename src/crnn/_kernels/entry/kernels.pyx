"""The kernels of one instruction set and number type, as a table of plain C functions.

This source becomes one C file, which is compiled once for each instruction set and each number type (see setup.py and
`real.h`). It has no function that Python could call: `core` takes the table from the capsule `table`, and checks every
argument before it calls a kernel. The kernels' code is in the .pxd files of the neighboring folders.
"""
from cpython.pycapsule cimport PyCapsule_New
from ..cells.elementwise cimport exp_array
from ..common.interface cimport (OF_BFLOAT16, OF_INT8, OF_NUMBERS, DrawSettings, Kernels, SharedStep, Strings, Weights,
                                 Workspace, real)
from ..inference.sampler cimport block_count
from ..inference.sampler cimport filter_logits as filter_row
from ..inference.strings cimport read_strings
from ..inference.texts cimport draw_from_rows, draw_texts
from ..network cimport shared_step
from ..network.decoder cimport decode
from ..network.input_tables cimport carry_symbols
from ..network.layers cimport layers_forward
from ..network.network cimport pack_rows, place_panels
from ..network.softmax cimport log_softmax_at
from ..network.workspace cimport carry_states, layer_h, scratch_elements, size_workspace
from ..products.panels cimport (BFLOAT16, INT8, as_operand, head_panels, multiply_panels, operand_elements,
                                operand_rows, pack, pack_transposed, packed_elements, panel_vectors)
from ..threads.step_poll cimport RELEASE_TILES
from ..training.training_loop cimport gradients_of_chunk, train
from ..training.update cimport squares_size

cdef Kernels kernels


cdef void pack_matrix(const real* W, Py_ssize_t rows, Py_ssize_t columns, bint transposed, bint one_row,
                      real* panels) noexcept nogil:
    """Pack W (rows, columns), or its transpose, for products with one row or many."""
    if transposed:
        pack_transposed(W, columns, rows, panel_vectors(one_row), 0, rows, panels)
    else:
        pack(W, rows, columns, columns, panel_vectors(one_row), 0, rows, panels)


cdef void head_matrix(Py_ssize_t K, Py_ssize_t N, bint one_row, const real* scales, real* panels) noexcept nogil:
    """Set the heads of the panels of a packed matrix (K, N), from the scales (N,) of its columns."""
    head_panels(K, N, panel_vectors(one_row), scales, panels)


cdef void multiply(Py_ssize_t M, Py_ssize_t K, Py_ssize_t N, const real* a, const real* panels, bint one_row, real* c,
                   real* room) noexcept nogil:
    """c += a @ W                                      (M, N) += (M, K) (K, N)"""
    cdef operand_rows left = as_operand(M, K, a, K, room)
    multiply_panels(M, K, N, left.first, left.stride, panels, panel_vectors(one_row), c, N, False)
    RELEASE_TILES()


cdef void feed(const Weights* w, Workspace* work, const int* x, Py_ssize_t n) noexcept nogil:
    """Advance the states over symbols x (n, B), T at a time."""
    cdef Py_ssize_t i = 0, steps
    while i < n:
        steps = min(work.T, n - i)
        layers_forward(w, work, x + i * work.B, 0, steps)
        carry_states(w.net, work, steps)
        carry_symbols(w.net, work, x + i * work.B, steps)
        i += steps
    RELEASE_TILES()


cdef void filter_logits(real* y, Py_ssize_t B, Py_ssize_t V, const DrawSettings* settings) noexcept nogil:
    """y (B, V) = probabilities, up to a factor for each row, after the controls"""
    cdef Py_ssize_t b
    for b in range(B):
        filter_row(y + b * V, V, V, settings, settings.seen + b * V if settings.seen != NULL else NULL)


cdef void logits(const Weights* w, Py_ssize_t rows, const real* top, real* y, real* room) noexcept nogil:
    decode(w, rows, top, y, room)
    RELEASE_TILES()


cdef void log_probabilities(const Weights* w, Workspace* work, const int* x, Py_ssize_t n, double* out) noexcept nogil:
    """out[t, b] = log P(x[t, b] | the states and the previous symbols), T time steps at a time

    Without `out`, the logits of all n steps are stored in `work.y`, which has room for them.
    """
    cdef Py_ssize_t t, i = 0, steps, B = work.B, V = w.net.V
    cdef real* y = work.y
    while i < n:
        steps = min(work.T, n - i)
        layers_forward(w, work, x + i * B, 0, steps)
        if out == NULL:
            y = work.y + i * B * V
        decode(w, steps * B, layer_h(work, w.net.L - 1, 0), y, work.scratch)  # of h[:-1]
        if out != NULL:
            for t in range(steps * B):
                out[i * B + t] = log_softmax_at(y + t * V, V, x[i * B + t])
        carry_states(w.net, work, steps)
        carry_symbols(w.net, work, x + i * B, steps)
        i += steps
    RELEASE_TILES()


cdef bint log_likelihoods(const Weights* w, Workspace* work, const Strings* strings, double* out) noexcept nogil:
    cdef bint known = read_strings(w, work, strings, out)
    RELEASE_TILES()
    return known


cdef void share_steps(SharedStep* step, int rank) noexcept nogil:
    shared_step.share_steps(step, rank)
    RELEASE_TILES()


kernels.itemsize, kernels.size = sizeof(real), sizeof(Kernels)
kernels.operands = OF_INT8 if INT8 else OF_BFLOAT16 if BFLOAT16 else OF_NUMBERS
kernels.place_panels, kernels.packed_elements = place_panels, packed_elements
kernels.pack_matrix, kernels.head_matrix, kernels.multiply = pack_matrix, head_matrix, multiply
kernels.pack_rows, kernels.operand_elements = pack_rows, operand_elements
kernels.size_workspace, kernels.sums_size = size_workspace, block_count
kernels.feed, kernels.sample_texts, kernels.draw_from_rows = feed, draw_texts, draw_from_rows
kernels.filter_logits, kernels.logits = filter_logits, logits
kernels.log_probabilities, kernels.log_likelihoods = log_probabilities, log_likelihoods
kernels.share_steps = share_steps
if not INT8:  # in the build for inference alone the compiler omits what these call
    kernels.train, kernels.gradients_of_chunk = train, gradients_of_chunk
    kernels.scratch_elements, kernels.squares_size = scratch_elements, squares_size
    kernels.exp = exp_array
table = PyCapsule_New(&kernels, "crnn._kernels.Kernels", NULL)
