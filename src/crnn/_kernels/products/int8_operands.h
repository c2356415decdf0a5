/* The operands of integer products: 8-bit weights, and states rounded to 8 bits.
 *
 * An element is four bytes or two halves, neighbors along k in the place of one float, the first in the lowest bits:
 * bytes if the processor multiplies bytes, otherwise signed halves. The state h is the integer nearest to 127 h. A sum
 * over k is an exact 32-bit integer, the same in every build. x86 multiplies signed bytes of weights by unsigned bytes
 * of states: with AVX512-VNNI, these are stored with STATE_OFFSET added; ARM's dot products take signed bytes of both.
 *
 * AVX2 and AVX-512 add a pair of products in 16 bits, which saturate unless the states are at most 127. There the
 * signs are apart (SPLIT_SIGNS): a row of the left operand is a cache line whose last element is S, then the
 * magnitudes |x|, then the flips f, bytes of -1 for negative x, otherwise 0. Since |x| (w ^ f) = x w - |x| for negative
 * x, the sums start at S, the sum of these |x|. A pair of products is at most 2 * 127 * 128.
 *
 * A panel starts with two rows: the initial values of its sums, which cancel the offset of each state, and each
 * column's scale, which multiplies a sum when it is added to c. A matrix to be packed contains integers as floats.
 */
#pragma once

#include <stdint.h>

#include "vectors.h"

/* Sums: vectors of 32-bit integers. gcc keeps these in other registers than vectors of unspecified integers, and would
 * copy each sum at each step. */
#if defined(X86)
#if defined(__AVX512F__)
typedef __m512i integers;
#define OF_INTEGERS(operation) _mm512_##operation
#define OF_BITS(operation) _mm512_##operation##_si512
#elif defined(__AVX2__)
typedef __m256i integers;
#define OF_INTEGERS(operation) _mm256_##operation
#define OF_BITS(operation) _mm256_##operation##_si256
#else
typedef __m128i integers;
#define OF_INTEGERS(operation) _mm_##operation
#define OF_BITS(operation) _mm_##operation##_si128
#endif
#if defined(__GNUC__) || defined(__clang__)
typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef integers sums;
#endif
#endif

/* PRODUCT_ADD(a, b, c): c + a * b, summed over the products of each element. */
#if defined(X86)
#define SUMS_AT(p) (sums)OF_BITS(loadu)((const integers *)(p))
#define AS_INTEGERS(v) OF_BITS(castps)(v)
#define AS_FLOATS(sum) OF_INTEGERS(cvtepi32_ps)((integers)(sum))
#define ADD_INTEGERS(a, b) (sums)OF_INTEGERS(add_epi32)((integers)(a), b)
#if defined(__AVX512VNNI__)
#define PRODUCT_ADD(a, b, c) (sums)_mm512_dpbusd_epi32((__m512i)(c), AS_INTEGERS(a), AS_INTEGERS(b))
#elif SPLIT_SIGNS
typedef struct { integers magnitudes, flips; } left_vector;
static inline left_vector SPREAD_LEFT(const real *a, ptrdiff_t elements) {
    const left_vector v = {AS_INTEGERS(SPREAD(*a)), AS_INTEGERS(SPREAD(a[whole_lines(elements)]))};
    return v;
}
static inline left_vector LOAD_LEFT(const real *a, ptrdiff_t elements) {
    const left_vector v = {AS_INTEGERS(LOAD(a)), AS_INTEGERS(LOAD(a + whole_lines(elements)))};
    return v;
}
#define LOAD_LEFT_PART(a, elements, n) LOAD_LEFT(a, elements) /* a row ends with zeros */
static inline sums PRODUCT_ADD(left_vector a, vector b, sums c) {
    const integers w = OF_BITS(xor)(a.flips, AS_INTEGERS(b)), pairs = OF_INTEGERS(maddubs_epi16)(a.magnitudes, w);
    return ADD_INTEGERS(c, OF_INTEGERS(madd_epi16)(pairs, OF_INTEGERS(set1_epi16)(1)));
}
#else
#define PRODUCT_ADD(a, b, c) ADD_INTEGERS(c, OF_INTEGERS(madd_epi16)(AS_INTEGERS(a), AS_INTEGERS(b)))
#endif
#elif defined(__aarch64__)
typedef int32x4_t sums;
#define SUMS_AT(p) vreinterpretq_s32_f32(vld1q_f32(p))
#define AS_FLOATS(sum) vcvtq_f32_s32(sum)
#if INTEGERS == 4
#define PRODUCT_ADD(a, b, c) vdotq_s32(c, vreinterpretq_s8_f32(a), vreinterpretq_s8_f32(b))
#else
static inline sums PRODUCT_ADD(vector a, vector b, sums c) {
    const int16x8_t x = vreinterpretq_s16_f32(a), y = vreinterpretq_s16_f32(b);
    const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
    return vaddq_s32(c, vpaddq_s32(low, high));
}
#endif
#else
typedef struct { int32_t lane[LANES]; } sums;
static inline sums SUMS_AT(const real *p) { sums sum; memcpy(&sum, p, sizeof sum); return sum; }
static inline vector AS_FLOATS(sums sum) {
    vector v;
    for (int l = 0; l < LANES; l++) v.lane[l] = (real)sum.lane[l];
    return v;
}
static inline sums PRODUCT_ADD(vector a, vector b, sums c) {
    int16_t x[2 * LANES], y[2 * LANES];
    memcpy(x, &a, sizeof x), memcpy(y, &b, sizeof y);
    for (int l = 0; l < LANES; l++) c.lane[l] += x[2 * l] * y[2 * l] + x[2 * l + 1] * y[2 * l + 1];
    return c;
}
#endif

