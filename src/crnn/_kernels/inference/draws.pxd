"""Draw a symbol for each row of a batch, after the controls have changed its logits; see `sampler` for one row."""
from libc.string cimport memcpy
from ..common.interface cimport DrawSettings, RowMixture, real
from .sampler cimport argmax, filter_logits, pick, unnormalized_softmax


cdef inline bint is_letter(const RowMixture* mixture, int symbol) noexcept nogil:
    """Return whether a symbol is a letter; -1, before the beginning, is not."""
    return 0 <= symbol < mixture.source.symbols and mixture.letters[symbol]


cdef inline void mix_row(const RowMixture* mixture, Py_ssize_t V, Py_ssize_t text, real* y) noexcept nogil:
    """y = of_network y + of_other log P(w | the text so far), by the other model, for the symbols w"""
    cdef Py_ssize_t n = mixture.context
    cdef Py_ssize_t length = mixture.texts.lengths[text]
    cdef Py_ssize_t drawn = min(n, length)  # of the last n symbols
    cdef Py_ssize_t kept = n - drawn
    cdef const int* end = mixture.texts.symbols + text * mixture.texts.width + length
    cdef Py_ssize_t letters = 0
    cdef Py_ssize_t w
    cdef double of_network, of_other
    memcpy(mixture.symbols, mixture.before + drawn, kept * sizeof(int))
    memcpy(mixture.symbols + kept, end - drawn, drawn * sizeof(int))
    mixture.source.fill(mixture.source.source, mixture.symbols, n, mixture.row)
    while letters < mixture.classes - 1 and is_letter(mixture, mixture.symbols[n - 1 - letters]):
        letters += 1
    of_network = mixture.weights[2 * letters]
    of_other = mixture.weights[2 * letters + 1]
    for w in range(V):
        y[w] = <real>(of_network * y[w] + of_other * mixture.row[w])


cdef inline void unnormalized_softmax_rows(Py_ssize_t symbols, Py_ssize_t V, const DrawSettings* settings,
                                           Py_ssize_t B, const Py_ssize_t* texts, real* y) noexcept nogil:
    """Turn logits y (B, V) into probabilities, up to a factor; row b has seen the symbols of text texts[b].

    V are the symbols with the padding that fills the last vector, here and below.
    """
    cdef Py_ssize_t b
    cdef unsigned char* seen = NULL
    if settings.mixture != NULL:
        for b in range(B):
            mix_row(settings.mixture, symbols, texts[b] if texts != NULL else b, y + b * V)
    if settings.control == NULL:
        unnormalized_softmax(y, B, symbols, V, <real>settings.temperature)
        return
    for b in range(B):
        if settings.seen != NULL:
            seen = settings.seen + texts[b] * V
        filter_logits(y + b * V, symbols, V, settings, seen)


cdef inline int draw(Py_ssize_t symbols, Py_ssize_t V, const DrawSettings* settings, Py_ssize_t text, double u,
                     const real* y) noexcept nogil:
    """Return the symbol of a text that u selects from the result of `unnormalized_softmax_rows` for its logits."""
    cdef int symbol
    if settings.control == NULL and <real>settings.temperature == 0:
        return argmax(y, symbols)
    symbol = pick(y, symbols, V, u, settings.sums)
    if settings.seen != NULL:
        settings.seen[text * V + symbol] = 1
    return symbol
