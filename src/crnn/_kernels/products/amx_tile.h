/* Tiles of the matrix unit, AMX: c += a @ panel for operands of pairs (see operands.h).
 *
 * A tile register holds 16 rows of 64 bytes: 16 x 16 sums, 16 rows of a by 16 elements (32 numbers along k), or 16
 * elements along k by the 16 columns of a vector of the panel. One instruction multiplies the last two into the
 * first. A block of the product is up to 32 rows by two vectors of columns: 4 registers of sums, 2 of a, 2 of the
 * panel. Every element of the product is summed over k in the same order, 32 numbers at a time, in any block, at any
 * row and for a single row, too, so that results do not depend on the batch, to the bit.
 */
#pragma once

#include "operands.h"

#define TILE_VECTORS 2
#define STRIP_VECTORS 4
/* Panels of two vectors are narrow for the loops of the cells, which here take the same time as products. */
#define CELL_PANELS 2
enum { SIDE = 16 }; /* rows of a tile, elements of each */

/* Elements along k taken at a time: the part of a panel stays in the first-level cache while all rows pass over it. */
#define K_BLOCK 256

/* Rows of a transposed product packed at a time (see register_tile.h). */
#define OUTER_BLOCK 512

/* The instructions' arguments are addresses, and compilers do not always see the memory accesses. */
#define MEMORY_IS_READ() __asm__ volatile("" ::: "memory")

/* The rows for which the thread's tile registers are configured, `upper` times 64 plus `lower`: configuring takes
 * the time of ten products of tiles. 0: not configured. Release them before other code may use them. */
static _Thread_local ptrdiff_t tile_rows_set;

static inline void release_tiles(void) {
    if (tile_rows_set)
        _tile_release();
    tile_rows_set = 0;
}
#define RELEASE_TILES() release_tiles()

/* ---------------------------------------------------------------------------------------------- registers */

/* 0 to 3: sums, of two vectors for the upper rows and the lower ones, or of four vectors for the upper rows;
 * 4, 5: rows of a, upper and lower; 6, 7: the panel. With four vectors, 5 belongs to the panel, too. */
static void set_tile_rows(ptrdiff_t upper, ptrdiff_t lower) {
    if (tile_rows_set == upper * 64 + lower)
        return;
    tile_rows_set = upper * 64 + lower;
    struct { unsigned char palette, start, reserved[14]; unsigned short row_bytes[16]; unsigned char rows[16]; } shape;
    memset(&shape, 0, sizeof shape);
    shape.palette = 1;
    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = 64;
        shape.rows[i] = SIDE;
    }
    shape.rows[0] = shape.rows[1] = shape.rows[4] = (unsigned char)upper;
    if (lower)
        shape.rows[2] = shape.rows[3] = shape.rows[5] = (unsigned char)lower;
    else
        shape.rows[2] = shape.rows[3] = (unsigned char)upper;
    MEMORY_IS_READ();
    _tile_loadconfig(&shape);
}

/* One step along k of a block of up to 32 rows by two vectors. */
#define BLOCK_STEP(LOWER, NV, A, PANEL) \
    do { \
        _tile_loadd(6, PANEL, (NV) * 64); \
        _tile_loadd(4, A, lda * sizeof(real)); \
        _tile_dpbf16ps(0, 4, 6); \
        if ((NV) > 1) { \
            _tile_loadd(7, (PANEL) + SIDE, (NV) * 64); \
            _tile_dpbf16ps(1, 4, 7); \
        } \
        if (LOWER) { \
            _tile_loadd(5, (A) + upper * lda, lda * sizeof(real)); \
            _tile_dpbf16ps(2, 5, 6); \
            if ((NV) > 1) \
                _tile_dpbf16ps(3, 5, 7); \
        } \
    } while (0)

