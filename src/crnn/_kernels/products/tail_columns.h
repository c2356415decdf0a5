/* The tail columns of a matrix: the remainder of its division into whole vectors.
 *
 * In a panel, they would take the time of a whole vector of columns. Here each is packed separately and multiplied
 * along k, a vector at a time, which takes a fraction of that time. Every row is summed in the same order, whatever the
 * number of rows.
 */
#pragma once

#include "operands.h"
#include "row_reductions.h"
#include "vectors.h"

#define GRADIENT_VECTORS 8 /* summed at a time: enough to hide the latency of the sums */

/* c[rows, count] += a[rows, K] @ tail[count, K].T for the rows of an operand; the columns in `tail` are padded with
 * zeros to whole vectors */
static void multiply_tail(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, const real *tail, ptrdiff_t count,
                          real *c, ptrdiff_t ldc) {
    const ptrdiff_t depth = elements_of(K), whole = depth - depth % LANES;
    const ptrdiff_t length = TAIL_HEAD + (depth + LANES - 1) / LANES * LANES;
    if (count == 0)
        return;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *row = a + r * lda;
        for (ptrdiff_t j = 0; j < count; j++) {
            const real *head = tail + j * length, *column = head + TAIL_HEAD;
            sums sum = NO_SUMS();
            for (ptrdiff_t k = 0; k < whole; k += LANES)
                sum = PRODUCT_ADD(LOAD_LEFT(row + k, depth), LOAD(column + k), sum);
            if (whole < depth)
                sum = PRODUCT_ADD(LOAD_LEFT_PART(row + whole, depth, depth - whole), LOAD(column + whole), sum);
            END_TAIL(c + r * ldc + j, head, row, sum);
        }
    }
}

/* c[M, count] += a[K, M].T @ b[K, count]; an element has the same bits in a block of any width */
static void add_transposed_tail(ptrdiff_t K, ptrdiff_t M, ptrdiff_t count, const real *a, ptrdiff_t lda, const real *b,
                                ptrdiff_t ldb, real *c, ptrdiff_t ldc) {
    enum { WIDTH = GRADIENT_VECTORS * LANES };
    real room[WIDTH];
    for (ptrdiff_t m = 0; m < M; m += WIDTH) {
        const ptrdiff_t width = M - m < WIDTH ? M - m : WIDTH;
        for (ptrdiff_t j = 0; j < count; j++) {
            real total[WIDTH] = {0};
            if (width == WIDTH) {
                vector sum[GRADIENT_VECTORS];
                UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++) sum[v] = SPREAD(0);
                for (ptrdiff_t k = 0; k < K; k++) {
                    const vector scalar = SPREAD(rounded(b[k * ldb + j]));
                    const real *row = rounded_numbers(WIDTH, a + k * lda + m, room);
                    UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++)
                        sum[v] = MULTIPLY_ADD(scalar, LOAD(row + v * LANES), sum[v]);
                }
                UNROLL for (int v = 0; v < GRADIENT_VECTORS; v++) STORE(total + v * LANES, sum[v]);
            } else {
                for (ptrdiff_t k = 0; k < K; k++) {
                    const vector scalar = SPREAD(rounded(b[k * ldb + j]));
                    const real *row = rounded_numbers(width, a + k * lda + m, room);
                    for (ptrdiff_t i = 0; i < width; i += LANES) {
                        const vector part = i + LANES <= width ? LOAD(row + i) : LOAD_PART(row + i, width - i);
                        STORE(total + i, MULTIPLY_ADD(scalar, part, LOAD(total + i)));
                    }
                }
            }
            for (ptrdiff_t i = 0; i < width; i++) c[(m + i) * ldc + j] += total[i];
        }
    }
}
