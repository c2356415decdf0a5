"""Draw a symbol for each of the rows of a batch, with all that is done to their logits; see `sampler` for one row."""
from cython cimport floating
from .network cimport Network
from .sampler cimport Controls, filter_logits, likeliest, pick, weigh

ctypedef struct Steering:  # what is done to logits before a draw, and room for it
    double temperature
    const Controls* control  # NULL: nothing else
    const void* bias  # (V,) of the weights' type; NULL: none
    unsigned char* seen  # (texts, V), the symbols that are penalised; NULL: none
    int* order  # (V,)
    double* sums  # for `pick`


cdef inline void weigh_rows(const Network* net, const Steering* steering, Py_ssize_t B, const Py_ssize_t* texts,
                            floating* y) noexcept nogil:
    """Make probabilities, up to a factor, of logits y (B, V); row b has seen what text texts[b] has, or text b."""
    cdef Py_ssize_t b, V = net.V
    cdef unsigned char* seen = NULL
    if steering.control == NULL:
        weigh(y, B, net.symbols, V, <floating>steering.temperature)
        return
    for b in range(B):
        if steering.seen != NULL:
            seen = steering.seen + (texts[b] if texts != NULL else b) * V
        filter_logits(y + b * V, net.symbols, V, <floating>steering.temperature, steering.control,
                   <const floating*>steering.bias, seen, steering.order)


cdef inline int draw(const Network* net, const Steering* steering, Py_ssize_t text, double u,
                     const floating* y) noexcept nogil:
    """The symbol of a text that u picks from what `weigh_rows` made of its logits."""
    cdef int symbol
    if steering.control == NULL and <floating>steering.temperature == 0:
        return likeliest(y, net.symbols)
    symbol = pick(y, net.symbols, net.V, u, steering.sums)
    if steering.seen != NULL:
        steering.seen[text * net.V + symbol] = 1
    return symbol
