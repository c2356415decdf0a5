/* The usable instruction sets: supported by the processor and saved by the operating system. */
#pragma once

#if defined(__x86_64__) || defined(_M_X64)

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
static void cpuid(int leaf, int subleaf, unsigned out[4]) { __cpuidex((int *)out, leaf, subleaf); }
static unsigned long long saved_state(void) { return _xgetbv(0); }
#else
#include <cpuid.h>
static void cpuid(int leaf, int subleaf, unsigned out[4]) {
    __cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}
static unsigned long long saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((unsigned long long)high << 32) | low;
}
#endif

enum { EAX, EBX, ECX, EDX };

/* Whether the system lets this process use AMX tiles: their 8 KB count as large, so Linux wants a request. */
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
static int tiles_allowed(void) {
    enum { REQUEST_STATE = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XTILEDATA */
    return syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}
#else
static int tiles_allowed(void) { return 0; } /* not requested: there is no such build */
#endif

/* 3: AVX-512 BF16; 4: AMX for bfloat16 as well; otherwise 2. `r` is leaf 7 of the processor's features. */
static int bfloat16_level(const unsigned r[4], unsigned long long state) {
    unsigned more[4];
    if (r[EAX] < 1)
        return 2;
    cpuid(7, 1, more);
    if (!(more[EAX] >> 5 & 1)) /* AVX512_BF16 */
        return 2;
    if (!(r[EDX] >> 22 & 1) || !(r[EDX] >> 24 & 1) || (state >> 17 & 3) != 3) /* AMX-BF16, AMX-TILE; tiles saved */
        return 3;
    return tiles_allowed() ? 4 : 3;
}

/* 0: baseline; 1: AVX2, FMA; 2: AVX-512 F, DQ, BW, VL as well; higher levels: see `bfloat16_level`. */
static int instruction_set_level(void) {
    unsigned r[4];
    unsigned long long state;
    cpuid(0, 0, r);
    if (r[EAX] < 7)
        return 0;
    cpuid(1, 0, r);
    if (!(r[ECX] >> 27 & 1) || !(r[ECX] >> 28 & 1) || !(r[ECX] >> 12 & 1)) /* OSXSAVE, AVX, FMA */
        return 0;
    state = saved_state();
    cpuid(7, 0, r);
    if (!(r[EBX] >> 5 & 1) || (state & 0x06) != 0x06) /* AVX2; XMM and YMM saved */
        return 0;
    if ((r[EBX] >> 16 & 1) && (r[EBX] >> 17 & 1) && (r[EBX] >> 30 & 1) && (r[EBX] >> 31 & 1) && (state & 0xe6) == 0xe6)
        return bfloat16_level(r, state);
    return 1;
}

/* Whether the processor has VNNI and, as its level says, AVX-512. */
static int multiplies_bytes(int level) {
    unsigned r[4];
    if (level < 2)
        return 0;
    cpuid(7, 0, r);
    return r[ECX] >> 11 & 1;
}

#else
static int instruction_set_level(void) { return 0; }

/* Whether an ARM processor has dot products of bytes. On macOS, all do, and the baseline uses them. */
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
static int dot_products(void) { return getauxval(AT_HWCAP) >> 20 & 1; } /* HWCAP_ASIMDDP */
#elif defined(_WIN32)
#include <windows.h>
static int dot_products(void) { return IsProcessorFeaturePresent(43); } /* PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE */
#else
static int dot_products(void) { return 0; }
#endif
static int multiplies_bytes(int level) { return level == 0 && dot_products(); }
#endif
