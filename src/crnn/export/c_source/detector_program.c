/* --------------------------------------------------------------------------------------------------- program */

#ifndef CRNN_NO_MAIN
#include <stdio.h>
#include <stdlib.h>

#ifndef CRNN_MAX_LINE
#define CRNN_MAX_LINE 65536 /* bytes */
#endif

/* Write the score of each line of standard input, whether it is an anomaly, and the place of its least probable
 * character in bytes. */
int main(int argc, char **argv) {
    static char line[CRNN_MAX_LINE];
    int c = 0;
    if (argc > 1) {
        const int is_help = strcmp(argv[1], "--help") == 0;
        fprintf(is_help ? stdout : stderr, "usage: model < FILE    write the score, verdict and place of each line\n");
        return is_help ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    while (c != EOF) {
        crnn_verdict verdict;
        size_t size = 0;
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
        verdict = crnn_detect(line, size);
        printf("%.6f\t%s\t%lu\n", verdict.score, verdict.is_anomaly ? "anomaly" : "normal", (unsigned long)verdict.place);
    }
    return EXIT_SUCCESS;
}
#endif /* CRNN_NO_MAIN */
