/* The register tile: c += a @ panel, with the whole tile of c held in vector registers.
 *
 * The one piece of the kernels that Cython cannot express. A panel is K rows of up to TILE_VECTORS vectors, packed
 * one row after another, so that the loop over k streams it; a tile is up to TILE_ROWS rows of c by one panel.
 * Every row adds over k in the same order and with the same instructions however many rows stand beside it: results
 * do not depend on the batch, to the bit.
 */
#ifndef CRNN_REGISTER_TILE_H
#define CRNN_REGISTER_TILE_H

#include "vectors.h"

#if defined(__AVX512F__) || defined(__aarch64__)
#define TILE_VECTORS 3
#define TILE_ROWS 8
#define EACH_ROW_COUNT(DO, T, NV) DO(T, 2, NV) DO(T, 3, NV) DO(T, 4, NV) DO(T, 5, NV) DO(T, 6, NV) \
    DO(T, 7, NV) DO(T, 8, NV)
#define EACH_TILE(DO, T) EACH_ROW_COUNT(DO, T, 1) EACH_ROW_COUNT(DO, T, 2) EACH_ROW_COUNT(DO, T, 3)
#else
#define TILE_VECTORS 2
#define TILE_ROWS 6
#define EACH_ROW_COUNT(DO, T, NV) DO(T, 2, NV) DO(T, 3, NV) DO(T, 4, NV) DO(T, 5, NV) DO(T, 6, NV)
#define EACH_TILE(DO, T) EACH_ROW_COUNT(DO, T, 1) EACH_ROW_COUNT(DO, T, 2)
#endif

/* A single row (online training, one sample) has no other rows to hide the latency of its sums: its panels are wider. */
#define STRIP_VECTORS 8
#define EACH_STRIP(DO, T) DO(T, 1) DO(T, 2) DO(T, 3) DO(T, 4) DO(T, 5) DO(T, 6) DO(T, 7) DO(T, 8)

/* Rows of a panel taken at a time: K_BLOCK rows stay in the second-level cache, near the first, while all rows of a pass
 * over them. In smaller blocks the sums of c go to and from memory more often than that saves. */
#define K_BLOCK 512

/* What a tile asks for while it multiplies. Of its own panel, what is so many bytes ahead. Of what is multiplied by next, a
 * third of a panel's row for each k, a half of a narrow one's, so that it comes in evenly from wherever it is while all rows
 * pass over this one: asked for all at once, it comes no faster than the third-level cache gives it. A strip waits for the
 * second-level cache as it is, and slivers' panels are there. */
#define AHEAD 2048
#define NEXT_BYTES (TILE_VECTORS == 3 ? 64 : VECTOR_BYTES)

/* Rows of a transposed product that are packed at a time: c is read and written once for all of them, and they still fit
 * the second-level cache. */
#define OUTER_BLOCK 512

#define ROW_BLOCKS(rows) (((rows) + TILE_ROWS - 1) / TILE_ROWS)

/* One tile: R rows by NV vectors, c[R, NV * lanes] += a[R, K] @ panel[K, NV * lanes]. ELEMENT is where a's element
 * (r, k) stands: rows of a matrix, or a sliver, R rows packed side by side for each k. `next` is the part of the next
 * panel that is asked for meanwhile. */
