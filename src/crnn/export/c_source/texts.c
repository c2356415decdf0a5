/* -------------------------------------------------------------------------------------------------- texts */

double crnn_score(const char *text, size_t size) {
    crnn_state state;
    double total = 0;
    crnn_start(&state);
    while (size > 0) {
        int id;
        const size_t read = crnn_read(text, size, &id);
        if (read == 0 || id < 0)
            return 1;
        total += crnn_score_next(&state, id);
        text += read;
        size -= read;
    }
    return CRNN_BOUNDARY >= 0 ? total + crnn_score_next(&state, CRNN_BOUNDARY) : total;
}

size_t crnn_complete(const char *text, size_t size, char *out, size_t room) {
    crnn_state state;
    size_t written = 0;
    crnn_start(&state);
    while (size > 0) {
        int id;
        const size_t read = crnn_read(text, size, &id);
        if (read == 0 || id < 0)
            return 0;
        crnn_feed(&state, id);
        text += read;
        size -= read;
    }
    for (;;) {
        char bytes[4];
        const int id = crnn_sample(&state, 0, 0);
        const size_t more = crnn_symbol(id, bytes);
        if (id == CRNN_BOUNDARY || more > room - written)
            return written;
        memcpy(out + written, bytes, more);
        written += more;
        crnn_feed(&state, id);
    }
}
