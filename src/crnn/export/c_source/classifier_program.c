/* ----------------------------------------------------------------------------------------------- the classifier */

int crnn_classify(const char *text, size_t size, double out[CRNN_LABELS]) {
    double total = 0;
    int best = 0;
    for (size_t at = 0; at < size;) {
        uint32_t code;
        const size_t read = crnn_read_code(text + at, size - at, &code);
        if (read == 0)
            return -1;
        at += read;
    }
    for (int k = 0; k < CRNN_LABELS; k++) {
        out[k] = crnn_log_score(text, size, k);
        best = out[k] > out[best] ? k : best;
    }
    for (int k = 0; k < CRNN_LABELS; k++)
        if (k != best)
            out[k] = crnn_exp((float)(out[k] - out[best]));
    out[best] = 1;
    for (int k = 0; k < CRNN_LABELS; k++) total += out[k];
    for (int k = 0; k < CRNN_LABELS; k++) out[k] /= total;
    return best;
}

const char *crnn_label(int number) {
    return crnn_labels[number];
}

#ifndef CRNN_NO_MAIN
#include <stdio.h>
#include <stdlib.h>

#ifndef CRNN_MAX_LINE
#define CRNN_MAX_LINE 65536 /* bytes */
#endif

/* Write the most probable label of each line of standard input, and its probability. */
int main(int argc, char **argv) {
    static char line[CRNN_MAX_LINE];
    int c = 0;
    if (argc > 1) {
        const int is_help = strcmp(argv[1], "--help") == 0;
        fprintf(is_help ? stdout : stderr, "usage: model < FILE    write the label of each line and its probability\n");
        return is_help ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    while (c != EOF) {
        double p[CRNN_LABELS];
        size_t size = 0;
        int label;
        while ((c = getchar()) != EOF && c != '\n') {
            if (size == CRNN_MAX_LINE) {
                fprintf(stderr, "error: a line is too long; compile with a larger -DCRNN_MAX_LINE=%d\n", CRNN_MAX_LINE);
                return EXIT_FAILURE;
            }
            line[size++] = (char)(unsigned char)c;
        }
        if (c == EOF && size == 0)
            break;
        if (size > 0 && line[size - 1] == '\r')
            size--;
        label = crnn_classify(line, size, p);
        if (label < 0) {
            fprintf(stderr, "error: a line is not valid UTF-8\n");
            return EXIT_FAILURE;
        }
        printf("%s\t%.6f\n", crnn_label(label), p[label]);
    }
    return EXIT_SUCCESS;
}
#endif /* CRNN_NO_MAIN */
