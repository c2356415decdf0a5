/* The number type of the kernels: float in a build with CRNN_SINGLE, otherwise double.
 *
 * The entry points are compiled once for both types (CRNN_ENTRY_POINTS): they pass addresses of numbers and never
 * read the numbers, so there the type is void.
 */
#pragma once

#include <math.h>
#include <stdint.h>

#if defined(CRNN_ENTRY_POINTS)
typedef void real;
#else
#if defined(CRNN_SINGLE)
#define SINGLE 1
typedef float real;
typedef uint32_t real_bits;
#define SIGNIFICAND_BITS 23
#define EXPONENT_BIAS 127
#define SQRT(x) sqrtf(x)
#else
#define SINGLE 0
typedef double real;
typedef uint64_t real_bits;
#define SIGNIFICAND_BITS 52
#define EXPONENT_BIAS 1023
#define SQRT(x) sqrt(x)
#endif
#define SIGN_BIT ((real_bits)1 << (8 * sizeof(real) - 1))

typedef union {
    real value;
    real_bits bits;
} real_pattern;

/* Limits of the arguments of exp, sigmoid and tanh. gcc must not know their values: it takes a minimum or maximum with a
 * variable in one instruction, but compares and blends with a constant. sigmoid takes 6.5 in place of 8.6 ns for a
 * vector of AVX2. */
#if defined(__GNUC__) && !defined(__clang__)
#define LIMIT __attribute__((visibility("hidden"))) real
#else
#define LIMIT static const real
#endif
LIMIT EXP_LOWEST = SINGLE ? -104 : -746; /* below, exp is less than half the smallest denormal number */
LIMIT EXP_HIGHEST = SINGLE ? 89 : 710;   /* above, exp overflows */
LIMIT SIGMOID_HIGHEST = 40;              /* from here on, in both precisions, sigmoid is 1, */
LIMIT TANH_HIGHEST = 20;                 /* and here tanh */
LIMIT HALF = (real)0.5;
#endif
