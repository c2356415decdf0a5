/* ---------------------------------------------------------------------------------------------------- texts */

/* The symbols of a model: code points or bytes in id order, and the ids of other symbols, or -1. */
typedef struct crnn_symbols {
    const uint32_t *codes;
    int count, unknown, boundary;
} crnn_symbols;

/* What is left of a valid text, which is read from its start or from its end. */
typedef struct crnn_rest {
    const char *text;
    size_t size;
    int is_backward;
} crnn_rest;

/* Read the next symbol that a model knows; return 0 at the end. */
static int crnn_next_id(crnn_rest *rest, const crnn_symbols *symbols, int *id) {
    while (rest->size > 0) {
        size_t at = 0, read;
        uint32_t code = 0;
        if (rest->is_backward) {
            at = rest->size - 1;
            while (!CRNN_BYTES && at > 0 && ((unsigned char)rest->text[at] & 0xC0) == 0x80) at--;
        }
        read = crnn_read_code(rest->text + at, rest->size - at, &code);
        rest->text += rest->is_backward ? 0 : read;
        rest->size = rest->is_backward ? at : rest->size - read;
        *id = crnn_find(symbols->codes, symbols->count, code);
        if (*id < 0)
            *id = symbols->unknown;
        if (*id >= 0)
            return 1;
    }
    return 0;
}
