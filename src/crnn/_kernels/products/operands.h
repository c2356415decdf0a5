/* The operands of matrix products, as they are packed.
 *
 * A product sums over k. In the builds for float32 and float64 an element of a packed operand is a number. In the build
 * for bfloat16 (CRNN_BFLOAT16) it is a pair: two neighboring numbers along k, rounded to bfloat16, in the place
 * of one float, with the first in the lower half. In the build for int8 (CRNN_INT8) it is two or four integers, see
 * `int8_operands.h`, and a panel starts with HEAD_ROWS extra rows. Only PRODUCT_ADD looks into an element, and only
 * BEGIN_SUM and END_SUM know the type of sums, so that the same code multiplies all types. Everything else stays float:
 * sums in memory, and numbers without products.
 */
#pragma once

#include "transpose_block.h"
#include "vectors.h"

#if defined(CRNN_BFLOAT16)
#define BFLOAT16 1
#else
#define BFLOAT16 0
#endif
#if defined(CRNN_INT8)
#define INT8 1
#else
#define INT8 0
#endif
#if defined(__AVX2__) || (defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD))
#define INTEGERS 4 /* in an element, for int8 */
#else
#define INTEGERS 2
#endif
/* Whether magnitudes and signs of an int8 left operand are apart, see `int8_operands.h`. */
#if defined(CRNN_INT8) && defined(__AVX2__) && !defined(__AVX512VNNI__)
#define SPLIT_SIGNS 1
#else
#define SPLIT_SIGNS 0
#endif

enum {
    PER_ELEMENT = INT8 ? INTEGERS : BFLOAT16 ? 2 : 1, /* numbers in an element */
    HEAD_ROWS = INT8 ? 2 : 0,                         /* of a panel, before its elements */
    TAIL_HEAD = INT8 ? LANES : 0                      /* likewise of a tail column */
};

typedef struct { /* the left operand of a product, one row for each row of the product */
    const real *first;
    ptrdiff_t stride; /* elements from one row to the next */
} operand_rows;

/* Elements filled by K numbers, the last one perhaps in part. */
static inline ptrdiff_t elements_of(ptrdiff_t K) { return (K + PER_ELEMENT - 1) / PER_ELEMENT; }

/* Rows of a panel for K rows of numbers. */
static inline ptrdiff_t depth_of(ptrdiff_t K) { return HEAD_ROWS + elements_of(K); }

#if BFLOAT16 || INT8

enum { LINE = 64 / sizeof(real) }; /* elements of a cache line, or of a row of a tile */

/* So many elements, rounded up to whole cache lines. */
static inline ptrdiff_t whole_lines(ptrdiff_t elements) { return (elements + LINE - 1) / LINE * LINE; }

/* Elements from row to row of a left operand: an odd number of cache lines, or else the rows would map to the same few
 * lines of the first-level cache. */
static inline ptrdiff_t operand_stride(ptrdiff_t K) {
    const ptrdiff_t length = whole_lines(elements_of(K));
    return SPLIT_SIGNS ? LINE + 2 * length : length | LINE;
}

/* Elements of the buffer for `as_operand`. */
static inline ptrdiff_t operand_elements(ptrdiff_t rows, ptrdiff_t K) { return rows * operand_stride(K); }

#endif

#if INT8

#include "int8_operands.h"

#else

/* A sum over k starts with the value in c, and ends there. */
typedef vector sums;
#define BEGIN_SUM(c, head, a) LOAD(c)
#define BEGIN_PART(c, head, a, n) LOAD_PART(c, n)
#define END_SUM(c, head, width, sum) STORE(c, sum)
#define END_PART(c, head, width, n, sum) STORE_PART(c, n, sum)
/* In a tail column the lanes of a vector are neighbors along k. */
#define NO_SUMS() SPREAD(0)
#define END_TAIL(c, head, a, sum) (*(c) += SUM_OF_LANES(sum))

static inline void set_head(ptrdiff_t K, ptrdiff_t columns, ptrdiff_t width, const real *scales, real *panel) {
    (void)K, (void)columns, (void)width, (void)scales, (void)panel;
}
static inline void set_tail_head(ptrdiff_t K, const real *scale, real *column) { (void)K, (void)scale, (void)column; }

