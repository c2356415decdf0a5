"""Draw a symbol for each of the rows of a batch, with all that is done to their logits; see `sampler` for one row."""
from .interface cimport Network, Steering, real
from .sampler cimport filter_logits, likeliest, pick, weigh


cdef inline void weigh_rows(const Network* net, const Steering* steering, Py_ssize_t B, const Py_ssize_t* texts,
                            real* y) noexcept nogil:
    """Turn logits y (B, V) into probabilities, up to a factor; row b has seen what text texts[b], or b, has."""
    cdef Py_ssize_t b, V = net.V
    cdef unsigned char* seen = NULL
    if steering.control == NULL:
        weigh(y, B, net.symbols, V, <real>steering.temperature)
        return
    for b in range(B):
        if steering.seen != NULL:
            seen = steering.seen + (texts[b] if texts != NULL else b) * V
        filter_logits(y + b * V, net.symbols, V, steering, seen)


cdef inline int draw(const Network* net, const Steering* steering, Py_ssize_t text, double u,
                     const real* y) noexcept nogil:
    """The symbol of a text that u picks from what `weigh_rows` made of its logits."""
    cdef int symbol
    if steering.control == NULL and <real>steering.temperature == 0:
        return likeliest(y, net.symbols)
    symbol = pick(y, net.symbols, net.V, u, steering.sums)
    if steering.seen != NULL:
        steering.seen[text * net.V + symbol] = 1
    return symbol
