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
#if CRNN_CELL == CRNN_LSTM
    float c[CRNN_LAYERS][CRNN_HIDDEN];
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

#ifndef CRNN_HEADER
/*@WEIGHTS@*/
/* --------------------------------------------------------------------------------------------- arithmetic */

#include <string.h>

/* y (columns,) += a (rows,) @ w (rows, columns), times the scale of each column if the weights are integers.
 * The matrix is stored CRNN_COLUMNS columns at a time, so that it is read from its first weight to its last, and so few
 * that a compiler can keep their sums in vector registers. */
static void crnn_multiply(int rows, int columns, const float *restrict a, const crnn_weight *restrict w,
                          const float *restrict scale, float *restrict y) {
    for (int start = 0; start < columns; start += CRNN_COLUMNS) {
        const int count = columns - start < CRNN_COLUMNS ? columns - start : CRNN_COLUMNS;
        const crnn_weight *restrict row = w + (size_t)rows * (size_t)start;
        float sum[CRNN_COLUMNS] = {0};
        if (!CRNN_INT8)
            for (int j = 0; j < count; j++) sum[j] = y[start + j];
        if (count == CRNN_COLUMNS) { /* a loop of known length becomes vector code */
            for (int k = 0; k < rows; k++, row += CRNN_COLUMNS)
                for (int j = 0; j < CRNN_COLUMNS; j++) sum[j] += a[k] * (float)row[j];
        } else {
            for (int k = 0; k < rows; k++, row += count)
                for (int j = 0; j < count; j++) sum[j] += a[k] * (float)row[j];
        }
        if (CRNN_INT8)
            for (int j = 0; j < count; j++) y[start + j] += scale[start + j] * sum[j];
        else
            for (int j = 0; j < count; j++) y[start + j] = sum[j];
    }
}

/* exp(x): 2**n (1 + r + r**2 q(r)) with |r| <= ln(2) / 2. Arithmetic alone, so that loops over it become vector code. */
static inline float crnn_exp(float x) {
    const float shift = 12582912.0f; /* adding it rounds to an integer and leaves that in the low bits */
    const float c = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float shifted = c * 1.44269502f + shift;
    const float n = shifted - shift;
    const float r = (c - n * 0.693145752f) - n * 1.42860677e-06f;
    float q = 0.00138211681f, power;
    uint32_t bits;
    q = q * r + 0.00836866535f;
    q = q * r + 0.0416682586f;
    q = q * r + 0.166665211f;
    q = q * r + 0.49999994f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23;
    memcpy(&power, &bits, sizeof power);
    return x < -87.0f ? 0.0f : power * (1.0f + (r + r * r * q));
}

static inline float crnn_tanh(float x) {
    const float a = x < 0.0f ? -x : x, z = a * a;
    const float large = 1.0f - 2.0f / (crnn_exp(2.0f * (a > 20.0f ? 20.0f : a)) + 1.0f);
    float small = -0.0062428494f, t;
    small = small * z + 0.021050714f;
    small = small * z + -0.0538475476f;
    small = small * z + 0.133325443f;
    small = small * z + -0.333333164f;
    t = a > 0.549306154f ? large : a + a * (z * small);
    return x < 0.0f ? -t : t;
}

#if CRNN_CELL != CRNN_RNN
static inline float crnn_sigmoid(float x) {
    return 1.0f / (1.0f + crnn_exp(-x));
}
#endif

/* ln(x) of a normal number: x = 2**n m, and ln(m) = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.18 */
static double crnn_log(double x) {
    uint64_t bits;
    double m, s, square, series = 0;
    int n;
    memcpy(&bits, &x, sizeof bits);
    n = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    s = (m - 1) / (m + 1);
    square = s * s;
    for (int i = 21; i > 1; i -= 2) series = (series + 1.0 / i) * square;
    return n * 0.6931471805599453 + 2 * s * (1 + series);
}

/* ------------------------------------------------------------------------------------------------ the network */

void crnn_start(crnn_state *state) {
    memset(state, 0, sizeof *state);
    if (CRNN_BOUNDARY >= 0)
        crnn_feed(state, CRNN_BOUNDARY);
}

