/* --------------------------------------------------------------------------------------------------- symbols */

int crnn_id(uint32_t code) {
    const int id = crnn_find(crnn_codes, CRNN_CHARACTERS, code);
    return id < 0 ? CRNN_UNKNOWN : id;
}

size_t crnn_symbol(int id, char out[4]) {
    const uint32_t unknown = CRNN_BYTES ? 0x3F : 0xFFFD; /* a question mark, the replacement character */
    const uint32_t code = id == CRNN_UNKNOWN ? unknown : (uint32_t)crnn_codes[id < CRNN_CHARACTERS ? id : 0];
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
    uint32_t code;
    const size_t read = crnn_read_code(text, size, &code);
    if (read > 0)
        *id = crnn_id(code);
    return read;
}
