/* Vectors of the widest registers that a build may use: load, store, and the few operations that the kernels need.
 *
 * The multiply-add is spelt out for each instruction set: left to themselves, compilers fuse it in some loops and not in
 * others, and then results would depend on what stands beside them. Elsewhere the same code runs over small arrays.
 */
#ifndef CRNN_VECTORS_H
#define CRNN_VECTORS_H

#include <stddef.h>
#include <string.h>

#if defined(__FMA__) || defined(__aarch64__)
#define FUSES_MULTIPLY_ADD 1
#else
#define FUSES_MULTIPLY_ADD 0
#endif

/* Ask for the cache line that holds p, which need not be an address of anything: into the first-level cache, to be read
 * soon, or only into the second. */
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_FAR(p) __builtin_prefetch(p, 0, 2)
#elif defined(_M_X64)
#include <xmmintrin.h>
#define PREFETCH(p) _mm_prefetch((const char *)(p), _MM_HINT_T0)
#define PREFETCH_FAR(p) _mm_prefetch((const char *)(p), _MM_HINT_T1)
#else
#define PREFETCH(p) ((void)(p))
#define PREFETCH_FAR(p) ((void)(p))
#endif

/* Registers: 32 of 64 bytes (AVX-512), 32 of 16 (AArch64), 16 of 32 (AVX2), 16 of 16 (SSE2). */
#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
typedef __m512 float_vector;
typedef __m512d double_vector;
#define LOAD_float(p) _mm512_loadu_ps(p)
#define LOAD_double(p) _mm512_loadu_pd(p)
#define STORE_float(p, v) _mm512_storeu_ps(p, v)
#define STORE_double(p, v) _mm512_storeu_pd(p, v)
#define SPREAD_float(x) _mm512_set1_ps(x)
#define SPREAD_double(x) _mm512_set1_pd(x)
#define LARGER_float(a, b) _mm512_max_ps(a, b)
#define LARGER_double(a, b) _mm512_max_pd(a, b)
#define ADD_float(a, b) _mm512_add_ps(a, b)
#define ADD_double(a, b) _mm512_add_pd(a, b)
#define MULTIPLY_ADD_float(a, b, c) _mm512_fmadd_ps(a, b, c)
#define MULTIPLY_ADD_double(a, b, c) _mm512_fmadd_pd(a, b, c)
#elif defined(__AVX2__)
#include <immintrin.h>
#define VECTOR_BYTES 32
typedef __m256 float_vector;
typedef __m256d double_vector;
#define LOAD_float(p) _mm256_loadu_ps(p)
#define LOAD_double(p) _mm256_loadu_pd(p)
#define STORE_float(p, v) _mm256_storeu_ps(p, v)
#define STORE_double(p, v) _mm256_storeu_pd(p, v)
#define SPREAD_float(x) _mm256_set1_ps(x)
#define SPREAD_double(x) _mm256_set1_pd(x)
#define LARGER_float(a, b) _mm256_max_ps(a, b)
#define LARGER_double(a, b) _mm256_max_pd(a, b)
#define ADD_float(a, b) _mm256_add_ps(a, b)
#define ADD_double(a, b) _mm256_add_pd(a, b)
#define MULTIPLY_ADD_float(a, b, c) _mm256_fmadd_ps(a, b, c)
#define MULTIPLY_ADD_double(a, b, c) _mm256_fmadd_pd(a, b, c)
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define VECTOR_BYTES 16
typedef __m128 float_vector;
typedef __m128d double_vector;
#define LOAD_float(p) _mm_loadu_ps(p)
#define LOAD_double(p) _mm_loadu_pd(p)
#define STORE_float(p, v) _mm_storeu_ps(p, v)
#define STORE_double(p, v) _mm_storeu_pd(p, v)
#define SPREAD_float(x) _mm_set1_ps(x)
#define SPREAD_double(x) _mm_set1_pd(x)
#define LARGER_float(a, b) _mm_max_ps(a, b)
#define LARGER_double(a, b) _mm_max_pd(a, b)
#define ADD_float(a, b) _mm_add_ps(a, b)
#define ADD_double(a, b) _mm_add_pd(a, b)
#define MULTIPLY_ADD_float(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
#define MULTIPLY_ADD_double(a, b, c) _mm_add_pd(_mm_mul_pd(a, b), c)
#elif defined(__aarch64__)
#include <arm_neon.h>
#define VECTOR_BYTES 16
typedef float32x4_t float_vector;
typedef float64x2_t double_vector;
#define LOAD_float(p) vld1q_f32(p)
#define LOAD_double(p) vld1q_f64(p)
#define STORE_float(p, v) vst1q_f32(p, v)
#define STORE_double(p, v) vst1q_f64(p, v)
#define SPREAD_float(x) vdupq_n_f32(x)
#define SPREAD_double(x) vdupq_n_f64(x)
#define LARGER_float(a, b) vmaxnmq_f32(a, b)
#define LARGER_double(a, b) vmaxnmq_f64(a, b)
#define ADD_float(a, b) vaddq_f32(a, b)
#define ADD_double(a, b) vaddq_f64(a, b)
#define MULTIPLY_ADD_float(a, b, c) vfmaq_f32(c, a, b)
#define MULTIPLY_ADD_double(a, b, c) vfmaq_f64(c, a, b)
#else
#define VECTOR_BYTES 16
#define DEFINE_ARRAY_VECTOR(T) \
    typedef struct { T lane[VECTOR_BYTES / sizeof(T)]; } T##_vector; \
    static inline T##_vector LOAD_##T(const T *p) { T##_vector v; memcpy(&v, p, sizeof v); return v; } \
    static inline void STORE_##T(T *p, T##_vector v) { memcpy(p, &v, sizeof v); } \
    static inline T##_vector SPREAD_##T(T x) { \
        T##_vector v; \
        for (size_t l = 0; l < VECTOR_BYTES / sizeof(T); l++) v.lane[l] = x; \
        return v; \
    } \
    static inline T##_vector MULTIPLY_ADD_##T(T##_vector a, T##_vector b, T##_vector c) { \
        for (size_t l = 0; l < VECTOR_BYTES / sizeof(T); l++) c.lane[l] += a.lane[l] * b.lane[l]; \
        return c; \
    } \
    static inline T##_vector LARGER_##T(T##_vector a, T##_vector b) { \
        for (size_t l = 0; l < VECTOR_BYTES / sizeof(T); l++) b.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l]; \
        return b; \
    } \
    static inline T##_vector ADD_##T(T##_vector a, T##_vector b) { \
        for (size_t l = 0; l < VECTOR_BYTES / sizeof(T); l++) a.lane[l] += b.lane[l]; \
        return a; \
    }
