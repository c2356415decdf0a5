/* --------------------------------------------------------------------------------------------------- program */

#ifndef CRNN_NO_MAIN
#include <stdio.h>
#include <stdlib.h>

static int crnn_fail(const char *message) {
    fprintf(stderr, "error: %s\n", message);
    return EXIT_FAILURE;
}

/* Write a sample of at most n symbols after the prime; return the number of symbols drawn. */
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

/* Write a text of n symbols or, in a model of documents, whole documents, one per line, until n symbols are written. */
static int crnn_write(const char *prime, uint64_t seed, double temperature, long n) {
    enum { LONGEST = 1000 }; /* maximum length of a document in symbols */
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
            return crnn_fail("PRIME contains a symbol unknown to the model, or is not valid UTF-8");
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
        n--; /* the end of a document counts as a symbol */
        putchar('\n');
    }
    return EXIT_SUCCESS;
}

/* The id of the symbol that starts with byte c of standard input, or -1 if the model does not know it. */
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

/* Write the nats per symbol of standard input or, in a model of documents, the log-probability of each line. */
static int crnn_score_input(void) {
    crnn_state state;
    double total = 0;
    long count = 0;
    int c;
    crnn_start(&state);
    while ((c = getchar()) != EOF) {
        int id;
        if ((CRNN_BOUNDARY >= 0 || !CRNN_BYTES) && c == '\r') { /* maybe the start of a Windows line ending */
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
            return crnn_fail("the text contains a symbol unknown to the model, or is not valid UTF-8");
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
    puts("usage: model [--length N] [--seed SEED] [--temperature T] [--prime TEXT]\n"
         "                               write N symbols (default: 200, seed 0)\n"
         "       model --score < FILE    write the nats per symbol of a text, or the log-probability of each line");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    long length = 200;
    uint64_t seed = 0;
    double temperature = 1;
    const char *prime = "";
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = argv[i + 1];
        char *end = NULL;
        if (strcmp(option, "--help") == 0)
            return crnn_usage();
        if (strcmp(option, "--score") == 0)
            return argc == 2 ? crnn_score_input() : crnn_fail("--score cannot be combined with other options");
        if (value == NULL)
            return crnn_fail("an option is unknown or lacks its value; see --help");
        i++;
        if (strcmp(option, "--length") == 0)
            length = strtol(value, &end, 10);
        else if (strcmp(option, "--seed") == 0)
            seed = strtoull(value, &end, 10);
        else if (strcmp(option, "--temperature") == 0)
            temperature = strtod(value, &end);
        else if (strcmp(option, "--prime") == 0)
            prime = value;
        else
            return crnn_fail("an option is unknown or lacks its value; see --help");
        if (end != NULL && (end == value || *end != '\0'))
            return crnn_fail("the value of an option is not a number; see --help");
    }
    if (length < 0 || !(temperature >= 0))
        return crnn_fail("--length and --temperature must not be negative");
    return crnn_write(prime, seed, temperature, length);
}
#endif /* CRNN_NO_MAIN */
