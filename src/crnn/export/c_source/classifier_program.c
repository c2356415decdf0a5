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
/* Write the most probable label of each line of standard input, and its probability. */
int main(int argc, char **argv) {
    static char line[CRNN_MAX_LINE];
    long size;
    if (argc > 1) {
        const int is_help = strcmp(argv[1], "--help") == 0;
        fprintf(is_help ? stdout : stderr, "usage: model < FILE    write the label of each line and its probability\n");
        return is_help ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    while ((size = crnn_read_line(line)) >= 0) {
        double p[CRNN_LABELS];
        const int label = crnn_classify(line, (size_t)size, p);
        if (label < 0) {
            fprintf(stderr, "error: a line is not valid UTF-8\n");
            return EXIT_FAILURE;
        }
        printf("%s\t%.6f\n", crnn_label(label), p[label]);
    }
    return EXIT_SUCCESS;
}
#endif /* CRNN_NO_MAIN */
