"""The kernels of one instruction set and number type, as a table of plain C functions.

This source becomes one C file, which is compiled once for each instruction set and each number type (see setup.py and
`real.h`). It has no function that Python could call: `core` takes the table from the capsule `table`, and checks every
argument before it calls a kernel. Everything is in the .pxd files: `workspace`, `chunk`, `layers`, `recurrence`,
`cell_step`, `cells` (one chunk through the network), `rnn`, `gru`, `lstm`, `cifg` (the cells), `layer_input`,
`input_tables`, `decoder`, `row_products`, `panels`, `tail_columns`, `blas` (products), `softmax`, `dropout`,
`boundary`, `elementwise`; for training `training_loop`, `state_reset`, `update`, `optimizers` and `thread_group`; for
inference `first_layer_step`, `stream_units`, `shared_step`, `inference_step`, `sampler` and `draws`, `texts` and
`pcg64`, `strings`.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint64_t
from ..cells cimport elementwise
from ..inference cimport shared_step
from ..training cimport training_loop
from ..network.input_tables cimport carry_symbols
from ..network.decoder cimport decode
from ..network.dropout cimport apply_dropout, apply_mask, dropout_key, weights_key
from .interface cimport (OF_BFLOAT16, OF_INT8, OF_NUMBERS, Dropout, DrawSettings, Kernels, Network, SharedStep, Strings,
                         Texts, Training, Weights, Workspace, real)
from ..network.layers cimport layers_forward
from ..network.network cimport pack_rows, place_panels
from ..products.panels cimport (BFLOAT16, INT8, Columns, as_operand, head_panels, multiply_panels, operand_elements,
                      operand_rows, pack, pack_transposed, packed_elements, panel_vectors)
from ..inference.sampler cimport block_count
from ..inference.sampler cimport filter_logits as filter_row
from ..network.softmax cimport log_softmax_at
from ..training.step_poll cimport RELEASE_TILES
from ..inference.strings cimport read_strings
from ..inference.texts cimport draw_texts
from ..training.update cimport squares_size
from ..network.workspace cimport carry_states, layer_h, scratch_elements, size_workspace

cdef Kernels kernels


cdef void place_panels_(Network* net, bint one_row, bint one_row_products) noexcept nogil:
    place_panels(net, one_row, one_row_products)


cdef Py_ssize_t packed_elements_(Py_ssize_t K, Py_ssize_t N) noexcept nogil:
    return packed_elements(K, N)


cdef void pack_matrix(const real* W, Py_ssize_t rows, Py_ssize_t columns, bint transposed, bint one_row,
                      real* panels) noexcept nogil:
    """Pack W (rows, columns), or its transpose, for products with one row or many."""
    if transposed:
        pack_transposed(W, columns, rows, panel_vectors(one_row), 0, rows, panels)
    else:
        pack(W, rows, columns, columns, panel_vectors(one_row), 0, rows, panels)


cdef void pack_rows_(const Weights* w, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    pack_rows(w, first, last)


cdef void head_matrix(Py_ssize_t K, Py_ssize_t N, bint one_row, const real* scales, real* panels) noexcept nogil:
    """Set the heads of the panels of a packed matrix (K, N), from the scales (N,) of its columns."""
    head_panels(K, N, panel_vectors(one_row), scales, panels)


cdef Py_ssize_t operand_elements_(Py_ssize_t rows, Py_ssize_t K) noexcept nogil:
    return operand_elements(rows, K)


cdef void multiply(Py_ssize_t M, Py_ssize_t K, Py_ssize_t N, const real* a, const real* panels, bint one_row, real* c,
                   int times, real* room) noexcept nogil:
    """c += a @ W                                      (M, N) += (M, K) (K, N), several times, like a recurrence"""
    cdef int i
    cdef operand_rows left
    for i in range(times):
        left = as_operand(M, K, a, K, room)
        multiply_panels(M, K, N, left.first, left.stride, panels, panel_vectors(one_row), c, N, i & 1)
    RELEASE_TILES()


cdef void exp_array(real* x, Py_ssize_t n) noexcept nogil:
    elementwise.exp_array(x, n)


cdef void tanh_array(real* x, Py_ssize_t n) noexcept nogil:
    elementwise.tanh_array(x, n)


cdef void sigmoid_array(real* x, Py_ssize_t n) noexcept nogil:
    elementwise.sigmoid_array(x, n)


cdef void rsqrt_array(real* x, Py_ssize_t n) noexcept nogil:
    elementwise.rsqrt_array(x, n)


cdef void drop_outputs(Dropout* drop, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t T, Py_ssize_t B,
                       Py_ssize_t H, real* a) noexcept nogil:
    """a *= mask for a layer's outputs a (T, B, H)"""
    drop.step_key = dropout_key(seed, step)
    apply_dropout(drop, layer, 0, T, B, H, Columns(0, H), a)


cdef void drop_weights(double rate, uint64_t seed, uint64_t step, Py_ssize_t layer, Py_ssize_t first, Py_ssize_t n,
                       real* w) noexcept nogil:
    """w *= mask for n recurrent weights, starting with number `first`"""
    apply_mask(rate, weights_key(dropout_key(seed, step), layer), first, n, w)


cdef void size_workspace_(const Network* net, Py_ssize_t T, Py_ssize_t B, Workspace* work) noexcept nogil:
    size_workspace(net, T, B, work)


cdef Py_ssize_t scratch_elements_(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    return scratch_elements(net, T, B)


cdef Py_ssize_t squares_size_(const Network* net) noexcept nogil:
    return squares_size(net)


cdef Py_ssize_t sums_size(Py_ssize_t V) noexcept nogil:
    return block_count(V)


cdef void train(Training* run) noexcept nogil:
    training_loop.train(run)
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


cdef void sample_texts(const Weights* w, Workspace* work, const DrawSettings* settings, Texts* texts,
                       Py_ssize_t max_steps) noexcept nogil:
    draw_texts(w, work, settings, texts, max_steps)
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
kernels.place_panels, kernels.packed_elements = place_panels_, packed_elements_
kernels.pack_matrix, kernels.head_matrix, kernels.multiply = pack_matrix, head_matrix, multiply
kernels.pack_rows, kernels.operand_elements = pack_rows_, operand_elements_
kernels.size_workspace, kernels.sums_size = size_workspace_, sums_size
kernels.feed, kernels.sample_texts = feed, sample_texts
kernels.filter_logits, kernels.logits = filter_logits, logits
kernels.log_probabilities, kernels.log_likelihoods = log_probabilities, log_likelihoods
kernels.share_steps = share_steps
if not INT8:  # in the build for inference alone the compiler omits what these call
    kernels.train, kernels.scratch_elements, kernels.squares_size = train, scratch_elements_, squares_size_
    kernels.drop_outputs, kernels.drop_weights = drop_outputs, drop_weights
    kernels.exp, kernels.tanh, kernels.sigmoid, kernels.rsqrt = exp_array, tanh_array, sigmoid_array, rsqrt_array
table = PyCapsule_New(&kernels, "crnn._kernels.Kernels", NULL)