DEFINE_ARRAY_VECTOR(float)
DEFINE_ARRAY_VECTOR(double)
#endif

/* The first n elements of a vector: loaded, the others zeros; stored. */
#if defined(__AVX512F__)
static inline __m512 LOAD_PART_float(const float *p, ptrdiff_t n) { return _mm512_maskz_loadu_ps((1u << n) - 1, p); }
static inline __m512d LOAD_PART_double(const double *p, ptrdiff_t n) { return _mm512_maskz_loadu_pd((1u << n) - 1, p); }
static inline void STORE_PART_float(float *p, ptrdiff_t n, __m512 v) { _mm512_mask_storeu_ps(p, (1u << n) - 1, v); }
static inline void STORE_PART_double(double *p, ptrdiff_t n, __m512d v) { _mm512_mask_storeu_pd(p, (1u << n) - 1, v); }
#else
#define DEFINE_PARTS(T) \
    static inline T##_vector LOAD_PART_##T(const T *p, ptrdiff_t n) { \
        T part[VECTOR_BYTES / sizeof(T)] = {0}; \
        memcpy(part, p, n * sizeof(T)); \
        return LOAD_##T(part); \
    } \
    static inline void STORE_PART_##T(T *p, ptrdiff_t n, T##_vector v) { \
        T part[VECTOR_BYTES / sizeof(T)]; \
        STORE_##T(part, v); \
        memcpy(p, part, n * sizeof(T)); \
    }
DEFINE_PARTS(float)
DEFINE_PARTS(double)
#endif

#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#define NO_INLINE __attribute__((noinline))
#else
#define UNROLL
#define NO_INLINE
#endif

#endif
