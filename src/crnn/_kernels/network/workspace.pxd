"""The workspace of a chunk: sizes of its arrays, and the states carried from one chunk to the next.

Its arrays are nested by what they belong to: `layers`, `inputs`, `embedding`, `dropout`, `decoder` and, with a sampled
softmax, `sampled`.

Arrays are time-major, one layer after the other. h (L, T + 1, B, H) starts with the carried states, h[:, 0]; c is
similar for a cell that has one. y (T, B, V) holds the logits, then dy. x (T + 1, B) has the chunk's symbols and one
more row: x[:-1] are the inputs, x[1:] the targets. gates (L, T, B, ldg) has what a cell saves for the backward pass. A
cell whose z lives in h saves nothing: there the array holds dz, for the time steps of one block and one more.
"""
from libc.string cimport memcpy, memset
from ..common.interface cimport Network, Workspace, real
from ..products.panels cimport (GRADIENT_ROWS, Range, operand_elements, packed_elements, sliver_elements,
                                transposed_scratch)
from ..threads.thread_group cimport ThreadGroup, alone, share_of_thread, wait_for_group
from .network cimport in_place

cdef enum:
    BLOCK_ROWS = 512  # streams times time steps that pass through all stages before the next ones


cdef inline Py_ssize_t block_steps(Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Return the time steps of a chunk taken at a time, so that each stage finds the last one's results in the cache.

    Blocks have nearly equal length, since a short block would use a product's packed operands too little.
    """
    cdef Py_ssize_t most = max(1, <Py_ssize_t>BLOCK_ROWS // B)
    cdef Py_ssize_t blocks = max(1, (T + most - 1) // most)
    return (T + blocks - 1) // blocks


cdef inline Py_ssize_t most_symbols(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Return the maximum number of distinct inputs of a chunk."""
    return min(T * B, net.dims.V)


cdef inline void size_workspace(const Network* net, Py_ssize_t T, Py_ssize_t B, Workspace* work) noexcept nogil:
    """Set the sizes for T time steps of B streams, for a single thread without dropout."""
    cdef Py_ssize_t steps_of_gates = T
    work.T = T
    work.B = B
    work.block = block_steps(T, B)
    if net.cell.z_in_h:
        steps_of_gates = work.block + 1
    work.layers.step_stride = B * net.dims.H
    work.layers.stride = (T + 1) * work.layers.step_stride
    work.layers.gates_stride = steps_of_gates * B * net.dims.ldg
    work.embedding.vectors_stride = most_symbols(net, T, B) * net.dims.E
    work.dropout.rate = 0
    work.leaves_dWh = False
    work.group = alone()
    work.shared = NULL
    work.poll = NULL


cdef inline Py_ssize_t scratch_elements(const Network* net, Py_ssize_t T, Py_ssize_t B) noexcept nogil:
    """Return the elements of a thread's scratch memory, for a product of weight gradients or a left operand."""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t N = net.dims.G * H
    cdef Py_ssize_t rows = block_steps(T, B) * B
    cdef Py_ssize_t decoder = max(transposed_scratch(rows, H), operand_elements(rows, max(H, net.dims.V)))
    cdef Py_ssize_t most = max(decoder, operand_elements(B, N))
    if net.dims.L > 1:
        most = max(most, operand_elements(rows, N) + split_operand_elements(net, rows))
    if net.dims.E:
        most = max(most, embedding_scratch(net, most_symbols(net, T, B)))
    if in_place(net):  # see `recurrent_gradient`
        most = max(most, packed_elements(rows, N) + sliver_elements(rows, GRADIENT_ROWS) + GRADIENT_ROWS * N)
    return most


cdef inline Py_ssize_t split_operand_elements(const Network* net, Py_ssize_t rows) noexcept nogil:
    """Return the elements of the second operand of a product back through a split gate (see `layer_input`)."""
    return operand_elements(rows, net.dims.H) if net.cell.split_gate >= 0 else 0


cdef inline Py_ssize_t embedding_scratch(const Network* net, Py_ssize_t symbols) noexcept nogil:
    """Return the elements of scratch memory for the products of so many distinct symbols with an embedding."""
    cdef Py_ssize_t E = net.dims.E
    cdef Py_ssize_t columns = max(E, net.dims.G * net.dims.H)
    return max(operand_elements(min(symbols, <Py_ssize_t>BLOCK_ROWS), columns), transposed_scratch(symbols, E))


cdef inline real* layer_h(const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """h[l, t]                                         (B, H)"""
    return work.layers.h + l * work.layers.stride + t * work.layers.step_stride


cdef inline real* layer_c(const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """c[l, t]                                         (B, H)"""
    return work.layers.c + l * work.layers.stride + t * work.layers.step_stride


cdef inline real* layer_gates(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """gates[l, t]                                     (B, ldg)"""
    return work.layers.gates + l * work.layers.gates_stride + t * work.B * net.dims.ldg


cdef inline real* layer_output(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """Return the output (B, H) of layer l at time step t: h[l, t + 1], or with dropout outputs[l, t]."""
    if work.dropout.rate > 0:
        return work.dropout.outputs + (l * work.T + t) * work.B * net.dims.H
    return layer_h(work, l, t + 1)


cdef inline real* layer_dz(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t first,
                           Py_ssize_t t) noexcept nogil:
    """Return dz (B, ldg) of layer l at time step t of the block that starts at `first`."""
    return layer_gates(net, work, l, t - first if net.cell.z_in_h else t)


cdef inline real* layer_z(const Network* net, const Workspace* work, Py_ssize_t l, Py_ssize_t t) noexcept nogil:
    """Return z (B, ldg) of layer l at time step t: in the gates, or where the state will be."""
    if net.cell.z_in_h:
        return layer_h(work, l, t + 1)
    return layer_gates(net, work, l, t)


cdef inline real* gradient_from_above(const Network* net, const Workspace* work, Py_ssize_t l) noexcept nogil:
    """Return the gradient of a block's outputs of layer l (block, B, H); if z lives in h, it becomes dz in place."""
    if net.cell.z_in_h:
        return layer_gates(net, work, l, 0)
    return work.layers.dh


cdef inline void clear_share(const ThreadGroup* group, real* a, Py_ssize_t n) noexcept nogil:
    """a = 0                                           (n,): the thread's share"""
    cdef Range part = share_of_thread(group, n)
    memset(a + part.first, 0, part.count * sizeof(real))


cdef inline void clear_stream(const Network* net, const Workspace* work, Py_ssize_t b, Range units) noexcept nogil:
    """h[:, 0, b] = c[:, 0, b] = 0: these units of one stream"""
    cdef Py_ssize_t place = b * net.dims.H + units.first
    cdef Py_ssize_t size = units.count * sizeof(real)
    cdef Py_ssize_t l
    for l in range(net.dims.L):
        memset(layer_h(work, l, 0) + place, 0, size)
        if net.cell.has_c:
            memset(layer_c(work, l, 0) + place, 0, size)
    if net.inputs.has_before and work.group.rank == 0:
        work.inputs.before[b] = 0


cdef inline void clear_states(const Network* net, const Workspace* work) noexcept nogil:
    """h[:, 0] = c[:, 0] = 0: the initial states of the next chunk"""
    cdef Py_ssize_t l
    for l in range(net.dims.L):
        clear_share(&work.group, layer_h(work, l, 0), work.B * net.dims.H)
        if net.cell.has_c:
            clear_share(&work.group, layer_c(work, l, 0), work.B * net.dims.H)
    if net.inputs.has_before and work.group.rank == 0:
        memset(work.inputs.before, 0, work.B * sizeof(int))
    wait_for_group(&work.group)


cdef inline void carry_states(const Network* net, const Workspace* work, Py_ssize_t steps) noexcept nogil:
    """h[:, 0] = h[:, steps], and c likewise: the next steps continue from the states after these"""
    cdef Range part = share_of_thread(&work.group, work.B * net.dims.H)
    cdef Py_ssize_t size = part.count * sizeof(real)
    cdef Py_ssize_t l
    for l in range(net.dims.L):
        memcpy(layer_h(work, l, 0) + part.first, layer_h(work, l, steps) + part.first, size)
        if net.cell.has_c:
            memcpy(layer_c(work, l, 0) + part.first, layer_c(work, l, steps) + part.first, size)
