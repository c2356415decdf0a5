/* b = a.T for one block of LANES by LANES, through the registers.
 *
 * A register is filled with pieces of 16 bytes, from rows as far apart as a piece has elements. Each piece is
 * then transposed with those at its place in the neighboring registers: rows half of them apart are interleaved, and
 * the distance is halved until it is one.
 */
#pragma once

#include "vectors.h"

#if defined(__GNUC__) && !defined(__clang__)
#if defined(__AVX512F__)
#define PIECE_AT(p) _mm_loadu_ps((const float *)(p))
#define SET_PIECES(row, p, step) \
    row = (lanes)_mm512_insertf32x4(_mm512_insertf32x4(_mm512_insertf32x4(_mm512_castps128_ps512( \
        PIECE_AT(p)), PIECE_AT((p) + (step)), 1), PIECE_AT((p) + 2 * (step)), 2), PIECE_AT((p) + 3 * (step)), 3)
#elif defined(__AVX2__)
#define PIECE_AT(p) _mm_loadu_ps((const float *)(p))
#define SET_PIECES(row, p, step) \
    row = (lanes)_mm256_insertf128_ps(_mm256_castps128_ps256(PIECE_AT(p)), PIECE_AT((p) + (step)), 1)
#else
#define SET_PIECES(row, p, step) memcpy(&row, p, VECTOR_BYTES)
#endif
#if SINGLE
typedef int lane_index;
#else
typedef long long lane_index;
#endif
typedef lane_index lane_mask __attribute__((vector_size(VECTOR_BYTES)));
typedef real lanes __attribute__((vector_size(VECTOR_BYTES)));

static inline void transpose_block(const real *a, ptrdiff_t lda, real *b, ptrdiff_t ldb) {
    enum { PIECE = 16 / sizeof(real) };
    lane_mask lower, upper;
    UNROLL for (int l = 0; l < LANES; l++) {
        lower[l] = l / PIECE * PIECE + l % PIECE / 2 + (l % 2 ? LANES : 0);
        upper[l] = lower[l] + PIECE / 2;
    }
    UNROLL for (int j = 0; j < LANES; j += PIECE) {
        lanes row[PIECE], mixed[PIECE];
        UNROLL for (int i = 0; i < PIECE; i++) SET_PIECES(row[i], a + i * lda + j, PIECE * lda);
        UNROLL for (int s = 1; s < PIECE; s *= 2) {
            UNROLL for (int i = 0; i < PIECE / 2; i++) {
                mixed[2 * i] = __builtin_shuffle(row[i], row[i + PIECE / 2], lower);
                mixed[2 * i + 1] = __builtin_shuffle(row[i], row[i + PIECE / 2], upper);
            }
            UNROLL for (int i = 0; i < PIECE; i++) row[i] = mixed[i];
        }
        UNROLL for (int i = 0; i < PIECE; i++) memcpy(b + (j + i) * ldb, &row[i], VECTOR_BYTES);
    }
}
#else
static inline void transpose_block(const real *a, ptrdiff_t lda, real *b, ptrdiff_t ldb) {
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++) b[j * ldb + i] = a[i * lda + j];
}
#endif
