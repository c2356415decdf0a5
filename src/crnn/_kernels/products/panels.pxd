"""Panel products: y += x @ W for a W packed once and multiplied many times.

W (K, N) is packed into panels a few vectors wide. Each panel is stored row by row and padded with zeros to whole
vectors; its rows consist of packed elements, see `operands.h`. `tiles.h` multiplies one panel at a time, so that a
caller can finish a panel's columns (apply a non-linearity) while they are in the first-level cache.

`max_vectors` is the maximum number of vectors in a panel. It depends on the use: TILE_VECTORS for products with many
rows, STRIP_VECTORS for one row. Each element of the product is summed over k in the same order, whatever the number of
rows and the width of the panels.
"""
from ..common.interface cimport real

cdef enum:
    PACKED_ROWS = 8  # of a matrix, packed before the next ones
    MAX_COLUMNS = 128  # of any panel: STRIP_VECTORS of the widest registers, in single precision
    GRADIENT_ROWS = 16  # of a gradient at a time, if the weights are not packed, which then have a multiple of it

ctypedef struct Panel:
    Py_ssize_t start  # its first column
    Py_ssize_t columns
    Py_ssize_t next  # the first column of the panel to be multiplied next; of itself if it is the last

ctypedef struct Range:  # neighboring columns, rows or elements, such as a thread's share
    Py_ssize_t first
    Py_ssize_t count

cdef extern from "vectors.h" nogil:
    const int VECTOR_BYTES
    const Py_ssize_t LANES  # numbers in a vector
    void PREFETCH_FAR(const void*)

cdef extern from "operands.h" nogil:
    const int BFLOAT16
    const int INT8
    const int PER_ELEMENT  # numbers, neighbors along k, in a packed element
    const int HEAD_ROWS  # of a panel, before the rows of its elements
    ctypedef struct operand_rows:  # the left operand of a product
        const real* first
        Py_ssize_t stride
    Py_ssize_t elements_of(Py_ssize_t K) noexcept
    Py_ssize_t depth_of(Py_ssize_t K) noexcept
    void set_head(Py_ssize_t K, Py_ssize_t columns, Py_ssize_t width, const real* scales, real* panel) noexcept
    Py_ssize_t operand_elements(Py_ssize_t rows, Py_ssize_t K) noexcept
    operand_rows as_operand(Py_ssize_t rows, Py_ssize_t K, const real* a, Py_ssize_t lda, real* room) noexcept
    real packed_element(const real* w, Py_ssize_t step, Py_ssize_t left) noexcept
    void pack_transposed_block(const real* a, Py_ssize_t lda, real* b, Py_ssize_t ldb) noexcept

cdef extern from "tiles.h" nogil:
    const int TILE_VECTORS
    const int STRIP_VECTORS
    const int OUTER_BLOCK
    void multiply_panel(Py_ssize_t rows, Py_ssize_t K, const real* a, Py_ssize_t lda, const real* panel,
                        Py_ssize_t columns, const real* after, real* c, Py_ssize_t ldc, bint descending) noexcept
    void pack_panel(Py_ssize_t rows, Py_ssize_t columns, const real* w, Py_ssize_t ldw, real* panel) noexcept
    void pack_slivers(Py_ssize_t K, Py_ssize_t rows, const real* a, Py_ssize_t lda, real* slivers) noexcept
    Py_ssize_t sliver_elements(Py_ssize_t K, Py_ssize_t rows) noexcept
    void multiply_slivers(Py_ssize_t rows, Py_ssize_t K, const real* slivers, const real* panel, Py_ssize_t columns,
                          real* c, Py_ssize_t ldc) noexcept

ctypedef void (*Pack)(const real*, Py_ssize_t, Py_ssize_t, Py_ssize_t, int, Py_ssize_t, Py_ssize_t,
                      real*) noexcept nogil
ctypedef void (*PackTransposed)(const real*, Py_ssize_t, Py_ssize_t, int, Py_ssize_t, Py_ssize_t,
                                real*) noexcept nogil

