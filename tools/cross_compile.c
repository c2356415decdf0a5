/* The platform headers and the products of one build, tried without Python: tools/cross_compile.py compiles this for
 * other systems and processors, runs it where an emulator exists, and compares the hashes. Prints a line for each
 * property, and ends with 1 if one does not hold.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "barrier.h" /* before operands.h, whose INT8 is a type of Windows */
#include "cpu_features.h"
#include "denormals.h"
#include "fork_join.h"

#include "tail_columns.h"
#include "tiles.h"

enum { THREADS = 3, ROUNDS = 300, MAX_ROWS = 9, MAX_DEPTH = 601, COLUMNS = 53 };

static int failed = 0;

static void report(const char *property, int holds) {
    printf("%s: %s\n", property, holds ? "yes" : "NO");
    failed |= !holds;
}

/* ---------------------------------------------------------------------------------------------- threads */

#if defined(_WIN32)
typedef HANDLE thread;
#define THREAD_FUNCTION(name) static DWORD WINAPI name(LPVOID argument)
#define START(t, function, argument) ((t) = CreateThread(NULL, 0, function, argument, 0, NULL))
#define JOIN(t) (WaitForSingleObject(t, INFINITE), CloseHandle(t))
#else
#include <pthread.h>
typedef pthread_t thread;
#define THREAD_FUNCTION(name) static void *name(void *argument)
#define START(t, function, argument) pthread_create(&(t), NULL, function, argument)
#define JOIN(t) pthread_join(t, NULL)
#endif

static thread_barrier shared_barrier;
static fork_join shared_work;
static uint32_t counts[THREADS]; /* of rounds that each thread has begun */
static uint32_t out_of_step;

static void go_round(uint32_t *own) {
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        ATOMIC_STORE(own, round);
        barrier_wait(&shared_barrier);
        for (int i = 0; i < THREADS; i++)
            if (ATOMIC_LOAD(&counts[i]) != round)
                ATOMIC_ADD(&out_of_step, 1);
        barrier_wait(&shared_barrier);
    }
}

THREAD_FUNCTION(wait_at_barrier) {
    go_round(argument);
    return 0;
}

THREAD_FUNCTION(wait_for_work) {
    uint32_t seen = 0;
    for (finish_work(&shared_work); (seen = await_work(&shared_work, seen)) != NO_MORE_WORK; finish_work(&shared_work))
        ATOMIC_ADD((uint32_t *)argument, 1);
    return 0;
}

static int barrier_holds(int crowded) {
    thread others[THREADS];
    out_of_step = 0;
    barrier_init(&shared_barrier, THREADS, crowded);
    for (int i = 1; i < THREADS; i++) START(others[i], wait_at_barrier, &counts[i]);
    go_round(&counts[0]);
    for (int i = 1; i < THREADS; i++) JOIN(others[i]);
    return out_of_step == 0;
}

static int work_is_shared(void) {
    thread others[THREADS];
    int complete = 1;
    memset(counts, 0, sizeof counts);
    fork_init(&shared_work, THREADS - 1);
    for (int i = 1; i < THREADS; i++) START(others[i], wait_for_work, &counts[i]);
    join_work(&shared_work);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        fork_work(&shared_work);
        join_work(&shared_work);
        for (int i = 1; i < THREADS; i++) complete &= counts[i] == round;
    }
    end_fork(&shared_work);
    for (int i = 1; i < THREADS; i++) JOIN(others[i]);
    return complete;
}

/* ---------------------------------------------------------------------------------------------- products */

static uint32_t random_state = 1;

/* In [-1, 1), with bits enough that products of doubles are rounded. */
static double drawn(void) {
    const uint32_t first = random_state * 1664525u + 1013904223u;
    random_state = first * 1664525u + 1013904223u;
    return (first + (random_state >> 8) / 16777216.0) / 2147483648.0 - 1;
}

static uint64_t hash_of(uint64_t hash, const real *c, size_t n) {
    const unsigned char *byte = (const unsigned char *)c;
    for (size_t i = 0; i < n * sizeof(real); i++) hash = (hash ^ byte[i]) * 1099511628211u;
    return hash;
}

static real a[MAX_ROWS * MAX_DEPTH], w[MAX_DEPTH * COLUMNS], c[MAX_ROWS * COLUMNS], scales[COLUMNS];
static real room[MAX_ROWS * (MAX_DEPTH + 64)], packed[2 * (MAX_DEPTH + 8) * COLUMNS + 8 * 1024];

