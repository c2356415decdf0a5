"""Panel products: y += x @ W for a W that is packed once and multiplied many times.

A BLAS packs W anew at every call; the recurrence multiplies by the same W at every time step. Here W (K, N) is packed
once per update into panels of a few vectors' width, each stored row after row and padded with zeros to whole vectors,
and `register_tile.h` multiplies one panel at a time, so that a caller can finish a panel's columns (a non-linearity)
while they are in the first-level cache.

`most` is the most vectors in a panel, and says for which use a matrix was packed: TILE_VECTORS for many rows,
STRIP_VECTORS for one. Each element of the product is added up over k in the same order whatever the number of rows and
the width of the panels: inference built on this gives the same bits at every batch size, position and thread count.
"""
from cython cimport floating

cdef enum:
    PACKED_ROWS = 8  # of a matrix that are packed before the next ones
    MOST_COLUMNS = 128  # of any panel: STRIP_VECTORS of the widest registers, in single precision

ctypedef struct Panel:
    Py_ssize_t start  # its first column
    Py_ssize_t columns
    Py_ssize_t next  # the first column of the one that is multiplied by after it; of itself if it is the last

ctypedef struct Columns:  # neighbouring ones; also of rows and elements the share of a thread
    Py_ssize_t first
    Py_ssize_t count

cdef extern from "register_tile.h" nogil:
    const int TILE_VECTORS
    const int STRIP_VECTORS
    const int VECTOR_BYTES
    void multiply_panel_float(Py_ssize_t rows, Py_ssize_t K, const float* a, Py_ssize_t lda, const float* panel,
                              Py_ssize_t columns, bint descending, const float* after, float* c,
                              Py_ssize_t ldc) noexcept
    void multiply_panel_double(Py_ssize_t rows, Py_ssize_t K, const double* a, Py_ssize_t lda, const double* panel,
                               Py_ssize_t columns, bint descending, const double* after, double* c,
                               Py_ssize_t ldc) noexcept
    const int OUTER_BLOCK
    void pack_panel_float(Py_ssize_t rows, Py_ssize_t columns, const float* w, Py_ssize_t ldw, float* panel) noexcept
    void pack_panel_double(Py_ssize_t rows, Py_ssize_t columns, const double* w, Py_ssize_t ldw, double* panel) noexcept
    void pack_slivers_float(Py_ssize_t K, Py_ssize_t rows, const float* a, Py_ssize_t lda, float* slivers) noexcept
    void pack_slivers_double(Py_ssize_t K, Py_ssize_t rows, const double* a, Py_ssize_t lda, double* slivers) noexcept
    void multiply_slivers_float(Py_ssize_t rows, Py_ssize_t K, const float* slivers, const float* panel,
                                Py_ssize_t columns, float* c, Py_ssize_t ldc) noexcept
    void multiply_slivers_double(Py_ssize_t rows, Py_ssize_t K, const double* slivers, const double* panel,
                                 Py_ssize_t columns, double* c, Py_ssize_t ldc) noexcept
    void transpose_block_float(const float* a, Py_ssize_t lda, float* b, Py_ssize_t ldb) noexcept
    void transpose_block_double(const double* a, Py_ssize_t lda, double* b, Py_ssize_t ldb) noexcept


cdef extern from "vectors.h" nogil:
    void PREFETCH_FAR(const void*)