/* The new state of a layer from z, the sums that its non-linearities are applied to. */
static void crnn_cell(crnn_state *state, int layer, const float *restrict z) {
    enum { H = CRNN_HIDDEN };
    float *restrict h = state->h[layer];
#if CRNN_CELL == CRNN_RNN
    for (int j = 0; j < H; j++) h[j] = crnn_tanh(z[j]);
#elif CRNN_CELL == CRNN_GRU /* z: n's input part, r, z, n's recurrent part */
    for (int j = 0; j < H; j++) {
        const float n = crnn_tanh(z[j] + crnn_sigmoid(z[H + j]) * z[3 * H + j]);
        h[j] = n + crnn_sigmoid(z[2 * H + j]) * (h[j] - n);
    }
#else /* z: i, f, g, o */
    float *restrict c = state->c[layer];
    for (int j = 0; j < H; j++) {
        c[j] = crnn_sigmoid(z[H + j]) * c[j] + crnn_sigmoid(z[j]) * crnn_tanh(z[2 * H + j]);
        h[j] = crnn_sigmoid(z[3 * H + j]) * crnn_tanh(c[j]);
    }
#endif
}

void crnn_feed(crnn_state *state, int id) {
    enum { H = CRNN_HIDDEN, COLUMNS = CRNN_GATES * H };
    if (id == CRNN_BOUNDARY)
        memset(state, 0, sizeof *state);
    for (int l = 0; l < CRNN_LAYERS; l++) {
        const crnn_layer *layer = &crnn_layers[l];
        float z[CRNN_SUMS * H];
        memcpy(z, layer->bias, sizeof z);
        if (l > 0) {
            crnn_multiply(H, COLUMNS, state->h[l - 1], layer->input, layer->input_scale, z);
        } else {
            const crnn_weight *row = layer->input + (size_t)id * COLUMNS;
            for (int j = 0; j < COLUMNS; j++)
                z[j] += CRNN_INT8 ? layer->input_scale[j] * (float)row[j] : (float)row[j];
        }
        /* A GRU's recurrent sums begin after n's input part. */
        crnn_multiply(H, COLUMNS, state->h[l], layer->recurrent, layer->recurrent_scale,
                      z + (CRNN_SUMS - CRNN_GATES) * H);
        crnn_cell(state, l, z);
    }
}

/* y = h Wy + by of the top layer, less the largest of them */
static void crnn_logits(const crnn_state *state, float y[CRNN_SYMBOLS]) {
    float largest;
    memcpy(y, crnn_output_bias, CRNN_SYMBOLS * sizeof *y);
    crnn_multiply(CRNN_HIDDEN, CRNN_SYMBOLS, state->h[CRNN_LAYERS - 1], crnn_output, crnn_output_scale, y);
    largest = y[0];
    for (int i = 1; i < CRNN_SYMBOLS; i++) largest = y[i] > largest ? y[i] : largest;
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] -= largest;
}

/* ------------------------------------------------------------------------------------------------ probabilities */

/* The logarithm of what the exponentials of y add up to. */
static double crnn_log_total(const float y[CRNN_SYMBOLS]) {
    double total = 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += crnn_exp(y[i]);
    return crnn_log(total);
}

void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    float y[CRNN_SYMBOLS];
    double log_total;
    crnn_logits(state, y);
    log_total = crnn_log_total(y);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = y[i] - log_total;
}

/* Read a symbol; return its log-probability. */
static double crnn_score_next(crnn_state *state, int id) {
    float y[CRNN_SYMBOLS];
    crnn_logits(state, y);
    crnn_feed(state, id);
    return y[id] - crnn_log_total(y);
}

double crnn_score(const char *text, size_t size) {
    crnn_state state;
    double total = 0;
    crnn_start(&state);
    while (size > 0) {
        int id;
        const size_t read = crnn_read(text, size, &id);
        if (read == 0 || id < 0)
            return 1;
        total += crnn_score_next(&state, id);
        text += read;
        size -= read;
    }
    return CRNN_BOUNDARY >= 0 ? total + crnn_score_next(&state, CRNN_BOUNDARY) : total;
}

