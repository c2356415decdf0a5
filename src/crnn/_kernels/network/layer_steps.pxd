"""One time step of a layer: three times forward, each for another use, and once back.

1. `step_forward`, in training and in the layers above the first: the recurrent product and the cell, for one panel of
   units at a time, so that the cell finds the panel's columns in the first-level cache. z comes in with the input.
2. `begin_step` and `finish_step`, in the first layer in inference: the product, which does not need the symbol, and the
   rest. A draw knows the symbol only after the product. Reading proceeds in the same way, so that it gives the same
   bits.
3. `share_recurrent_product` and `share_cell`, for one stream and several threads. Each thread always multiplies by the
   same part of the weights, which stays in its own core's cache. The first thread does everything else: it draws
   symbols, and starts the others when there is something to compute. Each element of a product is summed by one thread,
   in the usual order, so the bits do not depend on the number of threads.

The first adds the product to the input, the second the input to the product: one function for both would change the
bits of training or of inference. The third adds as the second does, but in parts for which threads wait.

A cell is a file of two functions for n units of one stream (`rnn`, `gru`, `lstm`, `cifg`), selected by `cells`.
"""
from libc.stdint cimport uint32_t
from ..cells.cells cimport cell_state_gradients, cell_units, cell_units_backward
from ..common.interface cimport (NO_MORE_WORK, InputRows, LayerPlaces, Network, SharedStep, Weights, Workspace,
                                 await_work, finish_work, fork_work, join_work, real)
from ..products.panels cimport (MAX_COLUMNS, Panel, Range, as_operand, columns_of, depth_of, multiply_in_place,
                                multiply_panel, multiply_panels, multiply_rows_in_place, operand_rows, packed_elements,
                                panel_among, panel_count, panel_in_turn, panel_start,
                                prefetch_columns)
from ..products.tail_columns cimport multiply_tail
from ..threads.thread_group cimport share
from .boundary cimport starts
from .input_tables cimport add_input, rows_at
from .network cimport first_tail_elements, in_place, input_block
from .row_products cimport set_rows
from .workspace cimport clear_stream

cdef extern from "tiles.h" nogil:
    const int CELL_PANELS  # neighboring panels multiplied before the cells of their units are computed

cdef enum:  # parts of a shared step
    INPUT_PRODUCT
    RECURRENT_PRODUCT
    CELL

ctypedef struct Step:  # of one layer: its operands and results; each row belongs to one stream
    Py_ssize_t B
    Range units
    bint back  # from the last panel to the first
    bint descending  # a single row is summed over k from last to first
    const real* Wh  # (H, G H): the recurrent weights, if they are used in place
    const real* Wh_panels  # otherwise packed for the forward pass
    const real* WhT_panels  # and for the backward pass
    real* z  # (B, ldg): forward z, then what the cell saves; backward the same, then dz
    const real* h_prev  # (B, H)
    const real* c_prev  # (B, H); equal to h_prev for a cell without c
    real* c
    real* h  # the state after the step; equal to z if z lives in h
    const real* dz_next  # (B, ldg) of the next time step; NULL at the last one
    real* dh  # (B, H)
    real* carry  # (B, H): what reaches a state past the products of the next step
    real* kept_dh  # (B, H): buffer for the gradients of the states; NULL: not wanted
    real* kept_dc
    real* room  # for an operand


# ------------------------------------------------------------------------------------------------- biases


cdef inline void set_split_bias(const Network* net, const real* p, Py_ssize_t l, Range units, Py_ssize_t rows,
                                real* z) noexcept nogil:
    """z[split gate] = bn                              (rows, H): the recurrent part's own bias, if a gate is split"""
    cdef int split = net.cell.split_gate
    if split >= 0:
        set_rows(p + net.layer[l].bn + units.first, rows, units.count, z + split * net.dims.H + units.first,
                 net.dims.ldg)


