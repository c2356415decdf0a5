"""Texts drawn in parallel, each until it ends with a stop or reaches its maximum length."""
# The same in NumPy: `reference/sampling.py`, `sample`.
from libc.math cimport INFINITY
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy
from ..common.interface cimport Network, DrawSettings, Texts, Weights, Workspace, real
from ..network.workspace cimport layer_c, layer_h
from ..threads.step_poll cimport RELEASE_TILES
from .draws cimport draw, unnormalized_softmax_rows
from .inference_step cimport advance, prepare_draw, restore_states, swap_states
from .pcg64 cimport next_uniform


cdef inline double next_number(Texts* texts, Py_ssize_t i) noexcept nogil:
    """Return the next random number of text i."""
    return next_uniform(texts.random.streams + 2 * i, texts.random.increment)


cdef inline bint append_symbol(Texts* texts, Py_ssize_t i, int symbol) noexcept nogil:
    """Add a symbol to text i; return whether the text continues."""
    cdef int* text = texts.symbols + i * texts.width
    cdef Py_ssize_t length = texts.lengths[i] + 1
    cdef Py_ssize_t stop
    text[length - 1] = symbol
    stop = stop_length(texts, text, length)
    texts.lengths[i] = length - stop
    if stop or length == texts.max_length:
        return False
    texts.longest = max(texts.longest, length)
    return True


cdef inline Py_ssize_t stop_length(const Texts* texts, const int* text, Py_ssize_t length) noexcept nogil:
    """Return the length of the longest stop at the end of a text; 0 without a stop."""
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t s, size
    for s in range(texts.stops.count):
        size = texts.stops.ends[s] - start
        if (size <= length and text[length - 1] == texts.stops.symbols[start + size - 1]
                and memcmp(text + length - size, texts.stops.symbols + start, size * sizeof(int)) == 0):
            return size
        start += size
    return 0


cdef inline void begin_text(const Network* net, const Workspace* work, Texts* texts, Py_ssize_t b) noexcept nogil:
    """Give row b to the next text, which starts from the common states."""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t size = H * sizeof(real)
    cdef Py_ssize_t l
    texts.rows[b] = texts.begun
    texts.lengths[texts.begun] = 0
    texts.begun += 1
    for l in range(net.dims.L):
        memcpy(layer_h(work, l, 0) + b * H, texts.start.h + l * H, size)
        if net.cell.has_c:
            memcpy(layer_c(work, l, 0) + b * H, texts.start.c + l * H, size)
    if net.inputs.has_before:
        work.inputs.before[b] = texts.start.before[0]


cdef inline void end_row(const Network* net, const Workspace* work, Texts* texts, Py_ssize_t b) noexcept nogil:
    """Move the last row to the place of row b, whose text has ended."""
    cdef Py_ssize_t H = net.dims.H
    cdef Py_ssize_t size = H * sizeof(real)
    cdef Py_ssize_t last = texts.active - 1
    cdef Py_ssize_t l
    texts.active = last
    if b == last:
        return
    texts.rows[b] = texts.rows[last]
    work.x[b] = work.x[last]
    for l in range(net.dims.L):
        memcpy(layer_h(work, l, 0) + b * H, layer_h(work, l, 0) + last * H, size)
        if net.cell.has_c:
            memcpy(layer_c(work, l, 0) + b * H, layer_c(work, l, 0) + last * H, size)
    if net.inputs.has_before:
        work.inputs.before[b] = work.inputs.before[last]


cdef inline void draw_row(const Network* net, const Workspace* work, const DrawSettings* settings, Texts* texts,
                          Py_ssize_t b) noexcept nogil:
    """Draw the symbol of row b; if its text ends, the next text takes the row, or otherwise the last row does."""
    cdef Py_ssize_t V = net.dims.V
    cdef Py_ssize_t text = texts.rows[b]
    work.x[b] = draw(net.dims.symbols, V, settings, text, next_number(texts, text), work.decoder.y + b * V)
    while not append_symbol(texts, text, work.x[b]):
        if texts.begun == texts.count:
            end_row(net, work, texts, b)
            return
        begin_text(net, work, texts, b)
        text = texts.rows[b]
        work.x[b] = draw(net.dims.symbols, V, settings, text, next_number(texts, text), texts.start.y)


cdef inline void draw_texts(const Weights* w, Workspace* work, const DrawSettings* settings, Texts* texts,
                            Py_ssize_t max_steps) noexcept nogil:
    """Draw until all texts have ended, but for at most this many steps; `work` has room for all rows."""
    cdef const Network* net = w.net
    cdef Py_ssize_t rows = work.B
    cdef Py_ssize_t step = 0
    cdef Py_ssize_t b
    cdef bint ahead = texts.count == 1
    if texts.begun < texts.count:  # no text has begun whose symbols the next text could have seen
        unnormalized_softmax_rows(net.dims.symbols, net.dims.V, settings, 1, &texts.begun, texts.start.y)
    while texts.active < rows and texts.begun < texts.count:
        begin_text(net, work, texts, texts.active)
        texts.active += 1
    while texts.active and step < max_steps and texts.longest < texts.width:
        work.B = texts.active
        prepare_draw(w, work, settings, ahead, step & 1, texts.rows)
        for b in range(work.B - 1, -1, -1):  # backward: the last row has drawn before it moves to another row's place
            draw_row(net, work, settings, texts, b)
        work.B = texts.active
        advance(w, work, ahead, step & 1, work.x)
        swap_states(work)
        step += 1
    if step & 1:
        restore_states(w, work)
    RELEASE_TILES()


cdef inline void draw_from_rows(Py_ssize_t symbols, Py_ssize_t V, const DrawSettings* settings, Texts* texts,
                                real* y, Py_ssize_t max_symbols) noexcept nogil:
    """Draw text after text, at most this many symbols in all, from the rows of `settings.mixture` alone.

    The logits to which its rows are added, y (V,), are 0. A text that has no room left ends the call.
    """
    cdef Py_ssize_t drawn = 0
    cdef Py_ssize_t text, i
    cdef int symbol
    while drawn < max_symbols and (texts.active or texts.begun < texts.count):
        if not texts.active:
            texts.lengths[texts.begun] = 0
            texts.begun += 1
            texts.active = 1
        text = texts.begun - 1
        if texts.lengths[text] == texts.width:
            return
        for i in range(V):
            y[i] = 0 if i < symbols else -INFINITY
        unnormalized_softmax_rows(symbols, V, settings, 1, &text, y)
        symbol = draw(symbols, V, settings, text, next_number(texts, text), y)
        texts.active = append_symbol(texts, text, symbol)
        drawn += 1