#define DEFINE_TILE(T, R, NV) \
    DEFINE_TILE_OF(tile_##T##_##R##x##NV, T, R, NV, r * lda + k, 1) \
    DEFINE_TILE_OF(sliver_##T##_##R##x##NV, T, R, NV, k * R + r, 0)
#define DEFINE_TILE_OF(NAME, T, R, NV, ELEMENT, ASKS) \
    NO_INLINE static void NAME(ptrdiff_t K, const T *a, ptrdiff_t lda, const T *panel, const T *next, T *c, \
                               ptrdiff_t ldc) { \
        (void)lda, (void)next; \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T##_vector sum[R][NV], row[NV]; \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] = LOAD_##T(c + r * ldc + v * LANES); \
        for (ptrdiff_t k = 0; k < K; k++) { \
            if (ASKS) { \
                PREFETCH_FAR((const char *)next + k * NEXT_BYTES); \
                UNROLL for (int i = 0; i < NV * VECTOR_BYTES; i += 64) \
                    PREFETCH((const char *)panel + k * NV * VECTOR_BYTES + i + AHEAD); \
            } \
            UNROLL for (int v = 0; v < NV; v++) row[v] = LOAD_##T(panel + (k * NV + v) * LANES); \
            UNROLL for (int r = 0; r < R; r++) { \
                const T##_vector scalar = SPREAD_##T(a[ELEMENT]); \
                UNROLL for (int v = 0; v < NV; v++) sum[r][v] = MULTIPLY_ADD_##T(scalar, row[v], sum[r][v]); \
            } \
        } \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) STORE_##T(c + r * ldc + v * LANES, sum[r][v]); \
    }

/* A single row, c[NV * lanes] += a[K] @ panel[K, NV * lanes], of whose last vector only some elements may be c's. `way` is 1
 * or -1: from a's and the panel's first row on, or back from their last one. */
#define DEFINE_STRIP(T, NV) \
    NO_INLINE static void strip_##T##_##NV(ptrdiff_t K, const T *a, const T *panel, ptrdiff_t way, T *c, ptrdiff_t last) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T##_vector sum[NV]; \
        UNROLL for (int v = 0; v < NV - 1; v++) sum[v] = LOAD_##T(c + v * LANES); \
        sum[NV - 1] = LOAD_PART_##T(c + (NV - 1) * LANES, last); \
        for (ptrdiff_t k = 0; k < K; k++) { \
            const T##_vector scalar = SPREAD_##T(a[k * way]); \
            UNROLL for (int v = 0; v < NV; v++) \
                sum[v] = MULTIPLY_ADD_##T(scalar, LOAD_##T(panel + (k * way * NV + v) * LANES), sum[v]); \
        } \
        UNROLL for (int v = 0; v < NV - 1; v++) STORE_##T(c + v * LANES, sum[v]); \
        STORE_PART_##T(c + (NV - 1) * LANES, last, sum[NV - 1]); \
    }

#define STRIP_NAME(T, NV) strip_##T##_##NV,
#define TILE_NAME(T, R, NV) tile_##T##_##R##x##NV,
#define SLIVER_NAME(T, R, NV) sliver_##T##_##R##x##NV,

/* c[rows, columns] += a[rows, K] @ panel[K, columns]; columns <= TILE_VECTORS * lanes, or STRIP_VECTORS * lanes for a
 * matrix packed for single rows. `descending` is for these alone: k from the last to the first, for who multiplies by the
 * same panel again and again and finds in the first-level cache what came last. The rows are dealt into blocks of nearly
 * equal height, so that no block is too low to hide the latency of its own sums. `slivers` says that a is packed: block by
 * block, the rows side by side for each k. Columns that do not fill their vectors go through a small copy of the tile. */