#endif

#if !SPLIT_SIGNS

/* What PRODUCT_ADD takes from a row of a left operand of `elements`: one of them in all lanes, or a vector of them. */
typedef vector left_vector;
#define SPREAD_LEFT(a, elements) SPREAD(*(a))
#define LOAD_LEFT(a, elements) LOAD(a)
#define LOAD_LEFT_PART(a, elements, n) LOAD_PART(a, n)

#endif

#if BFLOAT16

/* ---------------------------------------------------------------------------------------------- bfloat16 */

/* In the upper half: x rounded to the nearest bfloat16, ties to even. NaN stays NaN. */
static inline real_bits rounded_bits(real x) {
    real_pattern pattern;
    pattern.value = x;
    const real_bits nearest = pattern.bits + 0x7FFF + (pattern.bits >> 16 & 1), quiet = pattern.bits | 0x400000;
    return (pattern.bits & ~SIGN_BIT) > 0x7F800000 ? quiet : nearest;
}

static inline real pair_of(real first, real second) {
    real_pattern pattern;
    pattern.bits = rounded_bits(first) >> 16 | (rounded_bits(second) & 0xFFFF0000);
    return pattern.value;
}

/* x rounded, as a float */
static inline real rounded(real x) {
    real_pattern pattern;
    pattern.bits = rounded_bits(x) & 0xFFFF0000;
    return pattern.value;
}

/* n numbers rounded, as floats, in `room` */
static inline const real *rounded_numbers(ptrdiff_t n, const real *__restrict x, real *__restrict room) {
    for (ptrdiff_t i = 0; i < n; i++) room[i] = rounded(x[i]);
    return room;
}

/* c + a * b, summed over both numbers of each pair, by the processor's own instruction, or by multiply-adds of the two
 * numbers as floats: a bfloat16 is the upper half of a float. */
#if defined(__AVX512BF16__)
#define PRODUCT_ADD(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#else
#if defined(__AVX512F__)
#define FIRSTS(v) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16))
#define SECONDS(v) _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32((int)0xFFFF0000)))
#elif defined(__AVX2__)
#define FIRSTS(v) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16))
#define SECONDS(v) _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32((int)0xFFFF0000)))
#elif defined(X86)
#define FIRSTS(v) _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(v), 16))
#define SECONDS(v) _mm_castsi128_ps(_mm_and_si128(_mm_castps_si128(v), _mm_set1_epi32((int)0xFFFF0000)))
#elif defined(__aarch64__)
#define FIRSTS(v) vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(v), 16))
#define SECONDS(v) vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0xFFFF0000)))
#else
static inline vector FIRSTS(vector v) {
    real_bits bits[LANES];
    memcpy(bits, &v, sizeof v);
    for (int l = 0; l < LANES; l++) bits[l] <<= 16;
    memcpy(&v, bits, sizeof v);
    return v;
}
static inline vector SECONDS(vector v) {
    real_bits bits[LANES];
    memcpy(bits, &v, sizeof v);
    for (int l = 0; l < LANES; l++) bits[l] &= 0xFFFF0000;
    memcpy(&v, bits, sizeof v);
    return v;
}
#endif
#define PRODUCT_ADD(a, b, c) MULTIPLY_ADD(SECONDS(a), SECONDS(b), MULTIPLY_ADD(FIRSTS(a), FIRSTS(b), c))
#endif

/* out[n] = the 2 n numbers of a as pairs */
static inline void pack_pairs(ptrdiff_t n, const real *__restrict a, real *__restrict out) {
    ptrdiff_t i = 0;
#if defined(__AVX512BF16__)
    for (; i + LANES <= n; i += LANES)
        STORE(out + i, (vector)_mm512_cvtne2ps_pbh(LOAD(a + 2 * i + LANES), LOAD(a + 2 * i)));
#endif
    for (; i < n; i++) out[i] = pair_of(a[2 * i], a[2 * i + 1]);
}