cdef extern from "vectors.h" nogil:
    void FORGET_PACK "FORGET_VALUE"(Pack)
    void FORGET_PACK_TRANSPOSED "FORGET_VALUE"(PackTransposed)

cdef extern from "weights_in_place.h" nogil:
    void multiply_in_place(Py_ssize_t K, Py_ssize_t N, const real* a, const real* W, bint back, real* c) noexcept
    void multiply_rows_in_place(Py_ssize_t M, Py_ssize_t N, const real* W, const real* a, bint back, real* c) noexcept


cdef inline void prefetch_columns(Py_ssize_t blocks, Py_ssize_t H, const real* row, Py_ssize_t columns) noexcept nogil:
    """Prefetch these columns of each of the blocks of H in a row; `row` may be any address.

    They are short pieces far apart, which the processor does not prefetch on its own.
    """
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t lines = (columns + line - 1) // line
    cdef Py_ssize_t b, j
    for b in range(blocks):
        for j in range(lines):
            PREFETCH_FAR(row + b * H + j * line)


cdef inline Py_ssize_t vectors_across(Py_ssize_t N) noexcept nogil:
    """Return the vectors filled by N columns, the last one perhaps in part."""
    cdef Py_ssize_t lanes = LANES
    return (N + lanes - 1) // lanes


cdef inline Py_ssize_t packed_elements(Py_ssize_t K, Py_ssize_t N) noexcept nogil:
    """Return the elements of a matrix (K, N) packed in panels."""
    return depth_of(K) * vectors_across(N) * LANES


cdef inline int panel_vectors(bint one_row) noexcept nogil:
    """Return the maximum number of vectors in a panel of a matrix packed for products with one row or many."""
    return STRIP_VECTORS if one_row else TILE_VECTORS


cdef inline Py_ssize_t panel_count(Py_ssize_t N, int max_vectors) noexcept nogil:
    """Return the number of panels of at most `max_vectors` vectors for N columns."""
    cdef Py_ssize_t vectors = vectors_across(N)
    if vectors <= max_vectors:  # the usual case, which needs no division
        return vectors > 0
    return (vectors + max_vectors - 1) // max_vectors