#if SPLIT_SIGNS
#define BEGIN_SUM(c, head, a) (sums)AS_INTEGERS(SPREAD((a)[-1]))
#define FIRST_OF_TAIL(head, a) ((a) - 1)
#else
#define BEGIN_SUM(c, head, a) SUMS_AT(head)
#define FIRST_OF_TAIL(head, a) (head)
#endif
#define BEGIN_PART(c, head, a, n) BEGIN_SUM(c, head, a)
#define END_SUM(c, head, width, sum) STORE(c, MULTIPLY_ADD(AS_FLOATS(sum), LOAD((head) + (width)), LOAD(c)))
#define END_PART(c, head, width, n, sum) \
    STORE_PART(c, n, MULTIPLY_ADD(AS_FLOATS(sum), LOAD((head) + (width)), LOAD_PART(c, n)))

#if INTEGERS == 4
typedef int8_t integer; /* of a weight */
#else
typedef int16_t integer;
#endif
#if defined(__AVX512VNNI__)
#define STATE_OFFSET 128
#else
#define STATE_OFFSET 0
#endif

/* A tail column's sums are over neighbors along k; its head has both numbers in a vector. */
#define NO_SUMS() SUMS_AT(ZEROS)
static const real ZEROS[LANES] = {0};
static inline void END_TAIL(real *c, const real *head, const real *a, sums sum) {
    (void)a;
    uint32_t lanes[LANES], all;
    real total[LANES] = {0}, scale[LANES] = {0}, out[LANES] = {0};
    memcpy(lanes, &sum, sizeof lanes), memcpy(&all, FIRST_OF_TAIL(head, a), sizeof all);
    for (int l = 0; l < LANES; l++) all += lanes[l];
    total[0] = (real)(int32_t)all, scale[0] = head[1], out[0] = *c;
    STORE(out, MULTIPLY_ADD(LOAD(total), LOAD(scale), LOAD(out)));
    *c = out[0];
}

/* ---------------------------------------------------------------------------------------------- the left operand */

/* The integer nearest to 127 h for h in [-1, 1], ties to even; values beyond count as 1 or -1.
 * Adding 1.5 * 2^23 leaves it in the lowest bits. */
static inline uint32_t level_of(real h) {
    real_pattern pattern;
    const real within = h > 1 ? 1 : h < -1 ? -1 : h;
    pattern.value = within * 127 + (real)12582912;
    return pattern.bits;
}

/* out = the integers of n states, side by side */
static inline void pack_levels(ptrdiff_t n, const real *__restrict h, char *__restrict out) {
    for (ptrdiff_t i = 0; i < n; i++) {
#if INTEGERS == 4
        out[i] = (char)(level_of(h[i]) + STATE_OFFSET);
#else
        const uint16_t half = (uint16_t)level_of(h[i]);
        memcpy(out + i * sizeof half, &half, sizeof half);
#endif
    }
}

