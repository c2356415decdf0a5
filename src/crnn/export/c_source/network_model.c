/* ------------------------------------------------------------------------------------------------- the model */

typedef float crnn_logit;

void crnn_feed(crnn_state *state, int id) {
    crnn_net_feed(state, id);
}

void crnn_start(crnn_state *state) {
    memset(state, 0, sizeof *state);
    if (CRNN_BOUNDARY >= 0)
        crnn_feed(state, CRNN_BOUNDARY);
}

static void crnn_logits(const crnn_state *state, crnn_logit y[CRNN_SYMBOLS]) {
    crnn_net_logits(state, y);
}

