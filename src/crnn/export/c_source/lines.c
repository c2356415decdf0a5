/* -------------------------------------------------------------------------------------- lines of standard input */

#ifndef CRNN_NO_MAIN
#include <stdio.h>
#include <stdlib.h>

#ifndef CRNN_MAX_LINE
#define CRNN_MAX_LINE 65536 /* bytes */
#endif

/* Read a line without its end and return its size in bytes, or -1 at the end of the input. A line that is too long ends
 * the program. */
static long crnn_read_line(char *line) {
    long size = 0;
    int c;
    while ((c = getchar()) != EOF && c != '\n') {
        if (size == CRNN_MAX_LINE) {
            fprintf(stderr, "error: a line is too long; compile with a larger -DCRNN_MAX_LINE=%d\n", CRNN_MAX_LINE);
            exit(EXIT_FAILURE);
        }
        line[size++] = (char)(unsigned char)c;
    }
    if (c == EOF && size == 0)
        return -1;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    return size;
}
#endif /* CRNN_NO_MAIN */