/* x = |x| and the flips of n integers; the sum of the magnitudes of negative ones */
static inline int32_t split_signs(ptrdiff_t n, signed char *__restrict x, signed char *__restrict flips) {
    int32_t sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) flips[i] = x[i] < 0 ? -1 : 0;
    for (ptrdiff_t i = 0; i < n; i++) sum -= x[i] & flips[i];
    for (ptrdiff_t i = 0; i < n; i++) x[i] = (signed char)((x[i] ^ flips[i]) - flips[i]);
    return sum;
}

/* The rows of a (rows, K) as a product's left operand, rounded into `room`. Whatever follows the K numbers of a row is
 * multiplied by zeros. */
static operand_rows as_operand(ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t lda, real *room) {
    const operand_rows out = {room + (SPLIT_SIGNS ? LINE : 0), operand_stride(K)};
    const ptrdiff_t length = whole_lines(elements_of(K)), filled = K / PER_ELEMENT;
    for (ptrdiff_t r = 0; r < rows; r++) {
        real *row = room + (out.first - room) + r * out.stride;
        memset(row + filled, 0, (length - filled) * sizeof(real));
        pack_levels(K, a + r * lda, (char *)row);
        if (SPLIT_SIGNS) {
            const int32_t sum = split_signs(length * PER_ELEMENT, (signed char *)row, (signed char *)(row + length));
            memcpy(row - 1, &sum, sizeof sum);
        }
    }
    return out;
}

/* ---------------------------------------------------------------------------------------------- the packed matrix */

/* The element made of the integers w[0], w[step], …, with `left` integers remaining. */
static inline real packed_element(const real *w, ptrdiff_t step, ptrdiff_t left) {
    integer part[PER_ELEMENT] = {0};
    real element;
    for (int i = 0; i < PER_ELEMENT && i < left; i++) part[i] = (integer)w[i * step];
    memcpy(&element, part, sizeof element);
    return element;
}

static inline void pack_row(ptrdiff_t columns, ptrdiff_t left, const real *w, ptrdiff_t ldw, real *out) {
    for (ptrdiff_t j = 0; j < columns; j++) out[j] = packed_element(w + j, ldw, left);
}

/* The initial sums of a column: its K integers are in elements, `step` apart. */
static inline real first_sum(ptrdiff_t K, ptrdiff_t step, const real *column) {
    int32_t total = 0;
    real first;
    for (ptrdiff_t k = 0; k < elements_of(K); k++) {
        integer part[PER_ELEMENT];
        memcpy(part, column + k * step, sizeof part);
        for (int i = 0; i < PER_ELEMENT; i++) total += part[i];
    }
    total *= -STATE_OFFSET;
    memcpy(&first, &total, sizeof first);
    return first;
}

/* The rows before the elements of a packed panel of `width` columns, from the scales of the unpadded columns. */
static void set_head(ptrdiff_t K, ptrdiff_t columns, ptrdiff_t width, const real *scales, real *panel) {
    memset(panel, 0, HEAD_ROWS * width * sizeof(real));
    for (ptrdiff_t j = 0; j < columns; j++) {
        panel[j] = first_sum(K, width, panel + HEAD_ROWS * width + j);
        panel[width + j] = scales[j] / 127;
    }
}

/* The same for a packed tail column, whose head is a vector. */
static inline void set_tail_head(ptrdiff_t K, const real *scale, real *column) {
    memset(column, 0, TAIL_HEAD * sizeof(real));
    column[0] = first_sum(K, 1, column + TAIL_HEAD);
    column[1] = *scale / 127;
}

/* ---------------------------------------------------------------------------------------------- for training alone */

static inline real rounded(real x) { return x; }
static inline const real *rounded_numbers(ptrdiff_t n, const real *x, real *room) { return (void)n, (void)room, x; }
static inline void pack_transposed_block(const real *a, ptrdiff_t lda, real *b, ptrdiff_t ldb) {
    (void)a, (void)lda, (void)b, (void)ldb;
}