int crnn_sample(const crnn_state *state, double temperature, double uniform) {
    float y[CRNN_SYMBOLS];
    double total = 0, sum = 0;
    int last = 0;
    crnn_logits(state, y);
    if (temperature == 0) {
        int best = CRNN_UNKNOWN == 0 ? 1 : 0;
        for (int i = best + 1; i < CRNN_SYMBOLS; i++) best = y[i] > y[best] && i != CRNN_UNKNOWN ? i : best;
        return best;
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] = crnn_exp(y[i] / (float)temperature);
    if (CRNN_UNKNOWN >= 0)
        y[CRNN_UNKNOWN < 0 ? 0 : CRNN_UNKNOWN] = 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += y[i];
    for (int i = 0; i < CRNN_SYMBOLS; i++) {
        sum += y[i];
        if (uniform * total < sum)
            return i;
        last = y[i] > 0 ? i : last;
    }
    return last; /* rounding left the number at the end */
}

/* ----------------------------------------------------------------------------------------------- random numbers */

/* a * b + plus, modulo 2**128 */
static crnn_wide crnn_multiplied(crnn_wide a, crnn_wide b, crnn_wide plus) {
    const uint64_t mask = 0xFFFFFFFFu, a0 = a.low & mask, a1 = a.low >> 32, b0 = b.low & mask, b1 = b.low >> 32;
    const uint64_t first = a0 * b0, middle = a1 * b0 + (first >> 32), other = a0 * b1 + (middle & mask);
    crnn_wide out;
    out.low = a.low * b.low + plus.low;
    out.high = a1 * b1 + (middle >> 32) + (other >> 32) + a.high * b.low + a.low * b.high + plus.high +
               (out.low < plus.low);
    return out;
}

static crnn_wide crnn_wide_of(uint64_t high, uint64_t low) {
    crnn_wide out;
    out.high = high;
    out.low = low;
    return out;
}

/* Advance a stream by sample * golden numbers: NumPy's `PCG64.jumped` as often. */
static void crnn_jump(crnn_random *random, uint64_t sample) {
    const crnn_wide zero = crnn_wide_of(0, 0), golden = crnn_wide_of(0x9E3779B97F4A7C15u, 0xF39CC0605CEDC835u);
    crnn_wide a = crnn_wide_of(0, 1), b = zero, one = a; /* the new state is a * state + b * increment */
    crnn_wide factor = crnn_wide_of(0x2360ED051FC65DA4u, 0x4385DF649FCCF645u), plus = one;
    crnn_wide steps = crnn_multiplied(golden, crnn_wide_of(0, sample), zero);
    while (steps.high != 0 || steps.low != 0) {
        crnn_wide above = factor;
        if (steps.low & 1) {
            a = crnn_multiplied(a, factor, zero);
            b = crnn_multiplied(b, factor, plus);
        }
        above.low += 1;
        above.high += above.low == 0;
        plus = crnn_multiplied(above, plus, zero);
        factor = crnn_multiplied(factor, factor, zero);
        steps.low = steps.low >> 1 | steps.high << 63;
        steps.high >>= 1;
    }
    random->state = crnn_multiplied(a, random->state, crnn_multiplied(b, random->increment, zero));
}

static void crnn_step(crnn_random *random) {
    const crnn_wide multiplier = crnn_wide_of(0x2360ED051FC65DA4u, 0x4385DF649FCCF645u);
    random->state = crnn_multiplied(random->state, multiplier, random->increment);
}

/* One step of the hash of NumPy's SeedSequence. */
static uint32_t crnn_hash(uint32_t value, uint32_t *constant, uint32_t multiplier) {
    value ^= *constant;
    *constant *= multiplier;
    value *= *constant;
    return value ^ value >> 16;
}

void crnn_seed(crnn_random *random, uint64_t seed, uint64_t sample) {
    uint32_t pool[4] = {(uint32_t)(seed & 0xFFFFFFFFu), (uint32_t)(seed >> 32), 0, 0};
    uint32_t constant = 0x43B0D7E5u;
    uint64_t words[4] = {0};
    for (int i = 0; i < 4; i++) pool[i] = crnn_hash(pool[i], &constant, 0x931E8875u);
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            if (from != to) {
                const uint32_t hash = crnn_hash(pool[from], &constant, 0x931E8875u);
                const uint32_t mixed = 0xCA01F9DDu * pool[to] - 0x4973F715u * hash;
                pool[to] = mixed ^ mixed >> 16;
            }
        }
    }
    constant = 0x8B51F9DDu;
    for (int i = 0; i < 8; i++)
        words[i / 2] |= (uint64_t)crnn_hash(pool[i % 4], &constant, 0x58F38DEDu) << (i % 2 ? 32 : 0);
    random->increment = crnn_wide_of(words[2] << 1 | words[3] >> 63, words[3] << 1 | 1);
    random->state = crnn_multiplied(random->increment, crnn_wide_of(0, 1), crnn_wide_of(words[0], words[1]));
    crnn_step(random);
    crnn_jump(random, sample);
}

