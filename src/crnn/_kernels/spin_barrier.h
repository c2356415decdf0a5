/* A barrier for a few threads that wait for each other several times a millisecond.
 *
 * A waiting thread spins, since a sleep and a wake through the kernel would cost as much as a small training step.
 * After a long time it yields the processor. Yielding can cost milliseconds, so a thread yields early only when there
 * are more threads than cores. The barrier can be used again at once: each use is a new generation. A thread that
 * cannot come breaks the barrier, so that the others do not wait for ever.
 */
#ifndef CRNN_SPIN_BARRIER_H
#define CRNN_SPIN_BARRIER_H

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#include <windows.h>
#define ATOMIC_LOAD(p) _InterlockedOr((volatile long *)(p), 0)
#define ATOMIC_STORE(p, v) _InterlockedExchange((volatile long *)(p), (v))
#define ATOMIC_INCREMENT(p) _InterlockedIncrement((volatile long *)(p))
#define YIELD() SwitchToThread()
#else
#define ATOMIC_LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ATOMIC_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define ATOMIC_INCREMENT(p) __atomic_add_fetch((p), 1, __ATOMIC_ACQ_REL)
#if defined(_WIN32)
#include <windows.h>
#define YIELD() SwitchToThread()
#else
#include <sched.h>
#define YIELD() sched_yield()
#endif
#endif

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
#include <immintrin.h>
#define PAUSE() _mm_pause()
#else
#define PAUSE() ((void)0)
#endif

#define SPINS 500000 /* some ten milliseconds */
#define SPINS_IF_CROWDED 4000

typedef struct {
    long n_threads, arrived, generation, broken, crowded;
} spin_barrier;

static inline void spin_barrier_break(spin_barrier *barrier) { ATOMIC_STORE(&barrier->broken, 1); }

/* Returns 1 when all threads are here, 0 when the barrier is broken. */
static inline int spin_barrier_wait(spin_barrier *barrier) {
    if (ATOMIC_LOAD(&barrier->broken))
        return 0;
    const long generation = ATOMIC_LOAD(&barrier->generation);
    if (ATOMIC_INCREMENT(&barrier->arrived) == barrier->n_threads) {
        ATOMIC_STORE(&barrier->arrived, 0);
        ATOMIC_STORE(&barrier->generation, (long)((unsigned long)generation + 1)); /* wraps after hours of training */
        return 1;
    }
    const int max_spins = barrier->crowded ? SPINS_IF_CROWDED : SPINS;
    for (int spins = 0; ATOMIC_LOAD(&barrier->generation) == generation; spins++) {
        if (ATOMIC_LOAD(&barrier->broken))
            return 0;
        if (spins < max_spins)
            PAUSE();
        else
            YIELD();
    }
    return 1;
}

#endif