cdef inline void ask_for(Py_ssize_t blocks, Py_ssize_t H, const floating* row, Py_ssize_t columns) noexcept nogil:
    """Have these columns of each of the blocks of H in a row brought near: short pieces far apart, which the processor
    does not guess. It may be any address."""
    cdef Py_ssize_t b, j, line = 64 // <Py_ssize_t>sizeof(floating)
    for b in range(blocks):
        for j in range((columns + line - 1) // line):
            PREFETCH_FAR(row + b * H + j * line)


cdef inline Py_ssize_t vectors_across(const floating* w, Py_ssize_t N) noexcept nogil:
    """Vectors that N columns fill, the last one perhaps in part; `w` only tells the dtype."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    return (N + lanes - 1) // lanes


cdef inline Py_ssize_t packed_elements(const floating* w, Py_ssize_t K, Py_ssize_t N) noexcept nogil:
    """Elements of a matrix (K, N) packed in panels."""
    return K * vectors_across(w, N) * <Py_ssize_t>(VECTOR_BYTES // sizeof(floating))


cdef inline Py_ssize_t panel_count(const floating* w, Py_ssize_t N, int most) noexcept nogil:
    """Panels of at most `most` vectors that N columns make."""
    cdef Py_ssize_t vectors = vectors_across(w, N)
    return vectors > 0 if vectors <= most else (vectors + most - 1) // most  # mostly there is one: no division


cdef inline Py_ssize_t panel_start(const floating* w, Py_ssize_t N, int most, Py_ssize_t j) noexcept nogil:
    """First column of panel j; the vectors are dealt evenly, since a narrow panel hides less latency."""
    cdef Py_ssize_t vectors = vectors_across(w, N), panels = panel_count(w, N, most)
    cdef Py_ssize_t start = j * (vectors // panels) + min(j, vectors % panels)
    return min(start * <Py_ssize_t>(VECTOR_BYTES // sizeof(floating)), N)


cdef inline Panel panel_in_turn(const floating* w, Py_ssize_t N, int most, Py_ssize_t i, bint back) noexcept nogil:
    """The i-th panel in its turn, from the first on or from the last one back.

    Who multiplies by the same panels again and again, and they are more than a cache holds, goes to and fro: there is
    half of a cache still full of what comes first. Always in one direction, everything is thrown out before its turn.
    """
    cdef Py_ssize_t last = panel_count(w, N, most) - 1, j = last - i if back else i
    cdef Panel panel
    if last == 0:
        return Panel(0, N, 0)
    panel.start = panel_start(w, N, most, j)
    panel.columns = panel_start(w, N, most, j + 1) - panel.start
    panel.next = panel_start(w, N, most, max(j - 1, 0) if back else min(j + 1, last))
    return panel


cdef inline Panel panel_among(const floating* w, Columns own, int most, Py_ssize_t i, bint back) noexcept nogil:
    """The i-th panel of some columns that are packed for themselves, where all others are packed so too."""
    cdef Panel panel = panel_in_turn(w, own.count, most, i, back)
    panel.start += own.first
    panel.next += own.first
    return panel


cdef inline Columns columns_of(const floating* w, Py_ssize_t N, int rank, int parts) noexcept nogil:
    """Part `rank` when N columns are dealt out: in whole vectors, since a panel is in one part."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating), vectors = vectors_across(w, N)
    cdef Columns part
    part.first = min(vectors * rank // parts * lanes, N)
    part.count = min(vectors * (rank + 1) // parts * lanes, N) - part.first
    return part


cdef inline Py_ssize_t whole_panel(const floating* w) noexcept nogil:
    """Columns of a panel of as many vectors as a tile has."""
    return TILE_VECTORS * (VECTOR_BYTES // <Py_ssize_t>sizeof(floating))


cdef inline Py_ssize_t narrow_panel(const floating* w) noexcept nogil:
    """Columns of a panel of one vector less, into which some columns are dealt."""
    return (TILE_VECTORS - 1) * (VECTOR_BYTES // <Py_ssize_t>sizeof(floating))


cdef inline void pack_panel(Py_ssize_t rows, Py_ssize_t columns, const floating* W, Py_ssize_t ldw,
                            floating* panel) noexcept nogil:
    """Copy rows of some columns of W to a panel, padded with zeros to whole vectors."""
    if floating is float:
        pack_panel_float(rows, columns, W, ldw, panel)
    else:
        pack_panel_double(rows, columns, W, ldw, panel)


cdef inline void pack(const floating* W, Py_ssize_t K, Py_ssize_t N, Py_ssize_t ldw, int most, Py_ssize_t first,
                      Py_ssize_t last, floating* panels) noexcept nogil:
    """Pack rows [first, last) of W (K, N), whose rows are ldw elements apart."""
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    cdef Py_ssize_t j, start, columns, width, top, bottom = first, count = panel_count(W, N, most)
    # A few rows at a time: the panels lie at distances that fall on the same lines of a cache.
    while bottom < last:
        top = bottom
        bottom = min(top + PACKED_ROWS, last)
        for j in range(count):
            start = panel_start(W, N, most, j)
            columns = panel_start(W, N, most, j + 1) - start
            width = vectors_across(W, columns) * lanes
            pack_panel(bottom - top, columns, W + top * ldw + start, ldw, panels + K * start + top * width)


cdef inline void pack_transposed(const floating* W, Py_ssize_t K, Py_ssize_t N, int most, Py_ssize_t first,
                                 Py_ssize_t last, floating* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, N), that is rows [first, last) of W (N, K).

    Whole vectors of columns go through the registers, a square block at a time; the edges go one by one.
    """
    cdef Py_ssize_t lanes = VECTOR_BYTES // sizeof(floating)
    cdef Py_ssize_t j, k, n = first, start = 0, stop, width = 0, whole = K - K % lanes
    cdef floating* out = panels
    for j in range(panel_count(W, N, most)):
        start = panel_start(W, N, most, j)
        stop = min(panel_start(W, N, most, j + 1), last)
        width = vectors_across(W, panel_start(W, N, most, j + 1) - start) * lanes
        out = panels + K * start
        while n < stop:
            if (n - start) % lanes == 0 and n + lanes <= stop:
                for k in range(whole // lanes):
                    transpose_block(W + n * K + k * lanes, K, out + k * lanes * width + n - start, width)
                for k in range(whole, K):
                    transpose_column(W + n * K + k, K, lanes, out + k * width + n - start)
                n += lanes
            else:
                for k in range(K):
                    out[k * width + n - start] = W[n * K + k]
                n += 1
    if last == N:
        for k in range(K):
            for n in range(N - start, width):
                out[k * width + n] = 0


cdef inline void transpose_column(const floating* a, Py_ssize_t lda, Py_ssize_t n, floating* b) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        b[i] = a[i * lda]


cdef inline void transpose_block(const floating* a, Py_ssize_t lda, floating* b, Py_ssize_t ldb) noexcept nogil:
    """b = a.T                                         (lanes, lanes)"""
    if floating is float:
        transpose_block_float(a, lda, b, ldb)
    else:
        transpose_block_double(a, lda, b, ldb)


cdef inline void multiply_panel(Py_ssize_t rows, Py_ssize_t K, const floating* a, Py_ssize_t lda,
                                const floating* panel, Py_ssize_t columns, const floating* after, floating* c,
                                Py_ssize_t ldc, bint descending=False) noexcept nogil:
    """c += a @ panel                                  (rows, columns) += (rows, K) (K, columns)

    Meanwhile what comes after it, another panel, is fetched from wherever it is. A single row may be added up over k
    `descending`: the panel's end is still in the first-level cache after a product in the usual order. Not for
    inference, which adds up in one order always.
    """
    if floating is float:
        multiply_panel_float(rows, K, a, lda, panel, columns, descending, after, c, ldc)
    else:
        multiply_panel_double(rows, K, a, lda, panel, columns, descending, after, c, ldc)


cdef inline void multiply_panels(Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const floating* a, Py_ssize_t lda,
                                 const floating* panels, int most, floating* c, Py_ssize_t ldc,
                                 bint back=False) noexcept nogil:
    """c += a @ W                                      (rows, N) += (rows, K) (K, N)"""
    cdef Py_ssize_t i
    cdef Panel panel
    for i in range(panel_count(a, N, most)):
        panel = panel_in_turn(a, N, most, i, back)
        multiply_panel(rows, K, a, lda, panels + K * panel.start, panel.columns, panels + K * panel.next,
                       c + panel.start, ldc)


cdef inline Py_ssize_t transposed_scratch(const floating* w, Py_ssize_t K, Py_ssize_t M) noexcept nogil:
    """Elements of the scratch of `add_transposed_product`: one panel of b, and slivers of a."""
    return min(K, <Py_ssize_t>OUTER_BLOCK) * (whole_panel(w) + M)


cdef inline void add_transposed_product(Py_ssize_t K, Py_ssize_t M, Py_ssize_t N, const floating* a,
                                        Py_ssize_t lda, const floating* b, Py_ssize_t ldb, floating* scratch,
                                        floating* c, Py_ssize_t ldc) noexcept nogil:
    """c += a.T @ b                                    (M, N) += (K, M)' (K, N)

    The gradient of weights: K, the time steps of all streams, may be much longer than a cache, so both operands are
    packed, blocks of rows of equal height at a time; of b a panel, which is multiplied by at once.
    """
    cdef Py_ssize_t i, j, k, depth, blocks = (K + OUTER_BLOCK - 1) // OUTER_BLOCK
    cdef floating* slivers = scratch + min(K, <Py_ssize_t>OUTER_BLOCK) * whole_panel(b)
    cdef Panel panel
    for i in range(blocks):
        k = i * K // blocks
        depth = (i + 1) * K // blocks - k
        if floating is float:
            pack_slivers_float(depth, M, a + k * lda, lda, slivers)
        else:
            pack_slivers_double(depth, M, a + k * lda, lda, slivers)
        for j in range(panel_count(b, N, TILE_VECTORS)):
            panel = panel_in_turn(b, N, TILE_VECTORS, j, False)
            pack_panel(depth, panel.columns, b + k * ldb + panel.start, ldb, scratch)
            if floating is float:
                multiply_slivers_float(M, depth, slivers, scratch, panel.columns, c + panel.start, ldc)
            else:
                multiply_slivers_double(M, depth, slivers, scratch, panel.columns, c + panel.start, ldc)
