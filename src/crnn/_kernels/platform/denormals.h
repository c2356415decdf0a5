/* Denormal numbers switched off for a while: vanishing gradients pass through them, and an instruction with a denormal
 * operand takes a hundred times as long. The setting belongs to the thread, and the caller restores it.
 */
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#define FLUSH_TO_ZERO 0x8000u     /* a denormal result becomes zero */
#define DENORMALS_ARE_ZERO 0x0040u /* a denormal operand counts as zero */
typedef unsigned float_mode;
static inline float_mode flush_denormals(void) {
    const float_mode before = _mm_getcsr();
    _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
    return before;
}
static inline void restore_denormals(float_mode before) { _mm_setcsr(before); }

#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
typedef unsigned long long float_mode;
static inline float_mode flush_denormals(void) {
    float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1ull << 24)); /* FZ */
    return before;
}
static inline void restore_denormals(float_mode before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }

#else
typedef int float_mode;
static inline float_mode flush_denormals(void) { return 0; }
static inline void restore_denormals(float_mode before) { (void)before; }
#endif
