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
from ..network cimport layer_steps
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
    multiply_panels(M, K, N, left.first, left.stride, panels, panel_vectors(one_row), c, N)
    RELEASE_TILES()


cdef void feed(const Weights* w, Workspace* work, const int* x, Py_ssize_t n) noexcept nogil:
    """Advance the states over symbols x (n, B), T at a time."""
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t steps
    while i < n:
        steps = min(work.T, n - i)
        layers_forward(w, work, x + i * work.B, 0, steps)
        carry_states(w.net, work, steps)
        carry_symbols(w.net, work, x + i * work.B, steps)
        i += steps
    RELEASE_TILES()


cdef void filter_logits(real* y, Py_ssize_t B, Py_ssize_t V, const DrawSettings* settings) noexcept nogil:
    """y (B, V) = probabilities, up to a factor for each row, after the controls"""
    cdef const unsigned char* seen = NULL
    cdef Py_ssize_t b
    for b in range(B):
        if settings.seen != NULL:
            seen = settings.seen + b * V
        filter_row(y + b * V, V, V, settings, seen)


cdef void logits(const Weights* w, Py_ssize_t rows, const real* top, real* y, real* room) noexcept nogil:
    """y = top @ Wy + by                               (rows, V) = (rows, H) (H, V)"""
    decode(w, rows, top, y, room)
    RELEASE_TILES()


cdef void log_probabilities(const Weights* w, Workspace* work, const int* x, Py_ssize_t n, double* out) noexcept nogil:
    """out[t, b] = log P(x[t, b] | the states and the previous symbols), T time steps at a time

    Without `out`, the logits of all n steps are stored in `work.decoder.y`, which has room for them.
    """
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t V = w.net.dims.V
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t t, steps
    cdef real* y = work.decoder.y
    while i < n:
        steps = min(work.T, n - i)
        layers_forward(w, work, x + i * B, 0, steps)
        if out == NULL:
            y = work.decoder.y + i * B * V
        decode(w, steps * B, layer_h(work, w.net.dims.L - 1, 0), y, work.scratch)  # of h[:-1]
        if out != NULL:
            for t in range(steps * B):
                out[i * B + t] = log_softmax_at(y + t * V, V, x[i * B + t])
        carry_states(w.net, work, steps)
        carry_symbols(w.net, work, x + i * B, steps)
        i += steps
    RELEASE_TILES()


cdef bint log_likelihoods(const Weights* w, Workspace* work, const Strings* strings, double* out) noexcept nogil:
    """out[b] += log P of string b, or their minimum; return False if a symbol is unknown. See `strings`."""
    cdef bint known = read_strings(w, work, strings, out)
    RELEASE_TILES()
    return known


cdef void share_steps(SharedStep* step, int rank) noexcept nogil:
    """Compute a thread's part of each step of one stream, until there are no more steps; see `layer_steps`."""
    layer_steps.share_steps(step, rank)
    RELEASE_TILES()


cdef inline int operand_kind() noexcept:
    """Return which operands the products of this build have."""
    if INT8:
        return OF_INT8
    if BFLOAT16:
        return OF_BFLOAT16
    return OF_NUMBERS


kernels.itemsize = sizeof(real)
kernels.operands = operand_kind()
kernels.size = sizeof(Kernels)

# Packing, single products, and workspaces.
kernels.place_panels = place_panels
kernels.packed_elements = packed_elements
kernels.pack_rows = pack_rows
kernels.pack_matrix = pack_matrix
kernels.head_matrix = head_matrix
kernels.operand_elements = operand_elements
kernels.multiply = multiply
kernels.size_workspace = size_workspace

# Training, which the build for inference alone does not have: the compiler omits what these call.
if not INT8:
    kernels.scratch_elements = scratch_elements
    kernels.squares_size = squares_size
    kernels.train = train
    kernels.gradients_of_chunk = gradients_of_chunk
    kernels.exp = exp_array

# Sampling and scoring.
kernels.sums_size = block_count
kernels.feed = feed
kernels.sample_texts = draw_texts
kernels.draw_from_rows = draw_from_rows
kernels.filter_logits = filter_logits
kernels.logits = logits
kernels.log_probabilities = log_probabilities
kernels.log_likelihoods = log_likelihoods
kernels.share_steps = share_steps

table = PyCapsule_New(&kernels, "crnn._kernels.Kernels", NULL)
