/* Waiting for a word in memory to change: first spin, then sleep in the kernel.
 *
 * A thread first spins for about SPIN_NANOSECONDS. On an idle machine, the others arrive within that time, while
 * sleeping and waking through the kernel would take about the time of a small training step. Then the thread sleeps
 * until the word changes, so that a thread that has lost its processor to another program need not compete with waiting
 * threads.
 */
#pragma once

#include <stdint.h>

#define SPIN_NANOSECONDS 70000 /* no spinning if there are more threads than cores */
#define PAUSES_BETWEEN_CLOCK_READS 32
#if defined(__APPLE__) && defined(__aarch64__)
#define CACHE_LINE 128
#else
#define CACHE_LINE 64
#endif

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

#if defined(__x86_64__) || defined(__i386__)
#define PAUSE() __builtin_ia32_pause() /* reading the header of all vectors takes half a second */
#elif defined(_M_X64)
#define PAUSE() _mm_pause()
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
#define PAUSE() __asm__ __volatile__("isb" ::: "memory") /* `yield` does nothing on most cores */
#elif defined(_M_ARM64)
#define PAUSE() __isb(_ARM64_BARRIER_SY)
#else
#define PAUSE() ((void)0)
#endif

#if defined(_WIN32)

#include <windows.h>
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
/* A signal also ends the sleep: the caller checks the word again. */
static inline void sleep_while(uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, (void *)0, (void *)0, 0);
}
static inline void wake_all(uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 0x7fffffff, (void *)0, (void *)0, 0);
}
#else
/* macOS and the BSDs: short sleeps, since not all of their releases support waiting on an address. */
static inline void sleep_while(uint32_t *word, uint32_t value) {
    const struct timespec pause = {0, 50000};
    if (ATOMIC_LOAD(word) == value)
        nanosleep(&pause, (struct timespec *)0);
}
static inline void wake_all(uint32_t *word) { (void)word; }
#endif
#endif

/* Wait while a word has this value, and return the new one. `sleepers` counts sleeping threads. A thread that
 * changes the word wakes them all if there are any. No wake-up is missed, since the kernel lets no thread sleep on a
 * word that has changed. */
static inline uint32_t wait_while(uint32_t *word, uint32_t value, uint32_t spin_nanoseconds, uint32_t *sleepers) {
    uint32_t now = ATOMIC_LOAD(word);
    for (int64_t end = nanoseconds() + spin_nanoseconds; now == value && nanoseconds() < end;)
        for (int i = 0; i < PAUSES_BETWEEN_CLOCK_READS && now == value; i++) {
            PAUSE();
            now = ATOMIC_LOAD(word);
        }
    if (now == value) {
        ATOMIC_ADD(sleepers, 1);
        while ((now = ATOMIC_LOAD(word)) == value)
            sleep_while(word, value);
        ATOMIC_ADD(sleepers, (uint32_t)-1);
    }
    return now;
}
