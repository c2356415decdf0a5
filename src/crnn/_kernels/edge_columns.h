/* The columns of a matrix that are left over when it is cut into whole vectors, where they are few: dot products.
 *
 * In a panel they would cost as much as a whole vector of columns. As a column each, packed one after the other, they are
 * multiplied along k, a vector at a time: a fraction of that. Every row adds up in the same order however many there are.
 */
#ifndef CRNN_EDGE_COLUMNS_H
#define CRNN_EDGE_COLUMNS_H

#include "row_reductions.h"
#include "vectors.h"

#define GRADIENT_VECTORS 8 /* that are added up at a time: enough to hide the latency of the sums */

#define DEFINE_EDGE_COLUMNS(T) \
    /* c[rows, count] += a[rows, K] @ edge[count, K].T; the columns in `edge` are padded with zeros to whole vectors */ \
    static void multiply_edge_##T(ptrdiff_t rows, ptrdiff_t K, const T *a, ptrdiff_t lda, const T *edge, ptrdiff_t count, \
                                  T *c, ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        const ptrdiff_t whole = K - K % LANES, length = (K + LANES - 1) / LANES * LANES; \
        if (count == 0) \
            return; \
        for (ptrdiff_t r = 0; r < rows; r++) { \
            for (ptrdiff_t j = 0; j < count; j++) { \
                const T *column = edge + j * length; \
                T##_vector sum = SPREAD_##T(0); \
                for (ptrdiff_t k = 0; k < whole; k += LANES) \
                    sum = MULTIPLY_ADD_##T(LOAD_##T(a + r * lda + k), LOAD_##T(column + k), sum); \
                if (whole < K) \
                    sum = MULTIPLY_ADD_##T(LOAD_PART_##T(a + r * lda + whole, K - whole), LOAD_##T(column + whole), sum); \
                c[r * ldc + j] += SUM_OF_LANES_##T(sum); \
            } \
        } \
    } \
    /* c[M, count] += a[K, M].T @ b[K, count] */ \
    static void add_transposed_edge_##T(ptrdiff_t K, ptrdiff_t M, ptrdiff_t count, const T *a, ptrdiff_t lda, const T *b, \
                                        ptrdiff_t ldb, T *c, ptrdiff_t ldc) { \
        enum { LANES = VECTOR_BYTES / sizeof(T), WIDTH = GRADIENT_VECTORS * LANES }; \
        for (ptrdiff_t m = 0; m < M; m += WIDTH) { \
            const ptrdiff_t width = M - m < WIDTH ? M - m : WIDTH; \
            for (ptrdiff_t j = 0; j < count; j++) { \
                T total[WIDTH] = {0}; \
                if (width == WIDTH) { \
                    T##_vector sum[GRADIENT_VECTORS]; \
                    UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++) sum[v] = SPREAD_##T(0); \
                    for (ptrdiff_t k = 0; k < K; k++) { \
                        const T##_vector scalar = SPREAD_##T(b[k * ldb + j]); \
                        UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++) \
                            sum[v] = MULTIPLY_ADD_##T(scalar, LOAD_##T(a + k * lda + m + v * LANES), sum[v]); \
                    } \
                    UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++) STORE_##T(total + v * LANES, sum[v]); \
                } else { \
                    for (ptrdiff_t k = 0; k < K; k++) \
                        for (ptrdiff_t i = 0; i < width; i++) total[i] += b[k * ldb + j] * a[k * lda + m + i]; \
                } \
                for (ptrdiff_t i = 0; i < width; i++) c[(m + i) * ldc + j] += total[i]; \
            } \
        } \
    }

DEFINE_EDGE_COLUMNS(float)
DEFINE_EDGE_COLUMNS(double)

#endif