/* One step along k of up to 16 rows by up to four vectors. */
#define STRIP_STEP(NV, A, PANEL) \
    do { \
        _tile_loadd(4, A, lda * sizeof(real)); \
        _tile_loadd(5, PANEL, (NV) * 64); \
        _tile_dpbf16ps(0, 4, 5); \
        if ((NV) > 1) { \
            _tile_loadd(6, (PANEL) + SIDE, (NV) * 64); \
            _tile_dpbf16ps(1, 4, 6); \
        } \
        if ((NV) > 2) { \
            _tile_loadd(7, (PANEL) + 2 * SIDE, (NV) * 64); \
            _tile_dpbf16ps(2, 4, 7); \
        } \
        if ((NV) > 3) { \
            _tile_loadd(5, (PANEL) + 3 * SIDE, (NV) * 64); \
            _tile_dpbf16ps(3, 4, 5); \
        } \
    } while (0)

/* Steps along all K elements. The rows of a end with zeros at a whole step; the panel's last rows are copied, because
 * zero times whatever follows the panel might be NaN. `next` is prefetched meanwhile. */
#define EACH_STEP(NV, STEP, PREFETCH_STEP) \
    do { \
        const ptrdiff_t whole = K - K % SIDE; \
        for (ptrdiff_t k = 0; k < whole; k += SIDE) { \
            PREFETCH_STEP; \
            STEP(a + k, panel + k * (NV) * SIDE); \
        } \
        if (whole < K) { \
            real rest[SIDE * (NV) * SIDE]; \
            const ptrdiff_t n = (K - whole) * (NV) * SIDE; \
            memcpy(rest, panel + whole * (NV) * SIDE, n * sizeof(real)); \
            memset(rest + n, 0, sizeof rest - n * sizeof(real)); \
            MEMORY_IS_READ(); \
            STEP(a + whole, rest); \
            MEMORY_IS_READ(); \
        } \
    } while (0)

/* ---------------------------------------------------------------------------------------------- blocks */

typedef struct { /* what to prefetch at each step along k */
    const real *from;
    ptrdiff_t step; /* elements from one step to the next */
    int lines; /* 16: consecutive cache lines; 2: of two rows of sums; 0: nothing */
} prefetched;

