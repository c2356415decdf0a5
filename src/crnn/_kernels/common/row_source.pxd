"""A function that fills a row of logits from the symbols read so far, called for each symbol drawn or scored."""

ctypedef void (*FillRow)(const void* source, const int* symbols, Py_ssize_t n, double* row) noexcept nogil

cdef struct RowSource:  # in a capsule named "crnn._kernels.RowSource"
    const void* source
    FillRow fill  # row[w] = log P(w | the last n symbols read), for w = 0, …, V - 1
    Py_ssize_t symbols  # V
    Py_ssize_t context  # number of symbols that matter, the minimum for n
