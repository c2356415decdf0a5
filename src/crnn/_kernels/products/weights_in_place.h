/* Products of one row with unpacked weights, rows of whole vectors, a multiple of DOT_ROWS of them. Bfloat16 and int8
 * have no numbers that could be used unpacked. */
#pragma once

#include "row_reductions.h"
#include "tiles.h"

#if BFLOAT16 || INT8

static inline void multiply_in_place(ptrdiff_t K, ptrdiff_t N, const real *a, const real *W, int back, real *c) {
    (void)K, (void)N, (void)a, (void)W, (void)back, (void)c;
}
static inline void multiply_rows_in_place(ptrdiff_t M, ptrdiff_t N, const real *W, const real *a, int back, real *c) {
    (void)M, (void)N, (void)W, (void)a, (void)back, (void)c;
}

#else

/* Rows multiplied at a time. DOT_GROUP of them, whose sums hide each other's latency, are in registers
 * together, DOT_VECTORS of each in turn: if rows are 4 KB apart, shorter pieces would evict each other. */
enum { DOT_ROWS = 16, DOT_GROUP = TILE_VECTORS == 3 ? 8 : 4, DOT_VECTORS = 8 };

/* c[N] += a[K] @ W[K, N]; `back`: from the last columns and rows to the first */
static void multiply_in_place(ptrdiff_t K, ptrdiff_t N, const real *a, const real *W, int back, real *c) {
    const ptrdiff_t vectors = N / LANES, parts = (vectors + STRIP_VECTORS - 1) / STRIP_VECTORS;
    const ptrdiff_t top = back ? K - 1 : 0, step = back ? -1 : 1;
    for (ptrdiff_t i = 0; i < parts; i++) {
        const ptrdiff_t j = back ? parts - 1 - i : i, first = vectors * j / parts, last = vectors * (j + 1) / parts;
        STRIPS[last - first - 1](K, a + top, W + top * N + first * LANES, step, step * N, c + first * LANES, LANES);
    }
}

/* c[DOT_ROWS] += the sum over the lanes of each vector */
#if defined(__AVX512F__)
/* out[n] = sums of neighboring lanes of pairs of vectors, the first vector's before the second's in each
 * part of a register that LOW and HIGH treat alike */
#define HALVE(n, out, in, LOW, HIGH) \
    UNROLL for (int i = 0; i < (n); i++) out[i] = ADD(LOW(in[2 * i], in[2 * i + 1]), HIGH(in[2 * i], in[2 * i + 1]))
#if SINGLE
#define AS_DOUBLES(v) _mm512_castps_pd(v)
#define AS_VECTOR(v) _mm512_castpd_ps(v)
#else
#define AS_DOUBLES(v) (v)
#define AS_VECTOR(v) (v)
#endif
#define LOW_DOUBLES(a, b) AS_VECTOR(_mm512_unpacklo_pd(AS_DOUBLES(a), AS_DOUBLES(b)))
#define HIGH_DOUBLES(a, b) AS_VECTOR(_mm512_unpackhi_pd(AS_DOUBLES(a), AS_DOUBLES(b)))
#define EVEN_QUARTERS(a, b) AS_VECTOR(_mm512_shuffle_f64x2(AS_DOUBLES(a), AS_DOUBLES(b), 0x88))
#define ODD_QUARTERS(a, b) AS_VECTOR(_mm512_shuffle_f64x2(AS_DOUBLES(a), AS_DOUBLES(b), 0xDD))
static inline void add_lane_sums(const vector *sum, real *c) {
    vector half[8], quarter[4], eighth[2], all[1];
    for (int r = 0; r < DOT_ROWS; r += LANES) {
#if SINGLE
        HALVE(8, half, (sum + r), _mm512_unpacklo_ps, _mm512_unpackhi_ps);
        HALVE(4, quarter, half, LOW_DOUBLES, HIGH_DOUBLES);
#else
        (void)half;
        HALVE(4, quarter, (sum + r), LOW_DOUBLES, HIGH_DOUBLES);
#endif
        HALVE(2, eighth, quarter, EVEN_QUARTERS, ODD_QUARTERS);
        HALVE(1, all, eighth, EVEN_QUARTERS, ODD_QUARTERS);
        STORE(c + r, ADD(LOAD(c + r), all[0]));
    }
}
#else
static inline void add_lane_sums(const vector *sum, real *c) {
    for (int r = 0; r < DOT_ROWS; r++) c[r] += SUM_OF_LANES(sum[r]);
}
#endif

/* c[DOT_ROWS] += W[DOT_ROWS, N] @ a[N] */
NO_INLINE static void dot_rows(ptrdiff_t N, const real *W, const real *a, real *c) {
    vector sums[DOT_ROWS];
    for (ptrdiff_t first = 0; first < DOT_ROWS; first += DOT_GROUP) {
        const real *rows = W + first * N;
        vector sum[DOT_GROUP], part[DOT_VECTORS];
        ptrdiff_t j = 0;
        UNROLL for (int r = 0; r < DOT_GROUP; r++) sum[r] = SPREAD(0);
        for (; j + DOT_VECTORS * LANES <= N; j += DOT_VECTORS * LANES) {
            UNROLL for (int v = 0; v < DOT_VECTORS; v++) part[v] = LOAD(a + j + v * LANES);
            UNROLL for (int r = 0; r < DOT_GROUP; r++)
                UNROLL for (int v = 0; v < DOT_VECTORS; v++)
                    sum[r] = MULTIPLY_ADD(LOAD(rows + r * N + j + v * LANES), part[v], sum[r]);
        }
        for (; j < N; j += LANES) {
            part[0] = LOAD(a + j);
            UNROLL for (int r = 0; r < DOT_GROUP; r++)
                sum[r] = MULTIPLY_ADD(LOAD(rows + r * N + j), part[0], sum[r]);
        }
        UNROLL for (int r = 0; r < DOT_GROUP; r++) sums[first + r] = sum[r];
    }
    add_lane_sums(sums, c);
}

/* c[M] += W[M, N] @ a[N]; `back`: from the last rows to the first */
static void multiply_rows_in_place(ptrdiff_t M, ptrdiff_t N, const real *W, const real *a, int back, real *c) {
    for (ptrdiff_t i = 0; i < M; i += DOT_ROWS) {
        const ptrdiff_t r = back ? M - DOT_ROWS - i : i;
        dot_rows(N, W + r * N, a, c + r);
    }
}

#endif