double crnn_uniform(crnn_random *random) {
    uint64_t folded;
    int turn;
    crnn_step(random);
    folded = random->state.high ^ random->state.low;
    turn = (int)(random->state.high >> 58);
    folded = folded >> turn | folded << (-turn & 63);
    return (double)(folded >> 11) * (1.0 / 9007199254740992.0); /* 2**-53 */
}

/* --------------------------------------------------------------------------------------------------- symbols */

int crnn_id(uint32_t code) {
    int first = 0, last = CRNN_CHARACTERS;
    while (first < last) {
        const int middle = first + (last - first) / 2;
        if (crnn_codes[middle] < code)
            first = middle + 1;
        else
            last = middle;
    }
    return first < CRNN_CHARACTERS && crnn_codes[first] == code ? first : CRNN_UNKNOWN;
}

size_t crnn_symbol(int id, char out[4]) {
    const uint32_t unknown = CRNN_BYTES ? 0x3F : 0xFFFD; /* a question mark, the replacement character */
    const uint32_t code = id == CRNN_UNKNOWN ? unknown : crnn_codes[id < CRNN_CHARACTERS ? id : 0];
    const int more = CRNN_BYTES || code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    const unsigned lead[4] = {0, 0xC0, 0xE0, 0xF0};
    if (id == CRNN_BOUNDARY)
        return 0;
    for (int i = 0; i <= more; i++) {
        const unsigned bits = code >> 6 * (more - i);
        const unsigned byte = i == 0 ? lead[more] | bits : 0x80 | (bits & 0x3F);
        out[i] = (char)(unsigned char)byte;
    }
    return (size_t)more + 1;
}

size_t crnn_read(const char *text, size_t size, int *id) {
    const uint32_t least[4] = {0, 0x80, 0x800, 0x10000}; /* a shorter way to write a code point is not UTF-8 */
    const unsigned first = size > 0 ? (unsigned char)text[0] : 0;
    const size_t more = CRNN_BYTES || first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t code = more ? first & (0x3Fu >> more) : first;
    if (size < more + 1 || (!CRNN_BYTES && ((first >= 0x80 && first < 0xC2) || first > 0xF4)))
        return 0;
    for (size_t i = 1; i <= more; i++) {
        const unsigned byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (byte & 0x3F);
    }
    if (code < least[more] || code > 0x10FFFF)
        return 0;
    *id = crnn_id(code);
    return more + 1;
}

/* --------------------------------------------------------------------------------------------------- program */

#ifndef CRNN_NO_MAIN
#include <stdio.h>
#include <stdlib.h>

static int crnn_fail(const char *message) {
    fprintf(stderr, "error: %s\n", message);
    return EXIT_FAILURE;
}

/* Write a sample of at most n symbols after the prime; return how many were drawn. */
static long crnn_write_sample(const crnn_state *primed, crnn_random *random, double temperature, long n) {
    crnn_state state = *primed;
    for (long i = 0; i < n; i++) {
        char bytes[4];
        const int id = crnn_sample(&state, temperature, crnn_uniform(random));
        if (id == CRNN_BOUNDARY)
            return i;
        fwrite(bytes, 1, crnn_symbol(id, bytes), stdout);
        crnn_feed(&state, id);
    }
    return n;
}

