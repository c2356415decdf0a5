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
#endif
