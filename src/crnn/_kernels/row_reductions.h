/* The largest element and the sum of a row, a vector at a time. A compiler may not reorder sums by itself, and it does not
 * see that a maximum may be reordered. The order depends on the row's length alone.
 */
#ifndef CRNN_ROW_REDUCTIONS_H
#define CRNN_ROW_REDUCTIONS_H

#include "vectors.h"

/* Over the lanes of one vector, halves on halves. Compilers make a detour through memory of the plain loops. */
#if defined(__AVX512F__)
#define LARGEST_LANE_float(v) _mm512_reduce_max_ps(v)
#define LARGEST_LANE_double(v) _mm512_reduce_max_pd(v)
#define SUM_OF_LANES_float(v) _mm512_reduce_add_ps(v)
#define SUM_OF_LANES_double(v) _mm512_reduce_add_pd(v)
#else
#define DEFINE_LANE_REDUCTIONS(T) \
    static inline T LARGEST_LANE_##T(T##_vector v) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T lane[LANES]; \
        STORE_##T(lane, v); \
        UNROLL for (int half = LANES / 2; half > 0; half /= 2) \
            UNROLL for (int l = 0; l < half; l++) lane[l] = lane[l] > lane[l + half] ? lane[l] : lane[l + half]; \
        return lane[0]; \
    } \
    static inline T SUM_OF_LANES_##T(T##_vector v) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T lane[LANES]; \
        STORE_##T(lane, v); \
        UNROLL for (int half = LANES / 2; half > 0; half /= 2) \
            UNROLL for (int l = 0; l < half; l++) lane[l] += lane[l + half]; \
        return lane[0]; \
    }
DEFINE_LANE_REDUCTIONS(float)
DEFINE_LANE_REDUCTIONS(double)
#endif

#define DEFINE_ROW_REDUCTIONS(T) \
    /* A NaN may be passed over. */ \
    static inline T row_max_##T(const T *y, ptrdiff_t n) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T best = y[0]; \
        if (n < LANES) { \
            for (ptrdiff_t i = 1; i < n; i++) best = y[i] > best ? y[i] : best; \
            return best; \
        } \
        T##_vector largest = LOAD_##T(y); \
        for (ptrdiff_t i = LANES; i + LANES <= n; i += LANES) largest = LARGER_##T(LOAD_##T(y + i), largest); \
        /* the last elements, some of them once more: a maximum does not mind */ \
        largest = LARGER_##T(LOAD_##T(y + n - LANES), largest); \
        return LARGEST_LANE_##T(largest); \
    } \
    static inline T row_sum_##T(const T *y, ptrdiff_t n) { \
        enum { LANES = VECTOR_BYTES / sizeof(T) }; \
        T rest = 0; \
        ptrdiff_t i = 0; \
        T##_vector sum = SPREAD_##T(0); \
        for (; i + LANES <= n; i += LANES) sum = ADD_##T(sum, LOAD_##T(y + i)); \
        for (; i < n; i++) rest += y[i]; \
        return SUM_OF_LANES_##T(sum) + rest; \
    }

DEFINE_ROW_REDUCTIONS(float)
DEFINE_ROW_REDUCTIONS(double)

#endif