cdef inline void set_biases(const Network* net, const real* p, Py_ssize_t l, Range units, Py_ssize_t rows,
                            real* z) noexcept nogil:
    """z = bh                                          (rows, G H): to which a layer's products are then added"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t g
    cdef real* out
    for g in range(net.dims.G):
        out = z + input_block(net, g) * H + units.first
        set_rows(p + net.layer[l].bh + g * H + units.first, rows, units.count, out, net.dims.ldg)
    set_split_bias(net, p, l, units, rows, z)


# ------------------------------------------------------------------------------------------------- 1. panel by panel


cdef inline void step_forward(const Network* net, const Step* s) noexcept nogil:
    """z[:, :G H] += h_prev @ Wh; then the cell         (B, G H) += (B, H) (H, G H)"""
    cdef Py_ssize_t count = panel_count(s.units.count, net.packing.max_vectors)
    cdef operand_rows h_prev = as_operand(s.B, net.dims.units, s.h_prev, net.dims.H, s.room)
    cdef Range done = Range(0, 0)
    cdef Panel panel
    cdef Py_ssize_t i
    if in_place(net):
        multiply_in_place(net.dims.H, net.dims.G * net.dims.H, s.h_prev, s.Wh, s.back, s.z)
    for i in range(count):
        panel = panel_among(s.units, net.packing.max_vectors, i, s.back)
        if not in_place(net):
            multiply_gates(net, s, h_prev, panel)
        if CELL_PANELS == 1 or completed(&done, &panel, i, count):
            compute_cells(net, s, panel)


cdef inline void multiply_gates(const Network* net, const Step* s, operand_rows h_prev, Panel panel) noexcept nogil:
    """z[:, columns] += h_prev @ Wh[:, columns]        for a panel's columns of each gate"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t depth = depth_of(net.dims.units)
    cdef const real* columns
    cdef const real* after
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        # The gates' packed columns, (units, columns), one gate after another.
        columns = s.Wh_panels + g * gate + depth * panel.start
        after = columns + gate if g + 1 < net.dims.G else s.Wh_panels + depth * panel.next
        multiply_panel(s.B, net.dims.units, h_prev.first, h_prev.stride, columns, panel.columns, after,
                       s.z + g * H + panel.start, net.dims.ldg, s.descending)


