"""One time step of inference, cut where a symbol is drawn: what can be multiplied before it is known, and the rest."""
from cython cimport floating
from .chunk cimport Chunk, begin_step, carry_states, finish_step, layers_forward, start_anew
from .decoder cimport decode
from .draws cimport Steering, weigh_rows
from .dropout cimport Dropout
from .network cimport RNN, Network


cdef inline floating* input_of(const Network* net, Chunk chunk, floating* h, floating* gates) noexcept nogil:
    """Where z of the first layer's next step is: in a vanilla cell where its state will be."""
    return h + chunk.following if net.cell == RNN else gates


cdef inline void prepare_draw(const Network* net, const floating* p, const floating* panels, Chunk chunk, bint ahead,
                              bint back, const Steering* steering, const Py_ssize_t* texts, floating* h,
                              floating* gates, floating* y) noexcept nogil:
    """Probabilities, up to a factor, of y = h @ Wy + by of the top layer; `ahead` of the symbols also z = h @ Wh + bh.

    One stream does both products, in turns: what was multiplied by last is still in the cache when it comes first. A
    second one that does not need them starts while the exponentials, which wait for one another, go on.
    """
    if ahead and back:
        begin_step(net, p, panels, chunk.B, h, True, input_of(net, chunk, h, gates))
    decode(net, p, panels, chunk.B, h + (net.L - 1) * chunk.states, y, back)
    weigh_rows(net, steering, chunk.B, texts, y)
    if ahead and not back:
        begin_step(net, p, panels, chunk.B, h, False, input_of(net, chunk, h, gates))


cdef inline void move_on(const Network* net, const floating* p, const floating* panels, Chunk chunk, bint ahead,
                         bint back, const int* x, floating* h, floating* c, floating* gates) noexcept nogil:
    """The states of the time step after those in h and c, once the symbols x (B,) are drawn."""
    cdef const Dropout* no_dropout = NULL
    cdef floating* nothing = NULL
    cdef floating* z = input_of(net, chunk, h, gates)
    if not ahead:
        begin_step(net, p, panels, chunk.B, h, back, z)
    start_anew(net, p, chunk, x, z, c, h)
    finish_step(net, p, x, chunk.B, h, c, z, c + chunk.following, h + chunk.following)
    if net.L > 1:
        layers_forward(net, p, panels, chunk, x, 0, 1, no_dropout, h, c, gates, nothing, 1)


cdef inline void put_back(const Network* net, Chunk chunk, floating* h, floating* c) noexcept nogil:
    """Of a draw's two places for states, which take turns: those in the second one, where h and c are, to the first."""
    cdef floating* first_h = h + chunk.following
    cdef floating* first_c = c + chunk.following
    chunk.following = -chunk.following
    carry_states(net, chunk, 1, first_h, first_c)