cdef inline Py_ssize_t panel_start(Py_ssize_t N, int max_vectors, Py_ssize_t j) noexcept nogil:
    """Return the first column of panel j; panels are equally wide, since a narrow panel hides less latency."""
    cdef Py_ssize_t vectors = vectors_across(N)
    cdef Py_ssize_t panels = panel_count(N, max_vectors)
    cdef Py_ssize_t start = j * (vectors // panels) + min(j, vectors % panels)
    return min(start * LANES, N)


cdef inline Panel panel_in_turn(Py_ssize_t N, int max_vectors, Py_ssize_t i, bint back) noexcept nogil:
    """Return the i-th panel in order: from first to last, or `back`, from last to first.

    A repeated product alternates the direction over panels that exceed the cache, so that the half still cached is
    read first. In a single direction, each panel would be evicted before its turn.
    """
    cdef Py_ssize_t last = panel_count(N, max_vectors) - 1
    cdef Py_ssize_t j = last - i if back else i
    cdef Py_ssize_t next_j = max(j - 1, 0) if back else min(j + 1, last)
    cdef Panel panel
    if last == 0:
        return Panel(0, N, 0)
    panel.start = panel_start(N, max_vectors, j)
    panel.columns = panel_start(N, max_vectors, j + 1) - panel.start
    panel.next = panel_start(N, max_vectors, next_j)
    return panel


cdef inline Panel panel_among(Range columns, int max_vectors, Py_ssize_t i, bint back) noexcept nogil:
    """Return the i-th panel of one thread's columns, which are packed separately."""
    cdef Panel panel = panel_in_turn(columns.count, max_vectors, i, back)
    panel.start += columns.first
    panel.next += columns.first
    return panel


cdef inline Range columns_of(Py_ssize_t N, int rank, int parts) noexcept nogil:
    """Return part `rank` of N columns, split into whole vectors, since a panel lies in one part."""
    cdef Py_ssize_t lanes = LANES
    cdef Py_ssize_t vectors = vectors_across(N)
    cdef Range part
    part.first = min(vectors * rank // parts * lanes, N)
    part.count = min(vectors * (rank + 1) // parts * lanes, N) - part.first
    return part


cdef inline Py_ssize_t whole_panel() noexcept nogil:
    """Return the columns of a panel with as many vectors as a tile."""
    return TILE_VECTORS * LANES


cdef inline void pack(const real* W, Py_ssize_t K, Py_ssize_t N, Py_ssize_t ldw, int max_vectors, Py_ssize_t first,
                      Py_ssize_t last, real* panels) noexcept nogil:
    """Pack rows [first, last) of W (K, N), whose rows are ldw numbers apart; `first` starts a packed element."""
    cdef Pack once = pack_rows_of
    FORGET_PACK(once)
    once(W, K, N, ldw, max_vectors, first, last, panels)


cdef inline void pack_rows_of(const real* W, Py_ssize_t K, Py_ssize_t N, Py_ssize_t ldw, int max_vectors,
                              Py_ssize_t first, Py_ssize_t last, real* panels) noexcept nogil:
    """The body of `pack`, compiled once: it would be inlined wherever weights are packed."""
    cdef Py_ssize_t lanes = LANES
    cdef Py_ssize_t count = panel_count(N, max_vectors)
    cdef Py_ssize_t bottom = first
    cdef Py_ssize_t j, start, columns, width, top
    # A few rows at a time: the panels are so far apart that they compete for the same lines of a cache.
    while bottom < last:
        top = bottom
        bottom = min(top + PACKED_ROWS, last)
        for j in range(count):
            start = panel_start(N, max_vectors, j)
            columns = panel_start(N, max_vectors, j + 1) - start
            width = vectors_across(columns) * lanes
            pack_panel(bottom - top, columns, W + top * ldw + start, ldw,
                       panels + depth_of(K) * start + depth_of(top) * width)


cdef inline void head_panels(Py_ssize_t K, Py_ssize_t N, int max_vectors, const real* scales,
                             real* panels) noexcept nogil:
    """Set the heads, if any, of the packed panels of a matrix (K, N), from the scales of its columns."""
    cdef Py_ssize_t lanes = LANES
    cdef Py_ssize_t j, start, columns
    if HEAD_ROWS == 0:
        return
    for j in range(panel_count(N, max_vectors)):
        start = panel_start(N, max_vectors, j)
        columns = panel_start(N, max_vectors, j + 1) - start
        set_head(K, columns, vectors_across(columns) * lanes, scales + start, panels + depth_of(K) * start)


cdef inline void pack_transposed(const real* W, Py_ssize_t K, Py_ssize_t N, int max_vectors, Py_ssize_t first,
                                 Py_ssize_t last, real* panels) noexcept nogil:
    """Pack columns [first, last) of W.T (K, N), that is, rows [first, last) of W (N, K)."""
    cdef PackTransposed once = pack_columns_of
    FORGET_PACK_TRANSPOSED(once)
    once(W, K, N, max_vectors, first, last, panels)


cdef inline void pack_columns_of(const real* W, Py_ssize_t K, Py_ssize_t N, int max_vectors, Py_ssize_t first,
                                 Py_ssize_t last, real* panels) noexcept nogil:
    """The body of `pack_transposed`, compiled once.

    Whole vectors of columns go through registers, a square block at a time; the remainder goes one by one.
    """
    cdef Py_ssize_t lanes = LANES
    cdef Py_ssize_t depth = depth_of(K)
    cdef Py_ssize_t block = lanes * PER_ELEMENT
    cdef Py_ssize_t whole = K // block * lanes
    cdef Py_ssize_t n = first
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t width = 0
    cdef Py_ssize_t j, k, stop
    cdef real* out = panels
    for j in range(panel_count(N, max_vectors)):
        start = panel_start(N, max_vectors, j)
        stop = min(panel_start(N, max_vectors, j + 1), last)
        width = vectors_across(panel_start(N, max_vectors, j + 1) - start) * lanes
        out = panels + depth * start
        while n < stop:
            if (n - start) % lanes == 0 and n + lanes <= stop:
                for k in range(whole // lanes):
                    pack_transposed_block(W + n * K + k * block, K, out + k * lanes * width + n - start, width)
                pack_transposed_columns(W + n * K, K, lanes, whole, out + n - start, width)
                n += lanes
            else:
                pack_transposed_columns(W + n * K, K, 1, 0, out + n - start, width)
                n += 1
    if last == N:
        for k in range(depth):
            for n in range(N - start, width):
                out[k * width + n] = 0


cdef inline void pack_transposed_columns(const real* W, Py_ssize_t K, Py_ssize_t n, Py_ssize_t first, real* out,
                                         Py_ssize_t width) noexcept nogil:
    """Pack rows [first, depth) of n columns of W.T, one element after the other."""
    cdef Py_ssize_t i, k
    for k in range(first, depth_of(K)):
        for i in range(n):
            out[k * width + i] = packed_element(W + i * K + k * PER_ELEMENT, 1, K - k * PER_ELEMENT)


cdef inline void multiply_panels(Py_ssize_t rows, Py_ssize_t K, Py_ssize_t N, const real* a, Py_ssize_t lda,
                                 const real* panels, int max_vectors, real* c, Py_ssize_t ldc,
                                 bint back=False) noexcept nogil:
    """c += a @ W                                      (rows, N) += (rows, K) (K, N); a is an operand"""
    cdef Py_ssize_t depth = depth_of(K)
    cdef Py_ssize_t i
    cdef Panel panel
    for i in range(panel_count(N, max_vectors)):
        panel = panel_in_turn(N, max_vectors, i, back)
        multiply_panel(rows, K, a, lda, panels + depth * panel.start, panel.columns, panels + depth * panel.next,
                       c + panel.start, ldc, descending=False)


cdef inline Py_ssize_t transposed_scratch(Py_ssize_t K, Py_ssize_t M) noexcept nogil:
    """Return the elements of the scratch memory of `add_transposed_product`: one panel of b, and slivers of a."""
    cdef Py_ssize_t block = min(K, <Py_ssize_t>OUTER_BLOCK)
    return depth_of(block) * whole_panel() + sliver_elements(block, M)


cdef inline void add_transposed_product(Py_ssize_t K, Py_ssize_t M, Py_ssize_t N, const real* a,
                                        Py_ssize_t lda, const real* b, Py_ssize_t ldb, real* scratch,
                                        real* c, Py_ssize_t ldc) noexcept nogil:
    """c += a.T @ b                                    (M, N) += (K, M)' (K, N)

    The gradient of weights. K, the time steps of all streams, may exceed a cache. Both operands are therefore packed,
    in blocks of rows of equal height: all of a's block, and b's one panel at a time, multiplied immediately.
    """
    cdef Py_ssize_t blocks = (K + OUTER_BLOCK - 1) // OUTER_BLOCK
    cdef Py_ssize_t i, j, k, depth
    cdef real* slivers = scratch + depth_of(min(K, <Py_ssize_t>OUTER_BLOCK)) * whole_panel()
    cdef Panel panel
    for i in range(blocks):
        k = i * K // blocks
        depth = (i + 1) * K // blocks - k
        pack_slivers(depth, M, a + k * lda, lda, slivers)
        for j in range(panel_count(N, TILE_VECTORS)):
            panel = panel_in_turn(N, TILE_VECTORS, j, back=False)
            pack_panel(depth, panel.columns, b + k * ldb + panel.start, ldb, scratch)
            multiply_slivers(M, depth, slivers, scratch, panel.columns, c + panel.start, ldc)
