/* ------------------------------------------------------------------------------------------------ characters */

/* A place in a text. To look ahead, copy the cursor. */
typedef struct crnn_cursor {
    const char *text;
    size_t size, at;
    uint32_t before[CRNN_RULES + 1]; /* the last character that each rule of the mask has read; 0 at the start */
} crnn_cursor;

typedef struct crnn_character {
    uint32_t code;
    size_t place; /* in the text, in bytes */
} crnn_character;

/* Read the next character; return 0 at the end. A byte that is not part of UTF-8 is U+FFFD. */
static int crnn_read_character(crnn_cursor *cursor, crnn_character *out) {
    size_t read;
    if (cursor->at >= cursor->size)
        return 0;
    out->place = cursor->at;
    read = crnn_read_code(cursor->text + cursor->at, cursor->size - cursor->at, &out->code);
    if (read == 0) {
        out->code = 0xFFFD;
        read = 1;
    }
    cursor->at += read;
    return 1;
}
