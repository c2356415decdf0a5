/* The register tile: c += a @ panel, with the whole tile of c held in vector registers.
 *
 * This is the one piece of the kernels that Cython cannot express. A panel is K rows of up to TILE_VECTORS vectors,
 * stored row by row, so that the loop over k reads it front to back. A tile is up to TILE_ROWS rows of c by one
 * panel. Every row is summed over k in the same order and with the same instructions, whatever the other rows are, so
 * that results do not depend on the batch, to the bit. Everything is counted in elements of packed operands, which
 * contain one or more numbers (see operands.h), except the K of the functions called from other files.
 */
#pragma once

#include "operands.h"
#include "vectors.h"

#if defined(__AVX512F__) || defined(__aarch64__)
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define EACH_ROW_COUNT(DO, NV) DO(2, NV) DO(3, NV) DO(4, NV) DO(5, NV) DO(6, NV) DO(7, NV) DO(8, NV)
#define EACH_TILE(DO) EACH_ROW_COUNT(DO, 1) EACH_ROW_COUNT(DO, 2) EACH_ROW_COUNT(DO, 3)
#else
#define TILE_VECTORS 2
#define TILE_ROWS 6
#define EACH_ROW_COUNT(DO, NV) DO(2, NV) DO(3, NV) DO(4, NV) DO(5, NV) DO(6, NV)
#define EACH_TILE(DO) EACH_ROW_COUNT(DO, 1) EACH_ROW_COUNT(DO, 2)
#endif

/* A single row (online training, one sample) has no other rows to hide the latency of its sums, so its panels are
 * wider. The kernel for one row is called a strip. */
#define STRIP_VECTORS 8
#define EACH_STRIP(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)

/* Rows of a panel taken at a time: K_BLOCK rows stay in the second-level cache while all rows of a pass over them. With
 * smaller blocks, moving the sums of c to and from memory costs more than the cache saves. Sums of integers are not
 * split, since they are rounded when they are added to c. */
#define K_BLOCK (INT8 ? PTRDIFF_MAX : 512)

/* Prefetching. A tile fetches its own panel AHEAD bytes in advance. It also fetches the next panel to be multiplied:
 * NEXT_BYTES for each k (a third of a panel's row, half of a narrow one's), so that it arrives evenly while all
 * rows pass over this panel. Fetched all at once it would arrive no faster than the third-level cache delivers. A strip
 * does not prefetch, since it already runs at the speed of the second-level cache. Nor do slivers, whose panel is in
 * the cache. */
#define AHEAD 2048
#define NEXT_BYTES (TILE_VECTORS == 3 ? 64 : VECTOR_BYTES)

/* Rows of a transposed product packed at a time: c is read and written once for all of them, and they still
 * fit the second-level cache. */
#define OUTER_BLOCK 512

#define ROW_BLOCKS(rows) (((rows) + TILE_ROWS - 1) / TILE_ROWS)

/* One tile: R rows by NV vectors, c[R, NV * LANES] += a[R, K] @ panel[K, NV * LANES]. ELEMENT is the position of
 * element (r, k) of a: in rows of a matrix, or in a sliver, where the R elements of each k are adjacent. `next` is the
 * part of the next panel to prefetch. */
#define DEFINE_TILE(R, NV) \
    DEFINE_TILE_OF(tile_##R##x##NV, R, NV, r * lda + k, 1) \
    DEFINE_TILE_OF(sliver_##R##x##NV, R, NV, k * R + r, 0)
#define DEFINE_TILE_OF(NAME, R, NV, ELEMENT, PREFETCHES) \
    NO_INLINE static void NAME(ptrdiff_t K, const real *a, ptrdiff_t lda, const real *panel, const real *next, \
                               real *c, ptrdiff_t ldc) { \
        (void)lda, (void)next; \
        const real *head = panel - HEAD_ROWS * NV * LANES; \
        sums sum[R][NV]; \
        vector row[NV]; \
        (void)head; \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) \
                sum[r][v] = BEGIN_SUM(c + r * ldc + v * LANES, head + v * LANES, a + r * lda); \
        for (ptrdiff_t k = 0; k < K; k++) { \
            if (PREFETCHES) { \
                PREFETCH_FAR((const char *)next + k * NEXT_BYTES); \
                UNROLL for (int i = 0; i < NV * VECTOR_BYTES; i += 64) \
                    PREFETCH((const char *)panel + k * NV * VECTOR_BYTES + i + AHEAD); \
            } \
            UNROLL for (int v = 0; v < NV; v++) row[v] = LOAD(panel + (k * NV + v) * LANES); \
            UNROLL for (int r = 0; r < R; r++) { \
                const left_vector scalar = SPREAD_LEFT(a + (ELEMENT), K); \
                UNROLL for (int v = 0; v < NV; v++) sum[r][v] = PRODUCT_ADD(scalar, row[v], sum[r][v]); \
            } \
        } \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) \
                END_SUM(c + r * ldc + v * LANES, head + v * LANES, NV * LANES, sum[r][v]); \
    }

