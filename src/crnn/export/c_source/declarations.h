/* ------------------------------------------------------------------------------------------------------------------
 * These declarations are the same for every model; the definitions follow.
 *
 *   cc -O3 -march=native model.c -o model          a program; ./model --help
 *   cc -O3 -march=native -DCRNN_NO_MAIN -c model.c    a library
 *
 * A program that uses the library includes this file with CRNN_HEADER defined, which excludes the definitions:
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
 * The functions allocate no memory and share no state: each thread can have its own crnn_state.
 * ------------------------------------------------------------------------------------------------------------------ */

#include <stddef.h>
#include <stdint.h>

{state}
/* A stream of random numbers: NumPy's PCG64. */
typedef struct crnn_wide {
    uint64_t high, low;
} crnn_wide;

typedef struct crnn_random {
    crnn_wide state, increment;
} crnn_random;

/* Start a text or, in a model of documents, a document: with the state after the boundary. */
void crnn_start(crnn_state *state);

/* Read the symbol with this id, 0 to CRNN_SYMBOLS - 1. The boundary starts a new document. */
void crnn_feed(crnn_state *state, int id);

/* The natural logarithm of each symbol's probability of coming next. */
void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]);

/* Each symbol's probability of coming next. */
void crnn_next_proba(const crnn_state *state, double out[CRNN_SYMBOLS]);

/* The symbol drawn by a uniform number in [0, 1), without reading it. Temperature 0 selects the most probable symbol.
 * The unknown symbol is never drawn. In a model of documents, CRNN_BOUNDARY is the end of the document. */
int crnn_sample(const crnn_state *state, double temperature, double uniform);

/* The log-probability of a text in nats, including the end of a document. The text is UTF-8, or bytes in a model of
 * bytes. Returns 1 if the text contains a symbol unknown to the model, or is not valid UTF-8. */
double crnn_score(const char *text, size_t size);

/* Write the most probable symbol again and again after a text, up to the end of a document or of the `room` bytes.
 * Returns the number of bytes written; 0 also if the text contains an unknown symbol, or is not valid UTF-8. */
size_t crnn_complete(const char *text, size_t size, char *out, size_t room);

/* log10 of about how many guesses find a text if the most probable ones are tried first, as estimated from samples;
 * -1 if the text contains a symbol unknown to the model. Only in files written with n_guess_samples. */
double crnn_guess_number(const char *text, size_t size);

/* Start the stream of sample number `sample` of the seed (Python's `random_state`; a single sample has number 0). */
void crnn_seed(crnn_random *random, uint64_t seed, uint64_t sample);

/* The next number in [0, 1). */
double crnn_uniform(crnn_random *random);

/* The id of a code point or byte; for others the unknown symbol's id, or -1 without an unknown symbol. */
int crnn_id(uint32_t code);

/* Write a symbol as UTF-8, or as a byte; return the number of bytes, 0 for the boundary. */
size_t crnn_symbol(int id, char out[4]);

/* Read the first symbol of a text of `size` bytes; return its number of bytes, or 0 if the text is empty or not valid
 * UTF-8. The id is as in crnn_id. */
size_t crnn_read(const char *text, size_t size, int *id);
