"""Draw a symbol for each row of a batch, after the controls have changed its logits; see `sampler` for one row."""
from ..entry.interface cimport DrawSettings, Network, real
from .sampler cimport argmax, filter_logits, pick, unnormalized_softmax


cdef inline void unnormalized_softmax_rows(const Network* net, const DrawSettings* settings, Py_ssize_t B,
                                           const Py_ssize_t* texts, real* y) noexcept nogil:
    """Turn logits y (B, V) into probabilities, up to a factor; row b has seen what text texts[b] has."""
    cdef Py_ssize_t b, V = net.V
    cdef unsigned char* seen = NULL
    if settings.control == NULL:
        unnormalized_softmax(y, B, net.symbols, V, <real>settings.temperature)
        return
    for b in range(B):
        if settings.seen != NULL:
            seen = settings.seen + texts[b] * V
        filter_logits(y + b * V, net.symbols, V, settings, seen)


cdef inline int draw(const Network* net, const DrawSettings* settings, Py_ssize_t text, double u,
                     const real* y) noexcept nogil:
    """The symbol of a text that u picks from what `unnormalized_softmax_rows` made of its logits."""
    cdef int symbol
    if settings.control == NULL and <real>settings.temperature == 0:
        return argmax(y, net.symbols)
    symbol = pick(y, net.symbols, net.V, u, settings.sums)
    if settings.seen != NULL:
        settings.seen[text * net.V + symbol] = 1
    return symbol
