"""The workspace of a chunk: sizes of its arrays, and the states carried from one chunk to the next.

Arrays are time-major, one layer after the other. h (L, T + 1, B, H) starts with the carried states, h[:, 0]; c is
similar for a cell that has one. y (T, B, V) holds the logits, then dy. x (T + 1, B) has the chunk's symbols and one
more row: x[:-1] are the inputs, x[1:] the targets. gates (L, T, B, ldg) has what a cell saves for the backward pass. A
cell whose z lives in h saves nothing: there the array holds dz, for the time steps of one block and one more.
"""
from libc.string cimport memcpy, memset
from ..common.interface cimport Network, Workspace, real
from ..products.panels cimport (GRADIENT_ROWS, Range, operand_elements, packed_elements, sliver_elements,
                                transposed_scratch)
from ..threads.thread_group cimport ThreadGroup, alone, own_share, wait_for_group
from .network cimport in_place

cdef enum:
    BLOCK_ROWS = 512  # streams times time steps that pass through all stages before the next ones


cdef inline Py_ssize_t block_steps(Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Time steps of a chunk taken at a time, so that each stage finds the last one's results in the cache.

    Blocks have nearly equal length, since a short block would use a product's packed operands too little.
    """
    cdef Py_ssize_t most = max(1, <Py_ssize_t>BLOCK_ROWS // B), blocks = max(1, (T + most - 1) // most)
    return (T + blocks - 1) // blocks


cdef inline Py_ssize_t most_symbols(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """The maximum number of distinct inputs of a chunk."""
    return min(T * B, net.V)


cdef inline void size_workspace(const Network* net, Py_ssize_t T, Py_ssize_t B, Workspace* work) noexcept nogil:
    """Set the sizes for T time steps of B streams, for a single thread."""
    work.T, work.B, work.block = T, B, block_steps(T, B)
    work.step_stride = B * net.H
    work.layer_stride = (T + 1) * work.step_stride
    work.gates_stride = (work.block + 1 if net.z_in_h else T) * B * net.ldg
    work.group, work.shared = alone(), NULL
    work.dropout.rate, work.poll, work.leaves_dWh = 0, NULL, False
    work.vectors_stride = most_symbols(net, T, B) * net.E


cdef inline Py_ssize_t scratch_elements(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Elements of a thread's scratch memory, for a product of weight gradients or a left operand."""
    cdef Py_ssize_t rows = block_steps(T, B) * B, H = net.H, N = net.G * H
    cdef Py_ssize_t operand = operand_elements(rows, max(H, net.V))
    if net.L > 1:
        operand = max(operand, operand_elements(rows, N) + (operand_elements(rows, H) if net.split_gate >= 0 else 0))
    if net.E:
        operand = max(operand, operand_elements(min(most_symbols(net, T, B), <Py_ssize_t>BLOCK_ROWS), max(net.E, N)),
                      transposed_scratch(most_symbols(net, T, B), net.E))
    if in_place(net):  # see `recurrent_gradient`
        operand = max(operand, packed_elements(rows, N) + sliver_elements(rows, GRADIENT_ROWS) + GRADIENT_ROWS * N)
    return max(transposed_scratch(rows, H), operand, operand_elements(B, N))


cdef inline real* layer_h(const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """h[l, t]                                         (B, H)"""
    return work.h + l * work.layer_stride + t * work.step_stride


cdef inline real* layer_c(const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """c[l, t]                                         (B, H)"""
    return work.c + l * work.layer_stride + t * work.step_stride


cdef inline real* layer_output(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """The output of layer l at time step t: h[l, t + 1], or with dropout dropped[l, t]."""
    if work.dropout.rate > 0:
        return work.dropped + (l * work.T + t) * work.B * net.H
    return layer_h(work, l, t + 1)


cdef inline real* layer_dz(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                           Py_ssize_t t) noexcept nogil:
    """dz of layer l at time step t of the block that starts at `first`."""
    return work.gates + l * work.gates_stride + (t - first if net.z_in_h else t) * work.B * net.ldg


cdef inline real* layer_z(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """The address of z for layer l at time step t: in the gates, or where the state will be."""
    return layer_h(work, l, t + 1) if net.z_in_h else work.gates + l * work.gates_stride + t * work.B * net.ldg


cdef inline real* gradient_from_above(const Network* net, const Workspace* work, Py_ssize_t l) noexcept nogil:
    """The address of the gradient of a block's outputs of layer l; if z lives in h, it becomes dz in place."""
    return work.gates + l * work.gates_stride if net.z_in_h else work.dh


cdef inline void clear_share(const ThreadGroup* group, real* a, Py_ssize_t n) noexcept nogil:
    """a = 0                                           (n,): the thread's share"""
    cdef Range own = own_share(group, n)
    memset(a + own.first, 0, own.count * sizeof(real))


cdef inline void clear_stream(const Network* net, const Workspace* work, Py_ssize_t b, Range own) noexcept nogil:
    """h[:, 0, b] = c[:, 0, b] = 0: these units of one stream"""
    cdef Py_ssize_t l, at = b * net.H + own.first
    for l in range(net.L):
        memset(layer_h(work, l, 0) + at, 0, own.count * sizeof(real))
        if net.has_c:
            memset(layer_c(work, l, 0) + at, 0, own.count * sizeof(real))
    if net.has_before and work.group.rank == 0:
        work.before[b] = 0


cdef inline void clear_states(const Network* net, const Workspace* work) noexcept nogil:
    """h[:, 0] = c[:, 0] = 0: the initial states of the next chunk"""
    cdef Py_ssize_t l
    for l in range(net.L):
        clear_share(&work.group, layer_h(work, l, 0), work.B * net.H)
        if net.has_c:
            clear_share(&work.group, layer_c(work, l, 0), work.B * net.H)
    if net.has_before and work.group.rank == 0:
        memset(work.before, 0, work.B * sizeof(int))
    wait_for_group(&work.group)


cdef inline void carry_states(const Network* net, const Workspace* work, Py_ssize_t steps) noexcept nogil:
    """h[:, 0] = h[:, steps], and c likewise: the next steps continue from the states after these"""
    cdef Py_ssize_t l
    cdef Range own = own_share(&work.group, work.B * net.H)
    for l in range(net.L):
        memcpy(layer_h(work, l, 0) + own.first, layer_h(work, l, steps) + own.first, own.count * sizeof(real))
        if net.has_c:
            memcpy(layer_c(work, l, 0) + own.first, layer_c(work, l, steps) + own.first, own.count * sizeof(real))
