/* Fork and join: a first thread starts others, several times in ten microseconds, and waits until they have finished.
 *
 * A barrier before and after the work would do the same. But here each of the two moves one cache line between cores,
 * where a barrier moves three. `posted` counts the first thread's posts, in steps of 2; its lowest bit
 * means that there will be no more. `finished` counts the others' completed work, over all rounds.
 */
#pragma once

#include "waiting.h"

#define NO_MORE_WORK 1u

typedef struct { /* padded, not aligned: it is part of Python objects, which may start anywhere */
    uint32_t others;
    uint32_t expected; /* of `finished`, once all have done what was posted; used by the first thread only */
    char before_posted[CACHE_LINE];
    uint32_t posted;
    char before_finished[CACHE_LINE];
    uint32_t finished;
    char before_sleepers[CACHE_LINE];
    uint32_t sleepers;
    char after[CACHE_LINE];
} fork_join;

/* The first thread and `others` more. The first one starts with a join, which waits for each of the others. */
static inline void fork_init(fork_join *f, uint32_t others) {
    f->others = f->expected = others;
    f->posted = f->finished = f->sleepers = 0;
}

/* The first thread: start the others. Their work was written before. */
static inline void fork_work(fork_join *f) {
    f->expected += f->others;
    ATOMIC_ADD(&f->posted, 2);
    if (ATOMIC_LOAD(&f->sleepers))
        wake_all(&f->posted);
}

/* The first thread: wait until all others have finished. */
static inline void join_work(fork_join *f) {
    uint32_t done = ATOMIC_LOAD(&f->finished);
    while (done != f->expected)
        done = wait_while(&f->finished, done, SPIN_NANOSECONDS, &f->sleepers);
}

/* Another thread: report that it has finished or, at first, that it is ready. */
static inline void finish_work(fork_join *f) {
    ATOMIC_ADD(&f->finished, 1);
    if (ATOMIC_LOAD(&f->sleepers))
        wake_all(&f->finished);
}

/* Another thread, after `seen` posts: wait for the next one; returns its number, or NO_MORE_WORK. */
static inline uint32_t await_work(fork_join *f, uint32_t seen) {
    const uint32_t now = wait_while(&f->posted, seen, SPIN_NANOSECONDS, &f->sleepers);
    return now & NO_MORE_WORK ? NO_MORE_WORK : now;
}

/* Let the others return, now and later. */
static inline void end_fork(fork_join *f) {
    ATOMIC_OR(&f->posted, NO_MORE_WORK);
    wake_all(&f->posted);
}
