/* ------------------------------------------------------------------------------------------------------------------
 * What is declared here is the same for every model; the definitions follow below.
 *
 *   cc -O3 -march=native model.c -o model          a program; ./model --help
 *   cc -O3 -march=native -DCRNN_NO_MAIN -c model.c    a library
 *
 * A program that uses the library includes this file with CRNN_HEADER defined, which leaves the declarations:
 *
 *   #define CRNN_HEADER
 *   #include "model.c"
 *
 *   crnn_state state;
 *   crnn_random random;
 *   crnn_seed(&random, 0, 0);
 *   crnn_start(&state);
 *   for (int i = 0; i < 200; i++) {
 *       char bytes[4];
 *       int id = crnn_sample(&state, 1.0, crnn_uniform(&random));
 *       fwrite(bytes, 1, crnn_symbol(id, bytes), stdout);
 *       crnn_feed(&state, id);
 *   }
 *
 * Nothing is allocated and nothing is shared: each thread may have states of its own.
 * ------------------------------------------------------------------------------------------------------------------ */

#include <stddef.h>
#include <stdint.h>

/* Where the model stands in a text. A copy of it is a second text that begins with the same symbols. */
typedef struct crnn_state {
    float h[CRNN_LAYERS][CRNN_HIDDEN];
#if CRNN_CELL == CRNN_LSTM || CRNN_CELL == CRNN_CIFG
    float c[CRNN_LAYERS][CRNN_HIDDEN];
#endif
#if CRNN_PAIRS > 0
    int symbol; /* the id of the symbol that was read last, plus 1; 0: none was */
#endif
} crnn_state;

/* A stream of random numbers: NumPy's PCG64. */
typedef struct crnn_wide {
    uint64_t high, low;
} crnn_wide;

typedef struct crnn_random {
    crnn_wide state, increment;
} crnn_random;

/* Start a text: zeros, and in a model of documents what follows the boundary. */
void crnn_start(crnn_state *state);

/* Read the symbol with this id, 0 to CRNN_SYMBOLS - 1. The boundary starts a new document from zeros. */
void crnn_feed(crnn_state *state, int id);

/* The natural logarithm of each symbol's probability to come next. */
void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]);

/* The symbol that a uniform number in [0, 1) draws; it is not read. Temperature 0 takes the most probable symbol. The
 * unknown symbol is never drawn. In a model of documents CRNN_BOUNDARY is the end of the document. */
int crnn_sample(const crnn_state *state, double temperature, double uniform);

/* The log-probability of a text, in nats, from its first symbol on; of a document, its end included. The text is UTF-8,
 * or bytes in a model of bytes. 1 if it holds a symbol that the model does not have, or is not UTF-8. */
double crnn_score(const char *text, size_t size);

/* Start the stream of sample number `sample` of the seed: `random_state` in Python, where a single sample is number 0. */
void crnn_seed(crnn_random *random, uint64_t seed, uint64_t sample);

/* The next number in [0, 1). */
double crnn_uniform(crnn_random *random);

/* The id of a code point or byte; the unknown symbol's id for others; -1 where the model has none. */
int crnn_id(uint32_t code);

/* Write a symbol as UTF-8, or as a byte; return how many bytes it takes, 0 for the boundary. */
size_t crnn_symbol(int id, char out[4]);

/* Read the symbol that a text of `size` bytes begins with; return how many bytes it takes, 0 if these are not UTF-8 or
 * there are none. The id is as from crnn_id. */
size_t crnn_read(const char *text, size_t size, int *id);