#define DEFINE_MULTIPLY_PANEL(T) \
    EACH_STRIP(DEFINE_STRIP, T) \
    EACH_TILE(DEFINE_TILE, T) \
    DEFINE_TILE_OF(sliver_##T##_1x1, T, 1, 1, k, 0) \
    DEFINE_TILE_OF(sliver_##T##_1x2, T, 1, 2, k, 0) \
    DEFINE_TILE_OF(sliver_##T##_1x3, T, 1, 3, k, 0) \
    typedef void (*T##_tile)(ptrdiff_t, const T *, ptrdiff_t, const T *, const T *, T *, ptrdiff_t); \
    typedef void (*T##_strip)(ptrdiff_t, const T *, const T *, ptrdiff_t, T *, ptrdiff_t); \
    static const T##_strip T##_strips[] = {EACH_STRIP(STRIP_NAME, T)}; \
    static const T##_tile T##_strip_slivers[] = {sliver_##T##_1x1, sliver_##T##_1x2, sliver_##T##_1x3}; \
    static const T##_tile T##_tiles[] = {EACH_TILE(TILE_NAME, T)}; \
    static const T##_tile T##_slivers[] = {EACH_TILE(SLIVER_NAME, T)}; \
    static void multiply_block_##T(int slivers, ptrdiff_t height, ptrdiff_t K, const T *a, ptrdiff_t lda, \
                                   const T *panel, ptrdiff_t columns, const T *next, T *c, ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        const ptrdiff_t vectors = (columns + LANES - 1) / LANES, width = vectors * LANES; \
        T edge[TILE_ROWS * TILE_VECTORS * LANES]; \
        if (columns <= 0) \
            return; \
        const ptrdiff_t which = (vectors - 1) * (TILE_ROWS - 1) + height - 2; \
        const T##_tile tile = height == 1 ? T##_strip_slivers[vectors - 1] : (slivers ? T##_slivers : T##_tiles)[which]; \
        if (columns == width) { \
            tile(K, a, lda, panel, next, c, ldc); \
            return; \
        } \
        for (ptrdiff_t r = 0; r < height; r++) { \
            memcpy(edge + r * width, c + r * ldc, columns * sizeof(T)); \
            memset(edge + r * width + columns, 0, (width - columns) * sizeof(T)); \
        } \
        tile(K, a, lda, panel, next, edge, width); \
        for (ptrdiff_t r = 0; r < height; r++) memcpy(c + r * ldc, edge + r * width, columns * sizeof(T)); \
    } \
    static void multiply_panel_##T(ptrdiff_t rows, ptrdiff_t K, const T *a, ptrdiff_t lda, const T *panel, \
                                   ptrdiff_t columns, int descending, const T *after, T *c, ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        const ptrdiff_t vectors = (columns + LANES - 1) / LANES; \
        const ptrdiff_t blocks = ROW_BLOCKS(rows); \
        if (columns <= 0) \
            return; \
        if (rows == 1 || vectors > TILE_VECTORS) { \
            const ptrdiff_t start = descending ? K - 1 : 0, last = columns - (vectors - 1) * LANES; \
            for (ptrdiff_t r = 0; r < rows; r++) \
                T##_strips[vectors - 1](K, a + r * lda + start, panel + start * vectors * LANES, descending ? -1 : 1, \
                                        c + r * ldc, last); \
            return; \
        } \
        for (ptrdiff_t k = 0; k < K; k += K_BLOCK) { \
            const ptrdiff_t depth = K - k < K_BLOCK ? K - k : K_BLOCK; \
            for (ptrdiff_t i = 0, r = 0; i < blocks; i++) { \
                const ptrdiff_t height = rows / blocks + (i < rows % blocks); \
                const T *next = k + depth < K ? panel + (k + depth) * vectors * LANES : after; \
                /* a part of it for each block of rows; once all was asked for, what is there already */ \
                const ptrdiff_t part = i * depth * NEXT_BYTES / (ptrdiff_t)sizeof(T); \
                multiply_block_##T(0, height, depth, a + r * lda + k, lda, panel + k * vectors * LANES, columns, \
                                   part < depth * vectors * LANES ? next + part : panel, c + r * ldc, ldc); \
                r += height; \
            } \
        } \
    } \
    static void pack_panel_##T(ptrdiff_t rows, ptrdiff_t columns, const T *w, ptrdiff_t ldw, T *panel) { \
        enum { LANES = VECTOR_BYTES / sizeof(T), FULL = TILE_VECTORS * LANES }; \
        const ptrdiff_t width = (columns + LANES - 1) / LANES * LANES; \
        if (columns == FULL) { /* a copy of known size takes no call */ \
            for (ptrdiff_t k = 0; k < rows; k++) memcpy(panel + k * FULL, w + k * ldw, FULL * sizeof(T)); \
            return; \
        } \
        for (ptrdiff_t k = 0; k < rows; k++) { \
            memcpy(panel + k * width, w + k * ldw, columns * sizeof(T)); \
            memset(panel + k * width + columns, 0, (width - columns) * sizeof(T)); \
        } \
    } \
    static void pack_slivers_##T(ptrdiff_t K, ptrdiff_t rows, const T *a, ptrdiff_t lda, T *slivers) { \
        const ptrdiff_t blocks = ROW_BLOCKS(rows); \
        /* a few rows of a at a time, so that both sides stay in the first-level cache */ \
        for (ptrdiff_t from = 0; from < K; from += TILE_ROWS) { \
            const ptrdiff_t to = from + TILE_ROWS < K ? from + TILE_ROWS : K; \
            for (ptrdiff_t i = 0, r = 0; i < blocks; i++) { \
                const ptrdiff_t height = rows / blocks + (i < rows % blocks); \
                T *out = slivers + r * K; \
                if (height == TILE_ROWS) \
                    for (ptrdiff_t k = from; k < to; k++) \
                        memcpy(out + k * TILE_ROWS, a + k * lda + r, TILE_ROWS * sizeof(T)); \
                else \
                    for (ptrdiff_t k = from; k < to; k++) \
                        for (ptrdiff_t q = 0; q < height; q++) out[k * height + q] = a[k * lda + r + q]; \
                r += height; \
            } \
        } \
    } \
    static void multiply_slivers_##T(ptrdiff_t rows, ptrdiff_t K, const T *slivers, const T *panel, \
                                     ptrdiff_t columns, T *c, ptrdiff_t ldc) { \
        const ptrdiff_t blocks = ROW_BLOCKS(rows); \
        for (ptrdiff_t i = 0, r = 0; i < blocks; i++) { \
            const ptrdiff_t height = rows / blocks + (i < rows % blocks); \
            multiply_block_##T(1, height, K, slivers + r * K, 0, panel, columns, panel, c + r * ldc, ldc); \
            r += height; \
        } \
    }

