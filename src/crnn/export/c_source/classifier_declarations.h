/* ------------------------------------------------------------------------------------------------------------------
 * These declarations are the same for every classifier; the definitions follow.
 *
 *   cc -O3 -march=native model.c -o model          a program; ./model --help
 *   cc -O3 -march=native -DCRNN_NO_MAIN -c model.c    a library
 *
 * A program that uses the library includes this file with CRNN_HEADER defined, which excludes the definitions.
 * The functions allocate no memory and share no state.
 * ------------------------------------------------------------------------------------------------------------------ */

#include <stddef.h>
#include <stdint.h>

/* Write the probability of each label of a text, and return the number of the most probable one; -1 if the text is not
 * valid UTF-8. A symbol unknown to a model without an unknown symbol is skipped. */
int crnn_classify(const char *text, size_t size, double out[CRNN_LABELS]);

/* The label with a number from 0 to CRNN_LABELS - 1, as UTF-8. */
const char *crnn_label(int number);