/* c[upper + lower, NV * 16] += a[upper + lower, K] @ panel[K, NV * 16] */
#define DEFINE_BLOCK(LOWER, NV) \
    NO_INLINE static void block_##LOWER##x##NV(ptrdiff_t upper, ptrdiff_t K, const real *a, ptrdiff_t lda, \
                                               const real *panel, prefetched next, real *c, ptrdiff_t ldc) { \
        (void)upper; \
        MEMORY_IS_READ(); \
        _tile_loadd(0, c, ldc * sizeof(real)); \
        if ((NV) > 1) \
            _tile_loadd(1, c + SIDE, ldc * sizeof(real)); \
        if (LOWER) \
            _tile_loadd(2, c + upper * ldc, ldc * sizeof(real)); \
        if (LOWER && (NV) > 1) \
            _tile_loadd(3, c + upper * ldc + SIDE, ldc * sizeof(real)); \
        EACH_STEP(NV, BLOCK_STEP_##LOWER##x##NV, PREFETCH_NEXT(NV)); \
        _tile_stored(0, c, ldc * sizeof(real)); \
        if ((NV) > 1) \
            _tile_stored(1, c + SIDE, ldc * sizeof(real)); \
        if (LOWER) \
            _tile_stored(2, c + upper * ldc, ldc * sizeof(real)); \
        if (LOWER && (NV) > 1) \
            _tile_stored(3, c + upper * ldc + SIDE, ldc * sizeof(real)); \
        MEMORY_IS_READ(); \
    }
/* Prefetch a part of the panel to be multiplied next, or of the sums of the next block of rows. */
#define PREFETCH_NEXT(NV) \
    do { \
        if (next.lines == SIDE) \
            UNROLL for (int line = 0; line < SIDE; line++) PREFETCH_FAR(next.from + line * LINE); \
        else if (next.lines) \
            UNROLL for (int row = 0; row < 2; row++) \
                UNROLL for (int v = 0; v < (NV); v++) PREFETCH(next.from + row * ldc + v * LINE); \
        next.from += next.step; \
    } while (0)
#define BLOCK_STEP_0x1(A, PANEL) BLOCK_STEP(0, 1, A, PANEL)
#define BLOCK_STEP_0x2(A, PANEL) BLOCK_STEP(0, 2, A, PANEL)
#define BLOCK_STEP_1x1(A, PANEL) BLOCK_STEP(1, 1, A, PANEL)
#define BLOCK_STEP_1x2(A, PANEL) BLOCK_STEP(1, 2, A, PANEL)
DEFINE_BLOCK(1, 1)
DEFINE_BLOCK(1, 2)

/* c[rows, NV * 16] += a[rows, K] @ panel[K, NV * 16] for up to 16 rows */
#define DEFINE_STRIP(NV) \
    NO_INLINE static void strip_##NV(ptrdiff_t K, const real *a, ptrdiff_t lda, const real *panel, real *c, \
                                     ptrdiff_t ldc) { \
        MEMORY_IS_READ(); \
        _tile_loadd(0, c, ldc * sizeof(real)); \
        if ((NV) > 1) \
            _tile_loadd(1, c + SIDE, ldc * sizeof(real)); \
        if ((NV) > 2) \
            _tile_loadd(2, c + 2 * SIDE, ldc * sizeof(real)); \
        if ((NV) > 3) \
            _tile_loadd(3, c + 3 * SIDE, ldc * sizeof(real)); \
        EACH_STEP(NV, STRIP_STEP_##NV, (void)0); \
        _tile_stored(0, c, ldc * sizeof(real)); \
        if ((NV) > 1) \
            _tile_stored(1, c + SIDE, ldc * sizeof(real)); \
        if ((NV) > 2) \
            _tile_stored(2, c + 2 * SIDE, ldc * sizeof(real)); \
        if ((NV) > 3) \
            _tile_stored(3, c + 3 * SIDE, ldc * sizeof(real)); \
        MEMORY_IS_READ(); \
    }
#define STRIP_STEP_1(A, PANEL) STRIP_STEP(1, A, PANEL)
#define STRIP_STEP_2(A, PANEL) STRIP_STEP(2, A, PANEL)
#define STRIP_STEP_3(A, PANEL) STRIP_STEP(3, A, PANEL)
#define STRIP_STEP_4(A, PANEL) STRIP_STEP(4, A, PANEL)
DEFINE_STRIP(1)
DEFINE_STRIP(2)
DEFINE_STRIP(3)
DEFINE_STRIP(4)

/* ---------------------------------------------------------------------------------------------- products */

/* A block, by the function for its number of vectors: two halves of its rows if `lower` is not 0, or a strip. */
static void multiply_tiles(ptrdiff_t upper, ptrdiff_t lower, ptrdiff_t K, const real *a, ptrdiff_t lda,
                           const real *panel, ptrdiff_t vectors, prefetched next, real *c, ptrdiff_t ldc) {
    if (lower && vectors == 2)
        block_1x2(upper, K, a, lda, panel, next, c, ldc);
    else if (lower)
        block_1x1(upper, K, a, lda, panel, next, c, ldc);
    else if (vectors == 1)
        strip_1(K, a, lda, panel, c, ldc);
    else if (vectors == 2)
        strip_2(K, a, lda, panel, c, ldc);
    else if (vectors == 3)
        strip_3(K, a, lda, panel, c, ldc);
    else
        strip_4(K, a, lda, panel, c, ldc);
}

/* The same for columns that may only partly fill the last vector: they go through a copy. */
static void multiply_block(ptrdiff_t upper, ptrdiff_t lower, ptrdiff_t K, const real *a, ptrdiff_t lda,
                           const real *panel, ptrdiff_t columns, prefetched next, real *c, ptrdiff_t ldc) {
    const ptrdiff_t vectors = (columns + LANES - 1) / LANES, width = vectors * LANES, rows = upper + lower;
    real copy[2 * SIDE * TILE_VECTORS * LANES];
    if (columns == width) {
        multiply_tiles(upper, lower, K, a, lda, panel, vectors, next, c, ldc);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        memcpy(copy + r * width, c + r * ldc, columns * sizeof(real));
        memset(copy + r * width + columns, 0, (width - columns) * sizeof(real));
    }
    multiply_tiles(upper, lower, K, a, lda, panel, vectors, next, copy, width);
    for (ptrdiff_t r = 0; r < rows; r++) memcpy(c + r * ldc, copy + r * width, columns * sizeof(real));
}

/* c[rows, columns] += a[rows, K] @ panel[K, columns]; columns <= TILE_VECTORS * LANES, or STRIP_VECTORS * LANES for a
 * matrix packed for single rows. `after` is the panel to be multiplied next; NULL: it is in the cache, and the sums
 * are prefetched instead. The sum over k always ascends. */
static void multiply_panel(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, const real *panel,
                           ptrdiff_t columns, const real *after, real *c, ptrdiff_t ldc, int descending) {
    (void)descending;
    const ptrdiff_t vectors = (columns + LANES - 1) / LANES, elements = depth_of(K);
    const int strips = rows == 1 || vectors > TILE_VECTORS;
    const ptrdiff_t height_of_block = strips ? SIDE : 2 * SIDE, blocks = (rows + height_of_block - 1) / height_of_block;
    if (columns <= 0)
        return;
    for (ptrdiff_t k = 0; k < elements; k += K_BLOCK) {
        const ptrdiff_t depth = elements - k < K_BLOCK ? elements - k : K_BLOCK;
        const real *part = k + depth < elements ? panel + (k + depth) * vectors * LANES : after;
        for (ptrdiff_t i = 0, r = 0; i < blocks; i++) {
            const ptrdiff_t height = rows / blocks + (i < rows % blocks), lower = strips ? 0 : height / 2;
            const prefetched sums = {c + (r + height) * ldc, 2 * ldc, k == 0 && i + 1 < blocks ? 2 : 0};
            const prefetched of_panel = {part + i * depth * vectors * SIDE / 2, vectors * SIDE * SIDE / 2, SIDE};
            set_tile_rows(height - lower, lower);
            multiply_block(height - lower, lower, depth, a + r * lda + k, lda, panel + k * vectors * LANES, columns,
                           after && i < 2 ? of_panel : sums, c + r * ldc, ldc);
            r += height;
        }
    }
}

/* ---------------------------------------------------------------------------------------------- packing */

/* Elements of the slivers of a[K, rows]: here these are an operand, the rows of a.T. */
static inline ptrdiff_t sliver_elements(ptrdiff_t K, ptrdiff_t rows) {
    return (rows + SIDE - 1) / SIDE * SIDE * operand_stride(K);
}

/* slivers = a[K, rows].T, 16 by 16 elements at a time */
static void pack_slivers(ptrdiff_t K, ptrdiff_t rows, const real *a, ptrdiff_t lda, real *slivers) {
    const ptrdiff_t stride = operand_stride(K), depth = depth_of(K);
    real square[SIDE * SIDE];
    for (ptrdiff_t k = 0; k < depth; k += SIDE) {
        for (ptrdiff_t r = 0; r < rows; r += SIDE) {
            const ptrdiff_t width = rows - r < SIDE ? rows - r : SIDE, height = depth - k < SIDE ? depth - k : SIDE;
            if (width < SIDE || height < SIDE)
                memset(square, 0, sizeof square);
            for (ptrdiff_t i = 0; i < height; i++) {
                const real *row = a + (k + i) * PER_ELEMENT * lda + r;
                if (width == SIDE)
                    pack_row(SIDE, K - (k + i) * PER_ELEMENT, row, lda, square + i * SIDE);
                else
                    pack_row(width, K - (k + i) * PER_ELEMENT, row, lda, square + i * SIDE);
            }
            transpose_block(square, SIDE, slivers + r * stride + k, stride);
        }
    }
}

/* c[rows, columns] += a @ panel[K, columns] for rows of a packed in slivers */
static void multiply_slivers(ptrdiff_t rows, ptrdiff_t K, const real *slivers, const real *panel, ptrdiff_t columns,
                             real *c, ptrdiff_t ldc) {
    multiply_panel(rows, K, slivers, operand_stride(K), panel, columns, NULL, c, ldc, 0);
}
