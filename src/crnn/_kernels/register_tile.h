/* The register tile: c += a @ panel, with the whole tile of c held in vector registers.
 *
 * The one piece of the kernels that Cython cannot express. A panel is K rows of up to TILE_VECTORS vectors, packed
 * one row after another, so that the loop over k streams it; a tile is up to TILE_ROWS rows of c by one panel.
 * Every row adds over k in the same order and with the same instructions however many rows stand beside it: results
 * do not depend on the batch, to the bit.
 *
 * Written with the vector types of gcc and clang; other compilers get the same code over small arrays.
 */
#ifndef CRNN_REGISTER_TILE_H
#define CRNN_REGISTER_TILE_H

#include <stddef.h>
#include <string.h>

/* Registers: 32 of 64 bytes (AVX-512), 32 of 16 (AArch64), 16 of 32 (AVX2), 16 of 16 (SSE2). */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

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
#define EACH_STRIP(DO, T) DO(T, 1, 1) DO(T, 1, 2) DO(T, 1, 3) DO(T, 1, 4) DO(T, 1, 5) DO(T, 1, 6) DO(T, 1, 7) DO(T, 1, 8)

/* Rows of a panel taken at a time: K_BLOCK rows stay in the first-level cache while all rows of a pass over them. */
#define K_BLOCK 256

#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define NO_INLINE __attribute__((noinline))
#define DEFINE_VECTOR(T) \
    typedef T T##_vector __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
#define MULTIPLY_ADD(T, sum, scalar, vector) (sum) += (scalar) * (vector)
#else
#define UNROLL
#define NO_INLINE
#define DEFINE_VECTOR(T) typedef struct { T lane[VECTOR_BYTES / sizeof(T)]; } T##_vector;
#define MULTIPLY_ADD(T, sum, scalar, vector) \
    for (size_t l = 0; l < VECTOR_BYTES / sizeof(T); l++) (sum).lane[l] += (scalar) * (vector).lane[l]
#endif

/* One tile: R rows by NV vectors, c[R, NV * lanes] += a[R, K] @ panel[K, NV * lanes]. */
#define DEFINE_TILE(T, R, NV) \
    NO_INLINE static void tile_##T##_##R##x##NV(ptrdiff_t K, const T *a, ptrdiff_t lda, const T *panel, T *c, \
                                                ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T##_vector sum[R][NV], row[NV]; \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] = *(const T##_vector *)(c + r * ldc + v * LANES); \
        for (ptrdiff_t k = 0; k < K; k++) { \
            UNROLL for (int v = 0; v < NV; v++) row[v] = *(const T##_vector *)(panel + (k * NV + v) * LANES); \
            UNROLL for (int r = 0; r < R; r++) { \
                const T scalar = a[r * lda + k]; \
                UNROLL for (int v = 0; v < NV; v++) { MULTIPLY_ADD(T, sum[r][v], scalar, row[v]); } \
            } \
        } \
        UNROLL for (int r = 0; r < R; r++) \
            UNROLL for (int v = 0; v < NV; v++) *(T##_vector *)(c + r * ldc + v * LANES) = sum[r][v]; \
    }

#define TILE_NAME(T, R, NV) tile_##T##_##R##x##NV,

/* c[rows, columns] += a[rows, K] @ panel[K, columns]; columns <= TILE_VECTORS * lanes, or STRIP_VECTORS * lanes for a
 * matrix packed for single rows. The rows are dealt into blocks of nearly equal height, so that no block is too low to
 * hide the latency of its own sums. Columns that do not fill their vectors go through a small copy of the tile. */
#define DEFINE_MULTIPLY_PANEL(T) \
    DEFINE_VECTOR(T) \
    EACH_STRIP(DEFINE_TILE, T) \
    EACH_TILE(DEFINE_TILE, T) \
    typedef void (*T##_tile)(ptrdiff_t, const T *, ptrdiff_t, const T *, T *, ptrdiff_t); \
    static const T##_tile T##_strips[] = {EACH_STRIP(TILE_NAME, T)}; \
    static const T##_tile T##_tiles[] = {EACH_TILE(TILE_NAME, T)}; \
    static void multiply_panel_##T(ptrdiff_t rows, ptrdiff_t K, const T *a, ptrdiff_t lda, const T *panel, \
                                   ptrdiff_t columns, T *c, ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        const ptrdiff_t vectors = (columns + LANES - 1) / LANES, width = vectors * LANES; \
        const ptrdiff_t most = vectors > TILE_VECTORS ? 1 : TILE_ROWS, blocks = (rows + most - 1) / most; \
        T edge[TILE_ROWS * TILE_VECTORS * LANES]; \
        for (ptrdiff_t k = 0; k < K; k += K_BLOCK) { \
            const ptrdiff_t depth = K - k < K_BLOCK ? K - k : K_BLOCK; \
            for (ptrdiff_t i = 0, r = 0; i < blocks; i++) { \
                const ptrdiff_t height = rows / blocks + (i < rows % blocks); \
                const T##_tile tile = height == 1 ? T##_strips[vectors - 1] \
                                                  : T##_tiles[(vectors - 1) * (TILE_ROWS - 1) + height - 2]; \
                if (columns == width) { \
                    tile(depth, a + r * lda + k, lda, panel + k * width, c + r * ldc, ldc); \
                } else { \
                    for (ptrdiff_t q = 0; q < height; q++) { \
                        memcpy(edge + q * width, c + (r + q) * ldc, columns * sizeof(T)); \
                        memset(edge + q * width + columns, 0, (width - columns) * sizeof(T)); \
                    } \
                    tile(depth, a + r * lda + k, lda, panel + k * width, edge, width); \
                    for (ptrdiff_t q = 0; q < height; q++) \
                        memcpy(c + (r + q) * ldc, edge + q * width, columns * sizeof(T)); \
                } \
                r += height; \
            } \
        } \
    }

/* b = a.T for one block of lanes by lanes. Each stage swaps the two off-diagonal quarters of every 2s by 2s square. */
#if defined(__GNUC__) && !defined(__clang__)
#define DEFINE_TRANSPOSE_BLOCK(T, INT) \
    typedef INT T##_mask __attribute__((vector_size(VECTOR_BYTES))); \
    typedef T T##_register __attribute__((vector_size(VECTOR_BYTES))); \
    static inline void transpose_block_##T(const T *a, ptrdiff_t lda, T *b, ptrdiff_t ldb) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T##_register row[LANES]; \
        UNROLL for (int i = 0; i < LANES; i++) row[i] = (T##_register)*(const T##_vector *)(a + i * lda); \
        UNROLL for (int s = 1; s < LANES; s *= 2) { \
            T##_mask upper, lower; \
            UNROLL for (int l = 0; l < LANES; l++) { \
                upper[l] = l & s ? LANES + l - s : l; \
                lower[l] = l & s ? LANES + l : l + s; \
            } \
            UNROLL for (int i = 0; i < LANES; i++) \
                if (!(i & s)) { \
                    const T##_register first = row[i], second = row[i + s]; \
                    row[i] = __builtin_shuffle(first, second, upper); \
                    row[i + s] = __builtin_shuffle(first, second, lower); \
                } \
        } \
        UNROLL for (int i = 0; i < LANES; i++) *(T##_vector *)(b + i * ldb) = (T##_vector)row[i]; \
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
