/* The maximum and the sum of a row, a vector at a time. A compiler may not reorder sums on its own, and does not see
 * that a maximum may be reordered. The order of summation depends only on the row's length.
 */
#pragma once

#include "vectors.h"

/* Over the lanes of one vector, by halves. Compilers send plain loops through memory. */
#if defined(__AVX512F__)
#define MAX_OF_LANES(v) X86(reduce_max)(v)
#define SUM_OF_LANES(v) X86(reduce_add)(v)
#else
static inline real MAX_OF_LANES(vector v) {
    real lane[LANES];
    STORE(lane, v);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
        UNROLL for (int l = 0; l < half; l++) lane[l] = lane[l] > lane[l + half] ? lane[l] : lane[l + half];
    return lane[0];
}
static inline real SUM_OF_LANES(vector v) {
    real lane[LANES];
    STORE(lane, v);
    UNROLL for (int half = LANES / 2; half > 0; half /= 2)
        UNROLL for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}
#endif

/* max(y) for n >= 1; a NaN may be skipped */
static inline real row_max(const real *y, ptrdiff_t n) {
    real best = y[0];
    if (n < LANES) {
        for (ptrdiff_t i = 1; i < n; i++) best = y[i] > best ? y[i] : best;
        return best;
    }
    vector largest = LOAD(y);
    for (ptrdiff_t i = LANES; i + LANES <= n; i += LANES) largest = LARGER(LOAD(y + i), largest);
    /* The last vector overlaps the previous one, which a maximum allows. */
    largest = LARGER(LOAD(y + n - LANES), largest);
    return MAX_OF_LANES(largest);
}

/* sum(y) */
static inline real row_sum(const real *y, ptrdiff_t n) {
    real rest = 0;
    ptrdiff_t i = 0;
    vector sum = SPREAD(0);
    for (; i + LANES <= n; i += LANES) sum = ADD(sum, LOAD(y + i));
    for (; i < n; i++) rest += y[i];
    return SUM_OF_LANES(sum) + rest;
}
