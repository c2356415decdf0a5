/* A barrier for threads that wait for one another several times a millisecond, on machines that may be busy.
 *
 * A thread first spins for about SPIN_NANOSECONDS: on an idle machine the others arrive within that time, and a sleep
 * and a wake through the kernel would cost as much as a small training step. Then it sleeps in the kernel until the
 * last thread arrives, so that a thread which has lost its processor to another program is not kept from it by those
 * that only wait.
 *
 * `generation` counts completed waits in steps of 2; its lowest bit says that the barrier is broken. Both are in the one
 * word that waiting threads watch, so that no wake-up can be missed: a sleeper names the value it has seen, and the
 * kernel does not let it sleep on any other. `arrived`, `generation` and `sleepers` have cache lines of their own: a
 * thread that arrives does not take the line away from those that spin.
 */
#ifndef CRNN_BARRIER_H
#define CRNN_BARRIER_H

#include <stdint.h>

#define BARRIER_BROKEN 1u
#define SPIN_NANOSECONDS 70000 /* none where there are more threads than cores */
#define PAUSES_BETWEEN_CLOCK_READS 32
#define CACHE_LINE 64

/* ------------------------------------------------------------ atomics, a pause, a clock, sleeping and waking */

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define ATOMIC_LOAD(p) ((uint32_t)_InterlockedOr((volatile long *)(p), 0))
#define ATOMIC_STORE(p, v) ((void)_InterlockedExchange((volatile long *)(p), (long)(v)))
#define ATOMIC_ADD(p, v) ((uint32_t)_InterlockedExchangeAdd((volatile long *)(p), (long)(v)) + (v))
#define ATOMIC_OR(p, v) ((void)_InterlockedOr((volatile long *)(p), (long)(v)))
#else
#define ATOMIC_LOAD(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ATOMIC_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define ATOMIC_ADD(p, v) __atomic_add_fetch((p), (v), __ATOMIC_SEQ_CST)
#define ATOMIC_OR(p, v) ((void)__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#endif

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#include <immintrin.h>
#define PAUSE() _mm_pause()
#elif defined(__aarch64__) && defined(__GNUC__)
#define PAUSE() __asm__ __volatile__("isb" ::: "memory") /* `yield` does nothing on most cores */
#elif defined(_M_ARM64)
#define PAUSE() __isb(_ARM64_BARRIER_SY)
#else
#define PAUSE() ((void)0)
#endif

#if defined(_WIN32)

#include <windows.h>
#pragma comment(lib, "Synchronization.lib")
static inline int64_t nanoseconds(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return (int64_t)((double)count.QuadPart * 1e9 / (double)frequency.QuadPart);
}
static inline void sleep_while(uint32_t *word, uint32_t value) { WaitOnAddress(word, &value, sizeof value, INFINITE); }
static inline void wake_all(uint32_t *word) { WakeByAddressAll(word); }

#else

#include <time.h>
static inline int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
/* A signal ends the sleep as well: the caller looks at the word again. */
static inline void sleep_while(uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, (void *)0, (void *)0, 0);
}
static inline void wake_all(uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, (void *)0, (void *)0, 0);
}
#else
/* macOS and the BSDs: short sleeps, since waiting on an address is not to be had in all of their releases. */
static inline void sleep_while(uint32_t *word, uint32_t value) {
    const struct timespec pause = {0, 50000};
    if (ATOMIC_LOAD(word) == value)
        nanosleep(&pause, (struct timespec *)0);
}
static inline void wake_all(uint32_t *word) { (void)word; }
#endif
#endif

/* ------------------------------------------------------------------------------------------- the barrier */

typedef struct { /* padded rather than aligned: it is a part of Python objects, which begin anywhere */
    uint32_t n_threads, spin_nanoseconds;
    char before_arrived[CACHE_LINE];
    uint32_t arrived;
    char before_generation[CACHE_LINE];
    uint32_t generation;
    char before_sleepers[CACHE_LINE];
    uint32_t sleepers;
    char after[CACHE_LINE];
} thread_barrier;

static inline void barrier_init(thread_barrier *b, uint32_t n_threads, int crowded) {
    b->arrived = b->generation = b->sleepers = 0;
    b->n_threads = n_threads;
    b->spin_nanoseconds = crowded ? 0 : SPIN_NANOSECONDS;
}

/* Release all that wait, now and later: a thread will not come. */
static inline void barrier_break(thread_barrier *b) {
    ATOMIC_OR(&b->generation, BARRIER_BROKEN);
    wake_all(&b->generation);
}

static inline int barrier_is_broken(thread_barrier *b) { return (int)(ATOMIC_LOAD(&b->generation) & BARRIER_BROKEN); }

/* Wait until all threads have called this. Returns 1 when they have, 0 when the barrier is broken. */
static inline int barrier_wait(thread_barrier *b) {
    const uint32_t generation = ATOMIC_LOAD(&b->generation);
    if (generation & BARRIER_BROKEN)
        return 0;
    if (ATOMIC_ADD(&b->arrived, 1) == b->n_threads) {
        ATOMIC_STORE(&b->arrived, 0);
        ATOMIC_ADD(&b->generation, 2); /* it overflows in hours of training, which harms nothing */
        if (ATOMIC_LOAD(&b->sleepers))
            wake_all(&b->generation);
        return 1;
    }
    uint32_t now = ATOMIC_LOAD(&b->generation);
    for (int64_t end = nanoseconds() + b->spin_nanoseconds; now == generation && nanoseconds() < end;)
        for (int i = 0; i < PAUSES_BETWEEN_CLOCK_READS && now == generation; i++) {
            PAUSE();
            now = ATOMIC_LOAD(&b->generation);
        }
    if (now == generation) {
        ATOMIC_ADD(&b->sleepers, 1);
        while ((now = ATOMIC_LOAD(&b->generation)) == generation)
            sleep_while(&b->generation, generation);
        ATOMIC_ADD(&b->sleepers, (uint32_t)-1);
    }
    return now == generation + 2;
}

#undef ATOMIC_LOAD
#undef ATOMIC_STORE
#undef ATOMIC_ADD
#undef ATOMIC_OR
#endif
