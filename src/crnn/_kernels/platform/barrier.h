/* A barrier for threads that wait for one another several times a millisecond, on machines that may be busy.
 *
 * `generation` counts completed waits in steps of 2; its lowest bit means that the barrier is broken. Both are in the
 * single word that waiting threads watch (see `waiting.h`), so that no wake-up can be missed. `arrived`, `generation`
 * and `sleepers` have separate cache lines, so that an arriving thread does not take the line from spinning ones.
 */
#pragma once

#include "waiting.h"

#define BARRIER_BROKEN 1u

typedef struct { /* padded, not aligned: it is part of Python objects, which may start anywhere */
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

/* Release all waiting threads, now and later, because one will not arrive. */
static inline void barrier_break(thread_barrier *b) {
    ATOMIC_OR(&b->generation, BARRIER_BROKEN);
    wake_all(&b->generation);
}

static inline int barrier_is_broken(thread_barrier *b) { return (int)(ATOMIC_LOAD(&b->generation) & BARRIER_BROKEN); }

/* Wait until all threads have called this. Returns 1 when they have, 0 if the barrier is broken. */
static inline int barrier_wait(thread_barrier *b) {
    const uint32_t generation = ATOMIC_LOAD(&b->generation);
    if (generation & BARRIER_BROKEN)
        return 0;
    if (ATOMIC_ADD(&b->arrived, 1) == b->n_threads) {
        ATOMIC_STORE(&b->arrived, 0);
        ATOMIC_ADD(&b->generation, 2); /* overflow after hours of training is harmless */
        if (ATOMIC_LOAD(&b->sleepers))
            wake_all(&b->generation);
        return 1;
    }
    return wait_while(&b->generation, generation, b->spin_nanoseconds, &b->sleepers) == generation + 2;
}
