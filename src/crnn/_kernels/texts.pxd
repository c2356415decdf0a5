"""Texts that are drawn side by side, each until it has met a stop or is as long as it may be."""
from cython cimport floating
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy
from .chunk cimport Chunk
from .draws cimport Steering, draw, weigh_rows
from .inference_step cimport move_on, prepare_draw, put_back
from .network cimport LSTM, Network
from .pcg64 cimport Wide, next_uniform

ctypedef struct Texts:
    Py_ssize_t count
    Py_ssize_t most  # symbols of one
    Py_ssize_t width  # symbols of one that there is room for
    Py_ssize_t longest  # symbols of the longest that goes on
    Py_ssize_t begun  # texts
    Py_ssize_t going  # those of them that have not ended
    Py_ssize_t* rows  # the texts that these are, in the order of their states
    int* symbols  # (count, width)
    Py_ssize_t* lengths  # of those so far; of a text that has met its stop, without that
    uint64_t* streams  # (count, 2), of random numbers
    Wide increment  # of these
    const int* stops  # their symbols, one stop after another, the longer before the shorter
    const Py_ssize_t* stop_ends
    Py_ssize_t stop_count


cdef inline double next_number(Texts* texts, Py_ssize_t i) noexcept nogil:
    """The next random number of text i."""
    return next_uniform(texts.streams + 2 * i, texts.increment)


cdef inline bint goes_on(Texts* texts, Py_ssize_t i, int symbol) noexcept nogil:
    """Add a symbol to text i; return whether others follow."""
    cdef int* text = texts.symbols + i * texts.width
    cdef Py_ssize_t length = texts.lengths[i] + 1, stop
    text[length - 1] = symbol
    stop = stop_length(texts, text, length)
    texts.lengths[i] = length - stop
    if stop or length == texts.most:
        return False
    texts.longest = max(texts.longest, length)
    return True


cdef inline Py_ssize_t stop_length(const Texts* texts, const int* text, Py_ssize_t length) noexcept nogil:
    """Symbols of the longest stop that a text ends with; 0 if it ends with none."""
    cdef Py_ssize_t s, size, start = 0
    for s in range(texts.stop_count):
        size = texts.stop_ends[s] - start
        if (size <= length and text[length - 1] == texts.stops[start + size - 1]
                and memcmp(text + length - size, texts.stops + start, size * sizeof(int)) == 0):
            return size
        start += size
    return 0


cdef inline void copy_state(const Network* net, const floating* source, Py_ssize_t source_layer, floating* out,
                            Py_ssize_t layer) noexcept nogil:
    """out = source                                    (L, H), whose layers are so many elements apart"""
    cdef Py_ssize_t l
    for l in range(net.L):
        memcpy(out + l * layer, source + l * source_layer, net.H * sizeof(floating))


cdef inline void begin_text(const Network* net, Chunk chunk, Texts* texts, Py_ssize_t b, const floating* start_h,
                            const floating* start_c, floating* h, floating* c) noexcept nogil:
    """Give row b to the next text."""
    texts.rows[b] = texts.begun
    texts.lengths[texts.begun] = 0
    texts.begun += 1
    copy_state(net, start_h, net.H, h + b * net.H, chunk.states)
    if net.cell == LSTM:
        copy_state(net, start_c, net.H, c + b * net.H, chunk.states)


cdef inline void end_row(const Network* net, Chunk chunk, Texts* texts, Py_ssize_t b, int* x, floating* h,
                         floating* c) noexcept nogil:
    """Put the last row in the place of row b."""
    cdef Py_ssize_t last = texts.going - 1
    texts.going = last
    if b == last:
        return
    texts.rows[b] = texts.rows[last]
    x[b] = x[last]
    copy_state(net, h + last * net.H, chunk.states, h + b * net.H, chunk.states)
    if net.cell == LSTM:
        copy_state(net, c + last * net.H, chunk.states, c + b * net.H, chunk.states)


cdef inline void draw_texts(const Network* net, const floating* p, const floating* panels, Chunk chunk,
                            Texts* texts, Py_ssize_t steps, const Steering* steering, const floating* start_h,
                            const floating* start_c, floating* start_y, floating* h, floating* c, floating* gates,
                            floating* y, int* x) noexcept nogil:
    """What `sample_texts` is for, with a chunk of all rows."""
    cdef Py_ssize_t step = 0, b
    cdef bint ahead = texts.count == 1
    if texts.begun < texts.count:  # no text has begun of which the next one could have seen a symbol
        weigh_rows(net, steering, 1, &texts.begun, start_y)
    while texts.going < chunk.B and texts.begun < texts.count:
        begin_text(net, chunk, texts, texts.going, start_h, start_c, h, c)
        texts.going += 1
    while texts.going and step < steps and texts.longest < texts.width:
        chunk.B = texts.going
        prepare_draw(net, p, panels, chunk, ahead, step & 1, steering, texts.rows, h, gates, y)
        for b in range(chunk.B - 1, -1, -1):  # so that the last row has drawn when it comes in the place of another
            x[b] = draw(net, steering, texts.rows[b], next_number(texts, texts.rows[b]), y + b * net.V)
            while not goes_on(texts, texts.rows[b], x[b]):
                if texts.begun == texts.count:
                    end_row(net, chunk, texts, b, x, h, c)
                    break
                begin_text(net, chunk, texts, b, start_h, start_c, h, c)
                x[b] = draw(net, steering, texts.rows[b], next_number(texts, texts.rows[b]), start_y)
        chunk.B = texts.going
        move_on(net, p, panels, chunk, ahead, step & 1, x, h, c, gates)
        h, c, chunk.following = h + chunk.following, c + chunk.following, -chunk.following
        step += 1
    if step & 1:
        put_back(net, chunk, h, c)
