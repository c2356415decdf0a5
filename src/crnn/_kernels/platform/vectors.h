/* Vectors of the widest registers that a build may use, and the few operations on them that the kernels need.
 *
 * The multiply-add is written out for each instruction set, and setup.py forbids compilers to fuse others: left to
 * themselves, they fuse some copies of a loop and not others, and results would depend on neighboring code. Elsewhere
 * the same code runs over small arrays.
 */
#pragma once

#include <stddef.h>
#include <string.h>

#include "prefetch.h"
#include "real.h"

#if defined(__FMA__) || defined(__aarch64__)
#define FUSES_MULTIPLY_ADD 1
#else
#define FUSES_MULTIPLY_ADD 0
#endif

/* a * b + c of numbers, rounded once where the processor can. Microsoft's compiler would call a function for that. */
#if FUSES_MULTIPLY_ADD && (defined(__GNUC__) || defined(__clang__))
#if defined(CRNN_SINGLE)
#define FUSED(a, b, c) __builtin_fmaf(a, b, c)
#else
#define FUSED(a, b, c) __builtin_fma(a, b, c)
#endif
#else
#define FUSED(a, b, c) ((a) * (b) + (c))
#endif

/* The intrinsic of an operation on the build's numbers, and the type of a vector of them. */
#if SINGLE
#define OF_TYPE(prefix, operation) prefix##operation##_ps
#define OF_TYPE_NEON(operation) operation##_f32
#define REGISTER(type) type
#else
#define OF_TYPE(prefix, operation) prefix##operation##_pd
#define OF_TYPE_NEON(operation) operation##_f64
#define REGISTER(type) type##d
#endif

/* Registers: 32 of 64 bytes (AVX-512), 32 of 16 (AArch64), 16 of 32 (AVX2), 16 of 16 (SSE2). */
#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#define X86(operation) OF_TYPE(_mm512_, operation)
typedef REGISTER(__m512) vector;
#elif defined(__AVX2__)
#include <immintrin.h>
#define VECTOR_BYTES 32
#define X86(operation) OF_TYPE(_mm256_, operation)
typedef REGISTER(__m256) vector;
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define VECTOR_BYTES 16
#define X86(operation) OF_TYPE(_mm_, operation)
typedef REGISTER(__m128) vector;
#elif defined(__aarch64__)
#include <arm_neon.h>
#define VECTOR_BYTES 16
#if SINGLE
typedef float32x4_t vector;
#else
typedef float64x2_t vector;
#endif
#else
#define VECTOR_BYTES 16
#endif

enum { LANES = VECTOR_BYTES / sizeof(real) };

#if defined(X86)
#define LOAD(p) X86(loadu)(p)
#define STORE(p, v) X86(storeu)(p, v)
#define SPREAD(x) X86(set1)(x)
#define LARGER(a, b) X86(max)(a, b)
#define ADD(a, b) X86(add)(a, b)
#if FUSES_MULTIPLY_ADD
#define MULTIPLY_ADD(a, b, c) X86(fmadd)(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) X86(add)(X86(mul)(a, b), c)
#endif
#elif defined(__aarch64__)
#define LOAD(p) OF_TYPE_NEON(vld1q)(p)
#define STORE(p, v) OF_TYPE_NEON(vst1q)(p, v)
#define SPREAD(x) OF_TYPE_NEON(vdupq_n)(x)
#define LARGER(a, b) OF_TYPE_NEON(vmaxnmq)(a, b)
#define ADD(a, b) OF_TYPE_NEON(vaddq)(a, b)
#define MULTIPLY_ADD(a, b, c) OF_TYPE_NEON(vfmaq)(c, a, b)
#else
typedef struct { real lane[LANES]; } vector;
static inline vector LOAD(const real *p) { vector v; memcpy(&v, p, sizeof v); return v; }
static inline void STORE(real *p, vector v) { memcpy(p, &v, sizeof v); }
static inline vector SPREAD(real x) {
    vector v;
    for (int l = 0; l < LANES; l++) v.lane[l] = x;
    return v;
}
static inline vector MULTIPLY_ADD(vector a, vector b, vector c) {
    for (int l = 0; l < LANES; l++) c.lane[l] += a.lane[l] * b.lane[l];
    return c;
}
static inline vector LARGER(vector a, vector b) {
    for (int l = 0; l < LANES; l++) b.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l];
    return b;
}
static inline vector ADD(vector a, vector b) {
    for (int l = 0; l < LANES; l++) a.lane[l] += b.lane[l];
    return a;
}
#endif

/* Load the first n elements of a vector, with zeros for the others; store them. */
#if defined(__AVX512F__)
static inline vector LOAD_PART(const real *p, ptrdiff_t n) { return X86(maskz_loadu)((1u << n) - 1, p); }
static inline void STORE_PART(real *p, ptrdiff_t n, vector v) { X86(mask_storeu)(p, (1u << n) - 1, v); }
#else
static inline vector LOAD_PART(const real *p, ptrdiff_t n) {
    real part[LANES] = {0};
    memcpy(part, p, n * sizeof(real));
    return LOAD(part);
}
static inline void STORE_PART(real *p, ptrdiff_t n, vector v) {
    real part[LANES];
    STORE(part, v);
    memcpy(p, part, n * sizeof(real));
}
#endif

/* Microsoft's compiler cannot be told to unroll a loop, and keeps the arrays of a tile in memory: setup.py uses
 * clang-cl if CC names it. */
#if defined(__GNUC__) || defined(__clang__)
#define UNROLL _Pragma("GCC unroll 16")
#define NO_INLINE __attribute__((noinline))
/* Hide which function a variable contains, so that the callee is compiled once, not inlined at each call. */
#define FORGET_VALUE(function) __asm__("" : "+r"(function))
#elif defined(_MSC_VER)
#define UNROLL
#define NO_INLINE __declspec(noinline)
#define FORGET_VALUE(function) ((void)0)
#else
#define UNROLL
#define NO_INLINE
#define FORGET_VALUE(function) ((void)0)
#endif