/* b = a.T for one block of lanes by lanes. Registers are made of pieces of 16 bytes, from rows so far apart as a piece has
 * elements; what is left is to transpose each piece with those at its place in the registers beside it: rows half of them
 * apart interleaved, as often as halving them leads to one. */
#if defined(__AVX512F__)
#define PIECE_AT(p) _mm_loadu_ps((const float *)(p))
#define SET_PIECES(T, row, p, step) \
    row = (T##_register)_mm512_insertf32x4(_mm512_insertf32x4(_mm512_insertf32x4(_mm512_castps128_ps512( \
        PIECE_AT(p)), PIECE_AT((p) + (step)), 1), PIECE_AT((p) + 2 * (step)), 2), PIECE_AT((p) + 3 * (step)), 3)
#elif defined(__AVX2__)
#define PIECE_AT(p) _mm_loadu_ps((const float *)(p))
#define SET_PIECES(T, row, p, step) \
    row = (T##_register)_mm256_insertf128_ps(_mm256_castps128_ps256(PIECE_AT(p)), PIECE_AT((p) + (step)), 1)
#else
#define SET_PIECES(T, row, p, step) memcpy(&row, p, VECTOR_BYTES)
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define DEFINE_TRANSPOSE_BLOCK(T, INT) \
    typedef INT T##_mask __attribute__((vector_size(VECTOR_BYTES))); \
    typedef T T##_register __attribute__((vector_size(VECTOR_BYTES))); \
    static inline void transpose_block_##T(const T *a, ptrdiff_t lda, T *b, ptrdiff_t ldb) { \
        enum { LANES = VECTOR_BYTES / sizeof(T), PIECE = 16 / sizeof(T) }; \
        T##_mask lower, upper; \
        UNROLL for (int l = 0; l < LANES; l++) { \
            lower[l] = l / PIECE * PIECE + l % PIECE / 2 + (l % 2 ? LANES : 0); \
            upper[l] = lower[l] + PIECE / 2; \
        } \
        UNROLL for (int j = 0; j < LANES; j += PIECE) { \
            T##_register row[PIECE], mixed[PIECE]; \
            UNROLL for (int i = 0; i < PIECE; i++) SET_PIECES(T, row[i], a + i * lda + j, PIECE * lda); \
            UNROLL for (int s = 1; s < PIECE; s *= 2) { \
                UNROLL for (int i = 0; i < PIECE / 2; i++) { \
                    mixed[2 * i] = __builtin_shuffle(row[i], row[i + PIECE / 2], lower); \
                    mixed[2 * i + 1] = __builtin_shuffle(row[i], row[i + PIECE / 2], upper); \
                } \
                UNROLL for (int i = 0; i < PIECE; i++) row[i] = mixed[i]; \
            } \
            UNROLL for (int i = 0; i < PIECE; i++) memcpy(b + (j + i) * ldb, &row[i], VECTOR_BYTES); \
        } \
    }
#else
#define DEFINE_TRANSPOSE_BLOCK(T, INT) \
    static inline void transpose_block_##T(const T *a, ptrdiff_t lda, T *b, ptrdiff_t ldb) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        for (int i = 0; i < LANES; i++) \
            for (int j = 0; j < LANES; j++) b[j * ldb + i] = a[i * lda + j]; \
    }
#endif

DEFINE_MULTIPLY_PANEL(float)
DEFINE_MULTIPLY_PANEL(double)
DEFINE_TRANSPOSE_BLOCK(float, int)
DEFINE_TRANSPOSE_BLOCK(double, long long)

#endif