cdef inline void compute_cells(const Network* net, const Step* s, Panel panel) noexcept nogil:
    """c, h = cell(z, h_prev, c_prev)                  for a panel's units of each stream"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, place
    cdef real* row
    for b in range(s.B):
        row = s.z + b * net.dims.ldg + panel.start
        place = b * H + panel.start
        # What the next time step reads and writes.
        prefetch_columns(net.dims.Z, H, row + s.B * net.dims.ldg, panel.columns)
        if net.cell.has_c:
            prefetch_columns(1, H, s.c + place + s.B * H, panel.columns)
        if not net.cell.z_in_h:
            prefetch_columns(1, H, s.h + place + s.B * H, panel.columns)
        cell_units(net, panel.columns, s.h_prev + place, s.c_prev + place, row, s.c + place, s.h + place)


cdef inline bint completed(Range* done, Panel* panel, Py_ssize_t i, Py_ssize_t count) noexcept nogil:
    """Add panel i of `count` to its finished neighbors; return True if there are enough for computing cells.

    The panel's columns then cover all of them.
    """
    done.first = min(done.first, panel.start) if done.count else panel.start
    done.count += panel.columns
    if (i + 1) % CELL_PANELS and i + 1 < count:
        return False
    panel.start = done.first
    panel.columns = done.count
    done.count = 0
    return True


# ------------------------------------------------------------------------------------------------- 2. the first layer


cdef inline void begin_step(const Weights* w, const Workspace* work, const real* h_prev, bint back,
                            real* z) noexcept nogil:
    """z = bh + h_prev @ Wh                            (B, G H) = (B, H) (H, G H)"""
    cdef const Network* net = w.net
    cdef Py_ssize_t B = work.B
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t ld = net.dims.ldg
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t gate_tail = first_tail_elements(net)
    cdef const real* Wh = w.panels + net.layer[0].Wh_panels
    cdef const real* tail = w.panels + net.first_layer.Wh_tail
    cdef operand_rows h = as_operand(B, H, h_prev, H, work.scratch)
    cdef Py_ssize_t g
    if work.shared != NULL:
        share_recurrent_product(work.shared, w, 0, h, back, z)
        return
    set_biases(net, w.p, 0, Range(0, H), B, z)
    for g in range(net.dims.G):
        multiply_panels(B, net.dims.units, whole, h.first, h.stride, Wh + g * gate, net.packing.max_vectors, z + g * H,
                        ld, back)
        # Padding of the units, if any, is zero in h_prev and in the packed columns.
        multiply_tail(B, H, h.first, h.stride, tail + g * gate_tail, net.first_layer.units_tail, z + g * H + whole, ld)


cdef inline void restart_at_boundary(const Weights* w, const Workspace* work, const int* x, real* z) noexcept nogil:
    """After `begin_step`: if a stream turns out to read the boundary, set zero states, and z to match."""
    cdef const Network* net = w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b
    for b in range(work.B):
        if starts(net, x[b]):
            set_biases(net, w.p, 0, Range(0, H), 1, z + b * net.dims.ldg)
            clear_stream(net, work, b, Range(0, H))


cdef inline void finish_step(const Weights* w, const Workspace* work, const int* x, Py_ssize_t t, const real* h_prev,
                             const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell         (B, G H); h is z if z lives in h"""
    cdef Py_ssize_t H = w.net.dims.H
    cdef Py_ssize_t b, place
    cdef InputRows rows
    if work.shared != NULL:
        work.shared.input = rows_at(w.net, work, x, t, 0)
        share_cell(work.shared, h_prev, c_prev, c, h)
        return
    for b in range(work.B):
        place = b * H
        rows = rows_at(w.net, work, x, t, b)
        finish_first_layer(w, rows, Range(0, H), h_prev + place, c_prev + place, z + b * w.net.dims.ldg, c + place,
                           h + place)


# ------------------------------------------------------------------------------------------------- 3. several threads


cdef inline void share_input_product(SharedStep* step, const Weights* w, Py_ssize_t l, Py_ssize_t rows,
                                     operand_rows below, real* z) noexcept nogil:
    """z = below @ Wx + bh                             (rows, G H) = (rows, H) (H, G H), of a layer above the first"""
    step.w = w
    step.layer = l
    step.rows = rows
    step.operand = below.first
    step.stride = below.stride
    step.z = z
    compute_together(step, INPUT_PRODUCT)


cdef inline void share_recurrent_product(SharedStep* step, const Weights* w, Py_ssize_t l, operand_rows h_prev,
                                         bint back, real* z) noexcept nogil:
    """z += h_prev @ Wh                                (1, G H) += (1, H) (H, G H); in the first layer z = bh + ..."""
    step.w = w
    step.layer = l
    step.rows = 1
    step.operand = h_prev.first
    step.stride = h_prev.stride
    step.z = z
    step.back = back
    compute_together(step, RECURRENT_PRODUCT)


cdef inline void share_cell(SharedStep* step, const real* h_prev, const real* c_prev, real* c, real* h) noexcept nogil:
    """Compute the cell of the layer whose recurrent product is done; in the first layer, first add the input's rows."""
    step.h_prev = h_prev
    step.c_prev = c_prev
    step.c = c
    step.h = h
    compute_together(step, CELL)


cdef inline void compute_together(SharedStep* step, int part) noexcept nogil:
    """Let all threads compute a part of the step, and return when it is complete: the first thread's call."""
    step.part = part
    fork_work(step.fork)
    compute_share(step, 0)
    join_work(step.fork)


cdef inline void share_steps(SharedStep* step, int rank) noexcept nogil:
    """Compute a thread's part of each step until there are no more: the loop of all but the first thread."""
    cdef uint32_t post = 0
    finish_work(step.fork)  # signal that this thread is ready
    while True:
        post = await_work(step.fork, post)
        if post == NO_MORE_WORK:
            return
        compute_share(step, rank)
        finish_work(step.fork)