/* One row: c[NV * LANES] += a[K] @ panel[K, NV * LANES]; c has only the first `last` elements of its last vector.
 * `step` is 1, or -1 to go over k from the last row to the first; `ld` is the distance to the next row, which precedes
 * if step is -1. */
#define DEFINE_STRIP(NV) \
    NO_INLINE static void strip_##NV(ptrdiff_t K, const real *a, const real *panel, ptrdiff_t step, ptrdiff_t ld, \
                                     real *c, ptrdiff_t last) { \
        enum { LAST = (NV - 1) * LANES }; \
        const real *head = panel - HEAD_ROWS * NV * LANES; \
        sums sum[NV]; \
        (void)head; \
        UNROLL for (int v = 0; v < NV - 1; v++) sum[v] = BEGIN_SUM(c + v * LANES, head + v * LANES, a); \
        sum[NV - 1] = BEGIN_PART(c + LAST, head + LAST, a, last); \
        for (ptrdiff_t k = 0; k < K; k++) { \
            const left_vector scalar = SPREAD_LEFT(a + k * step, K); \
            UNROLL for (int v = 0; v < NV; v++) \
                sum[v] = PRODUCT_ADD(scalar, LOAD(panel + k * ld + v * LANES), sum[v]); \
        } \
        UNROLL for (int v = 0; v < NV - 1; v++) END_SUM(c + v * LANES, head + v * LANES, NV * LANES, sum[v]); \
        END_PART(c + LAST, head + LAST, NV * LANES, last, sum[NV - 1]); \
    }

EACH_STRIP(DEFINE_STRIP)
EACH_TILE(DEFINE_TILE)
DEFINE_TILE_OF(sliver_1x1, 1, 1, k, 0)
DEFINE_TILE_OF(sliver_1x2, 1, 2, k, 0)
DEFINE_TILE_OF(sliver_1x3, 1, 3, k, 0)

#define STRIP_NAME(NV) strip_##NV,
#define TILE_NAME(R, NV) tile_##R##x##NV,
#define SLIVER_NAME(R, NV) sliver_##R##x##NV,
typedef void (*tile_function)(ptrdiff_t, const real *, ptrdiff_t, const real *, const real *, real *, ptrdiff_t);
typedef void (*strip_function)(ptrdiff_t, const real *, const real *, ptrdiff_t, ptrdiff_t, real *, ptrdiff_t);
static const strip_function STRIPS[] = {EACH_STRIP(STRIP_NAME)};
static const tile_function ONE_ROW_SLIVERS[] = {sliver_1x1, sliver_1x2, sliver_1x3};
static const tile_function TILES[] = {EACH_TILE(TILE_NAME)};
static const tile_function SLIVERS[] = {EACH_TILE(SLIVER_NAME)};

/* c[height, columns] += a[height, K] @ panel[K, columns], for up to TILE_ROWS rows of a matrix, or of a sliver. Columns
 * that do not fill their vectors go through a small copy of the tile. */
static void multiply_block(int slivers, ptrdiff_t height, ptrdiff_t K, const real *a, ptrdiff_t lda, const real *panel,
                           ptrdiff_t columns, const real *next, real *c, ptrdiff_t ldc) {
    const ptrdiff_t vectors = (columns + LANES - 1) / LANES, width = vectors * LANES;
    real copy[TILE_ROWS * TILE_VECTORS * LANES];
    if (columns <= 0)
        return;
    const ptrdiff_t which = (vectors - 1) * (TILE_ROWS - 1) + height - 2;
    const tile_function tile = height == 1 ? ONE_ROW_SLIVERS[vectors - 1] : (slivers ? SLIVERS : TILES)[which];
    if (columns == width) {
        tile(K, a, lda, panel, next, c, ldc);
        return;
    }
    for (ptrdiff_t r = 0; r < height; r++) {
        memcpy(copy + r * width, c + r * ldc, columns * sizeof(real));
        memset(copy + r * width + columns, 0, (width - columns) * sizeof(real));
    }
    tile(K, a, lda, panel, next, copy, width);
    for (ptrdiff_t r = 0; r < height; r++) memcpy(c + r * ldc, copy + r * width, columns * sizeof(real));
}