/* The largest difference from sums in double, relative to the sum of magnitudes. */
static double difference(ptrdiff_t rows, ptrdiff_t K) {
    double worst = 0;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < COLUMNS; j++) {
            double sum = 0, magnitude = 0;
            for (ptrdiff_t k = 0; k < K; k++) {
                const double term = (double)a[r * K + k] * (double)w[k * COLUMNS + j] * (double)scales[j];
                sum += term, magnitude += fabs(term);
            }
            const double found = fabs((double)c[r * COLUMNS + j] - sum) / magnitude;
            worst = found > worst ? found : worst;
        }
    return worst;
}

/* c = a @ w by panels of `vectors` vectors, or column by column if that is 0 */
static void multiply(ptrdiff_t rows, ptrdiff_t K, ptrdiff_t vectors) {
    const ptrdiff_t full = vectors ? vectors * LANES : 1, depth = elements_of(K);
    const operand_rows left = as_operand(rows, K, a, K, room);
    for (ptrdiff_t j = 0; j < COLUMNS; j += full) {
        const ptrdiff_t columns = COLUMNS - j < full ? COLUMNS - j : full, width = (columns + LANES - 1) / LANES * LANES;
        if (vectors) {
            pack_columns(K, columns, w + j, COLUMNS, width, packed + HEAD_ROWS * width);
            set_head(K, columns, width, scales + j, packed);
            multiply_panel(rows, K, left.first, left.stride, packed, columns, packed, c + j, COLUMNS, 0);
        } else {
            memset(packed, 0, (TAIL_HEAD + depth + LANES) * sizeof(real));
            for (ptrdiff_t k = 0; k < depth; k++)
                packed[TAIL_HEAD + k] =
                    packed_element(w + k * PER_ELEMENT * COLUMNS + j, COLUMNS, K - k * PER_ELEMENT);
            set_tail_head(K, scales + j, packed);
            multiply_tail(rows, K, left.first, left.stride, packed, 1, c + j, COLUMNS);
        }
    }
}

/* Products of many shapes: whether all are right, and a hash of their bits. */
static void try_products(const char *name, ptrdiff_t first_rows, ptrdiff_t last_rows, ptrdiff_t vectors) {
    static const ptrdiff_t depths[] = {1, 3, 4, 65, 600, 601};
    uint64_t hash = 14695981039346656037u;
    double worst = 0;
    random_state = 1;
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (ptrdiff_t rows = first_rows; rows <= last_rows; rows++) {
            const ptrdiff_t K = depths[d];
            for (ptrdiff_t i = 0; i < rows * K; i++) a[i] = (real)drawn();
            for (ptrdiff_t i = 0; i < K * COLUMNS; i++) w[i] = INT8 ? (real)(int)(127 * drawn()) : (real)drawn();
            for (ptrdiff_t j = 0; j < COLUMNS; j++) scales[j] = INT8 ? (real)(1 + drawn() / 2) : 1;
            memset(c, 0, sizeof c);
            multiply(rows, K, vectors);
            hash = hash_of(hash, c, rows * COLUMNS);
            if (K > 4) { /* fewer operands, rounded to 8 bits, are far off */
                const double found = difference(rows, K);
                worst = found > worst ? found : worst;
            }
        }
    printf("%s: %016llx\n", name, (unsigned long long)hash);
    report("  right", worst < (INT8 ? 0.02 : BFLOAT16 ? 0.01 : 1e-5));
}

/* ---------------------------------------------------------------------------------------------- */

int main(void) {
    volatile float tiny = 1e-38f, flushed, kept;
    const int level = instruction_set_level();
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("level: %d, products of bytes: %d\n", level < 3 ? level : 3, multiplies_bytes(level));
    report("barrier, spinning", barrier_holds(0));
    report("barrier, asleep", barrier_holds(1));
    report("fork and join", work_is_shared());
    const float_mode before = flush_denormals();
    flushed = tiny * 0.1f;
    restore_denormals(before);
    kept = tiny * 0.1f;
    report("denormals are flushed for a while", flushed == 0 && kept != 0);
    try_products("tiles", 2, MAX_ROWS, TILE_VECTORS);
    try_products("strips", 1, 1, STRIP_VECTORS);
    try_products("tail columns", 1, 2, 0);
    return failed;
}