/* out = a row of K numbers as pairs, with zeros to the end of its last cache line */
static inline void pack_operand_row(ptrdiff_t K, const real *__restrict a, real *__restrict out) {
    const ptrdiff_t end = whole_lines(elements_of(K));
    ptrdiff_t i = K / 2;
    pack_pairs(i, a, out);
    if (K % 2)
        out[i++] = pair_of(a[K - 1], 0);
    for (; i < end; i++) out[i] = 0;
}

/* The rows of a (rows, K) as a product's left operand, rounded into `room`. */
static operand_rows as_operand(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, real *room) {
    const operand_rows out = {room, operand_stride(K)};
    for (ptrdiff_t r = 0; r < rows; r++) pack_operand_row(K, a + r * lda, room + r * out.stride);
    return out;
}

#if defined(__AVX512BF16__)
/* The positions of 32 bfloat16, the first 16 from one row and then 16 from the next, in pairs. */
static const short INTERLEAVED[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
#endif

/* out = elements of the rows w and w + ldw; of w alone if it is the last row, with only one `left`. */
static inline void pack_row(ptrdiff_t columns, ptrdiff_t left, const real *__restrict w, ptrdiff_t ldw,
                            real *__restrict out) {
    ptrdiff_t j = 0;
#if defined(__AVX512BF16__)
    const __m512i turns = _mm512_loadu_si512(INTERLEAVED);
    if (left > 1)
        for (; j + LANES <= columns; j += LANES)
            STORE(out + j, (vector)_mm512_permutexvar_epi16(
                turns, (__m512i)_mm512_cvtne2ps_pbh(LOAD(w + ldw + j), LOAD(w + j))));
#endif
    if (left > 1)
        for (; j < columns; j++) out[j] = pair_of(w[j], w[ldw + j]);
    else
        for (; j < columns; j++) out[j] = pair_of(w[j], 0);
}

/* The element of w[0] and w[step]; of w[0] alone if only one is `left`. */
static inline real packed_element(const real *w, ptrdiff_t step, ptrdiff_t left) {
    return pair_of(w[0], left > 1 ? w[step] : 0);
}

/* b = the elements of LANES rows of a, LANES from each, transposed */
static inline void pack_transposed_block(const real *a, ptrdiff_t lda, real *b, ptrdiff_t ldb) {
    real pairs[LANES * LANES];
    for (int i = 0; i < LANES; i++) pack_pairs(LANES, a + i * lda, pairs + i * LANES);
    transpose_block(pairs, LANES, b, ldb);
}

#elif !INT8

/* ---------------------------------------------------------------------------------------------- float32, float64 */

#define PRODUCT_ADD(a, b, c) MULTIPLY_ADD(a, b, c)

static inline real rounded(real x) { return x; }
static inline const real *rounded_numbers(ptrdiff_t n, const real *x, real *room) { return (void)n, (void)room, x; }
static inline ptrdiff_t operand_elements(ptrdiff_t rows, ptrdiff_t K) { return (void)rows, (void)K, 0; }
static inline operand_rows as_operand(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, real *room) {
    (void)rows, (void)K, (void)room;
    return (operand_rows){a, lda};
}
static inline void pack_row(ptrdiff_t columns, ptrdiff_t left, const real *w, ptrdiff_t ldw, real *out) {
    (void)left, (void)ldw;
    memcpy(out, w, columns * sizeof(real));
}
static inline real packed_element(const real *w, ptrdiff_t step, ptrdiff_t left) { return (void)step, (void)left, w[0]; }
static inline void pack_transposed_block(const real *a, ptrdiff_t lda, real *b, ptrdiff_t ldb) {
    transpose_block(a, lda, b, ldb);
}

#endif

/* panel[depth, width] = w[rows, columns], padded with zeros to whole vectors */
static inline void pack_columns(ptrdiff_t rows, ptrdiff_t columns, const real *w, ptrdiff_t ldw, ptrdiff_t width,
                                real *panel) {
    for (ptrdiff_t k = 0; k < elements_of(rows); k++) {
        pack_row(columns, rows - k * PER_ELEMENT, w + k * PER_ELEMENT * ldw, ldw, panel + k * width);
        memset(panel + k * width + columns, 0, (width - columns) * sizeof(real));
    }
}