/* A text of n symbols; of a model of documents whole documents, one a line, until n symbols are written. */
static int crnn_write(const char *prime, uint64_t seed, double temperature, long n) {
    enum { LONGEST = 1000 }; /* symbols of a document */
    const char *rest = prime;
    size_t size = strlen(prime);
    long primed = 0;
    crnn_state state;
    crnn_random random;
    crnn_start(&state);
    for (; size > 0; primed++) {
        int id;
        const size_t read = crnn_read(rest, size, &id);
        if (read == 0 || id < 0)
            return crnn_fail("the prime holds a symbol that the model does not have, or is not UTF-8");
        crnn_feed(&state, id);
        rest += read;
        size -= read;
    }
    if (CRNN_BOUNDARY < 0) {
        crnn_seed(&random, seed, 0);
        crnn_write_sample(&state, &random, temperature, n);
        if (!CRNN_BYTES)
            putchar('\n');
        return EXIT_SUCCESS;
    }
    for (uint64_t sample = 0; n > 0; sample++) {
        crnn_seed(&random, seed, sample);
        fputs(prime, stdout);
        n -= primed + crnn_write_sample(&state, &random, temperature, LONGEST > primed ? LONGEST - primed : 0);
        n--; /* the end of the document is a symbol, too */
        putchar('\n');
    }
    return EXIT_SUCCESS;
}

/* The id of the symbol that begins with byte c of standard input, -1 if the model does not have it. */
static int crnn_next(int c) {
    char bytes[4];
    int id = -1;
    size_t size = 0, read = 0;
    while (read == 0 && size < 4 && c != EOF) {
        bytes[size++] = (char)(unsigned char)c;
        read = crnn_read(bytes, size, &id);
        if (read == 0 && size < 4)
            c = getchar();
    }
    return read == 0 ? -1 : id;
}

/* Nats per symbol of standard input; of a model of documents the log-probability of each line. */
static int crnn_score_input(void) {
    crnn_state state;
    double total = 0;
    long count = 0;
    int c;
    crnn_start(&state);
    while ((c = getchar()) != EOF) {
        int id;
        if (CRNN_BOUNDARY >= 0 && c == '\r') { /* a line may end with it */
            const int after = getchar();
            ungetc(after, stdin);
            if (after == '\n')
                continue;
        }
        if (CRNN_BOUNDARY >= 0 && c == '\n') {
            printf("%.6f\n", total + crnn_score_next(&state, CRNN_BOUNDARY));
            total = 0;
            count = 0;
            continue;
        }
        id = crnn_next(c);
        if (id < 0)
            return crnn_fail("the text holds a symbol that the model does not have, or is not UTF-8");
        total += crnn_score_next(&state, id);
        count++;
    }
    if (CRNN_BOUNDARY >= 0 && count > 0)
        printf("%.6f\n", total + crnn_score_next(&state, CRNN_BOUNDARY));
    if (CRNN_BOUNDARY < 0 && count == 0)
        return crnn_fail("standard input is empty");
    if (CRNN_BOUNDARY < 0)
        printf("%.6f\n", -total / (double)count);
    return EXIT_SUCCESS;
}

static int crnn_usage(void) {
    puts("usage: model [-n N] [-s SEED] [-t TEMPERATURE] [-p PRIME]    write N symbols (default: 200, seed 0)\n"
         "       model --score < FILE    write the nats per symbol of a text, or of each line its log-probability");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    long n = 200;
    uint64_t seed = 0;
    double temperature = 1;
    const char *prime = "";
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = argv[i + 1];
        char *end = NULL;
        if (strcmp(option, "--help") == 0)
            return crnn_usage();
        if (strcmp(option, "--score") == 0)
            return argc == 2 ? crnn_score_input() : crnn_fail("--score takes no other option");
        if (option[0] != '-' || option[1] == '\0' || option[2] != '\0' || !strchr("nstp", option[1]) || value == NULL)
            return crnn_fail("an option is not known or has no value; see --help");
        i++;
        if (option[1] == 'n')
            n = strtol(value, &end, 10);
        else if (option[1] == 's')
            seed = strtoull(value, &end, 10);
        else if (option[1] == 't')
            temperature = strtod(value, &end);
        else
            prime = value;
        if (end != NULL && (end == value || *end != '\0'))
            return crnn_fail("the value of an option is not a number; see --help");
    }
    if (n < 0 || !(temperature >= 0))
        return crnn_fail("N and TEMPERATURE must not be negative");
    return crnn_write(prime, seed, temperature, n);
}
#endif /* CRNN_NO_MAIN */
#endif /* CRNN_HEADER */