cdef inline void compute_share(const SharedStep* step, int rank) noexcept nogil:
    """Compute a thread's share of the current part of a step."""
    cdef Range units = columns_of(step.w.net.dims.H, rank, step.threads)
    if step.part != CELL:
        multiply_share(step, rank, step.part == INPUT_PRODUCT)
    elif step.layer:
        finish_units(step.w.net, units, step.h_prev, step.c_prev, step.z, step.c, step.h)
    else:
        finish_first_layer(step.w, step.input, units, step.h_prev, step.c_prev, step.z, step.c, step.h)


cdef inline void multiply_share(const SharedStep* step, int rank, bint of_input) noexcept nogil:
    """z = below @ Wx + bh, `of_input`, or z += h_prev @ Wh: the thread's panels; in the first layer z = bh + ...

    One panel of units of all gates at a time, so that the thread's cells find z in its own cache; the recurrent product
    goes from first to last and back, as in a single thread.
    """
    cdef const Network* net = step.w.net
    cdef const LayerPlaces* places = &net.layer[step.layer]
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t G = net.dims.G
    cdef Py_ssize_t gate = packed_elements(net.dims.units, H)
    cdef Py_ssize_t depth = depth_of(net.dims.units)
    cdef Py_ssize_t whole = H if step.layer else net.first_layer.units_in_panels
    cdef int max_vectors = net.packing.max_row_vectors if of_input else net.packing.max_vectors
    cdef Py_ssize_t panels = G * panel_count(whole, max_vectors)
    cdef Py_ssize_t first = share(panels, rank, step.threads)
    cdef Py_ssize_t last = share(panels, rank + 1, step.threads)
    cdef bint back = step.back and not of_input
    cdef const real* W = step.w.panels + (places.Wx_panels if of_input else places.Wh_panels)
    cdef const real* after  # the panel that this thread multiplies next, which is prefetched
    cdef real* z
    cdef Py_ssize_t n, following, g
    cdef Py_ssize_t i = last - 1 if back else first  # counts the panels of all gates: the gates of one, then the next
    cdef Panel panel
    for n in range(last - first):
        following = i
        if n + 1 < last - first:
            following = i - 1 if back else i + 1
        g = i % G
        panel = panel_in_turn(whole, max_vectors, i // G, back=False)
        if of_input or not step.layer:
            set_bias(step, g, panel.start, panel.columns)
        z = step.z + (input_block(net, g) if of_input else g) * H + panel.start
        after = W + following % G * gate + depth * panel_start(whole, max_vectors, following // G)
        multiply_panel(step.rows, net.dims.units, step.operand, step.stride, W + g * gate + depth * panel.start,
                       panel.columns, after, z, net.dims.ldg, descending=False)
        i = following
    if rank == step.threads - 1 and not step.layer:  # the first thread has more to do
        multiply_first_tail(step)


cdef inline void multiply_first_tail(const SharedStep* step) noexcept nogil:
    """z = bh + h_prev @ Wh for the first layer's columns beyond the panels"""
    cdef const Network* net = step.w.net
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t whole = net.first_layer.units_in_panels
    cdef const real* tail = step.w.panels + net.first_layer.Wh_tail
    cdef Py_ssize_t g
    for g in range(net.dims.G):
        set_bias(step, g, whole, H - whole)
        multiply_tail(1, H, step.operand, H, tail + g * first_tail_elements(net), net.first_layer.units_tail,
                      step.z + g * H + whole, net.dims.ldg)


cdef inline void set_bias(const SharedStep* step, Py_ssize_t g, Py_ssize_t start,
                              Py_ssize_t columns) noexcept nogil:
    """z = bh for some columns of a gate; for a split gate, the recurrent part's own bias and the input part's bias"""
    cdef const Network* net = step.w.net
    cdef const LayerPlaces* places = &net.layer[step.layer]
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t ld = net.dims.ldg
    set_rows(step.w.p + places.bh + g * H + start, step.rows, columns, step.z + input_block(net, g) * H + start, ld)
    if g == net.cell.split_gate:
        set_rows(step.w.p + places.bn + start, step.rows, columns, step.z + g * H + start, ld)


cdef inline void finish_first_layer(const Weights* w, InputRows rows, Range units, const real* h_prev,
                                    const real* c_prev, real* z, real* c, real* h) noexcept nogil:
    """z += the rows of the input, then the cell           (G H,); h is z if z lives in h"""
    add_input(w, rows, units, z)
    finish_units(w.net, units, h_prev, c_prev, z, c, h)


cdef inline void finish_units(const Network* net, Range units, const real* h_prev, const real* c_prev, real* z,
                              real* c, real* h) noexcept nogil:
    """c, h = cell(z, h_prev, c_prev), at most MAX_COLUMNS units at a time"""
    cdef Py_ssize_t stop = units.first + units.count
    cdef Py_ssize_t j = units.first
    cdef Py_ssize_t n
    while j < stop:
        n = min(stop - j, <Py_ssize_t>MAX_COLUMNS)
        cell_units(net, n, h_prev + j, c_prev + j, z + j, c + j, h + j)
        j += n


# ------------------------------------------------------------------------------------------------- back


cdef inline void step_backward(const Network* net, const Step* s) noexcept nogil:
    """dh += dz_next @ Wh.T                             (B, H) += (B, G H) (H, G H)'; then z = dz, the cell's gradients

    dh comes in as the gradient from above, `carry` as what reaches the state past the products of the next step; it
    leaves as the same for the previous state.
    """
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t N = net.dims.G * H
    cdef Py_ssize_t depth = depth_of(N)
    cdef Py_ssize_t count = panel_count(s.units.count, net.packing.max_vectors)
    cdef bint by_panels = s.dz_next != NULL and not in_place(net)
    cdef operand_rows dz_next
    cdef Range done = Range(0, 0)
    cdef Panel panel
    cdef Py_ssize_t i
    if by_panels:
        dz_next = as_operand(s.B, N, s.dz_next, net.dims.ldg, s.room)
    elif s.dz_next != NULL:
        multiply_rows_in_place(H, N, s.Wh, s.dz_next, s.back, s.dh)
    for i in range(count):
        panel = panel_among(s.units, net.packing.max_vectors, i, s.back)
        if by_panels:
            multiply_panel(s.B, N, dz_next.first, dz_next.stride, s.WhT_panels + depth * panel.start, panel.columns,
                           s.WhT_panels + depth * panel.next, s.dh + panel.start, H, s.descending)
        if CELL_PANELS == 1 or completed(&done, &panel, i, count):
            compute_cells_back(net, s, panel)


cdef inline void compute_cells_back(const Network* net, const Step* s, Panel panel) noexcept nogil:
    """z = dz, the gradients of the cell               for a panel's units of each stream"""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t b, place
    cdef const real* before = s.h_prev
    cdef real* row
    if net.cell.has_c:
        before = s.c_prev
    elif net.cell.z_in_h:
        before = s.h
    for b in range(s.B):
        row = s.z + b * net.dims.ldg + panel.start
        place = b * H + panel.start
        # What the previous time step reads and writes.
        prefetch_columns(1, H, before + place - s.B * H, panel.columns)
        if not net.cell.z_in_h:
            prefetch_columns(net.dims.Z, H, row - s.B * net.dims.ldg, panel.columns)
            prefetch_columns(1, H, s.dh + place - s.B * H, panel.columns)
        if s.kept_dh != NULL:
            cell_state_gradients(net, panel.columns, row, s.dh + place, s.carry + place, s.kept_dh + place,
                                 s.kept_dc + place)
        cell_units_backward(net, panel.columns, s.h_prev + place, s.c_prev + place, s.h + place, row, s.dh + place,
                            s.carry + place)
