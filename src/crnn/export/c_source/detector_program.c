/* --------------------------------------------------------------------------------------------------- program */

#ifndef CRNN_NO_MAIN
/* Write the score of each line of standard input, whether it is an anomaly, and the place of its least probable
 * character in bytes. */
int main(int argc, char **argv) {
    static char line[CRNN_MAX_LINE];
    long size;
    if (argc > 1) {
        const int is_help = strcmp(argv[1], "--help") == 0;
        fprintf(is_help ? stdout : stderr, "usage: model < FILE    write the score, verdict and place of each line\n");
        return is_help ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    while ((size = crnn_read_line(line)) >= 0) {
        const crnn_verdict verdict = crnn_detect(line, (size_t)size);
        printf("%.6f\t%s\t%lu\n", verdict.score, verdict.is_anomaly ? "anomaly" : "normal", (unsigned long)verdict.place);
    }
    return EXIT_SUCCESS;
}
#endif /* CRNN_NO_MAIN */