/* c[rows, columns] += a[rows, K] @ panel[K, columns]; columns <= TILE_VECTORS * LANES, or STRIP_VECTORS * LANES for a
 * matrix packed for single rows; `a` is an operand (see `as_operand`). `after` is the panel to be multiplied next, which
 * is prefetched meanwhile. `descending`, for single rows only, goes over k from last to first: the end of the panel
 * multiplied last is still in the first-level cache. Inference does not use it: its order must not vary. The rows are
 * split into blocks of nearly equal height, so that no block is too low to hide the latency of its own sums. */
static void multiply_panel(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, const real *panel,
                           ptrdiff_t columns, const real *after, real *c, ptrdiff_t ldc, int descending) {
    const ptrdiff_t vectors = (columns + LANES - 1) / LANES, elements = elements_of(K);
    const ptrdiff_t blocks = ROW_BLOCKS(rows);
    if (columns <= 0)
        return;
    panel += HEAD_ROWS * vectors * LANES;
    if (rows == 1 || vectors > TILE_VECTORS) {
        const ptrdiff_t start = descending ? elements - 1 : 0, step = descending ? -1 : 1, width = vectors * LANES;
        for (ptrdiff_t r = 0; r < rows; r++)
            STRIPS[vectors - 1](elements, a + r * lda + start, panel + start * width, step, step * width, c + r * ldc,
                                columns - (vectors - 1) * LANES);
        return;
    }
    for (ptrdiff_t k = 0; k < elements; k += K_BLOCK) {
        const ptrdiff_t depth = elements - k < K_BLOCK ? elements - k : K_BLOCK;
        for (ptrdiff_t i = 0, r = 0; i < blocks; i++) {
            const ptrdiff_t height = rows / blocks + (i < rows % blocks);
            const real *next = k + depth < elements ? panel + (k + depth) * vectors * LANES : after;
            /* Each block of rows prefetches a part of the next panel; once all is fetched, what is in the cache. */
            const ptrdiff_t part = i * depth * NEXT_BYTES / (ptrdiff_t)sizeof(real);
            multiply_block(0, height, depth, a + r * lda + k, lda, panel + k * vectors * LANES, columns,
                           part < depth * vectors * LANES ? next + part : panel, c + r * ldc, ldc);
            r += height;
        }
    }
}

/* Elements of the slivers of a[K, rows]. */
static inline ptrdiff_t sliver_elements(ptrdiff_t K, ptrdiff_t rows) { return elements_of(K) * rows; }

/* slivers = a[K, rows].T: block by block of up to TILE_ROWS rows of the product, adjacent for each k */
static void pack_slivers(ptrdiff_t K, ptrdiff_t rows, const real *a, ptrdiff_t lda, real *slivers) {
    const ptrdiff_t blocks = ROW_BLOCKS(rows), depth = elements_of(K);
    /* a few rows of a at a time, so that both sides stay in the first-level cache */
    for (ptrdiff_t from = 0; from < depth; from += TILE_ROWS) {
        const ptrdiff_t to = from + TILE_ROWS < depth ? from + TILE_ROWS : depth;
        for (ptrdiff_t i = 0, r = 0; i < blocks; i++) {
            const ptrdiff_t height = rows / blocks + (i < rows % blocks);
            real *out = slivers + r * depth;
            if (height == TILE_ROWS)
                for (ptrdiff_t k = from; k < to; k++)
                    pack_row(TILE_ROWS, K - k * PER_ELEMENT, a + k * PER_ELEMENT * lda + r, lda, out + k * TILE_ROWS);
            else
                for (ptrdiff_t k = from; k < to; k++)
                    for (ptrdiff_t q = 0; q < height; q++)
                        out[k * height + q] =
                            packed_element(a + k * PER_ELEMENT * lda + r + q, lda, K - k * PER_ELEMENT);
            r += height;
        }
    }
}

/* c[rows, columns] += a @ panel[K, columns] for rows of a packed in slivers */
static void multiply_slivers(ptrdiff_t rows, ptrdiff_t K, const real *slivers, const real *panel, ptrdiff_t columns,
                             real *c, ptrdiff_t ldc) {
    const ptrdiff_t blocks = ROW_BLOCKS(rows), depth = elements_of(K);
    for (ptrdiff_t i = 0, r = 0; i < blocks; i++) {
        const ptrdiff_t height = rows / blocks + (i < rows % blocks);
        multiply_block(1, height, depth, slivers + r * depth, 0, panel, columns, panel, c + r * ldc, ldc);
        r += height;
    }
}
