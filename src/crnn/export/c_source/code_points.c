/* Read the first code point or byte of a text; return its number of bytes, or 0. */
static size_t crnn_read_code(const char *text, size_t size, uint32_t *out) {
    const uint32_t least[4] = {0, 0x80, 0x800, 0x10000}; /* longer encodings of smaller code points are invalid */
    const unsigned first = size > 0 ? (unsigned char)text[0] : 0;
    const size_t more = CRNN_BYTES || first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t code = more ? first & (0x3Fu >> more) : first;
    if (size < more + 1 || (!CRNN_BYTES && ((first >= 0x80 && first < 0xC2) || first > 0xF4)))
        return 0;
    for (size_t i = 1; i <= more; i++) {
        const unsigned byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (byte & 0x3F);
    }
    if (code < least[more] || code > 0x10FFFF)
        return 0;
    *out = code;
    return more + 1;
}
