/* The log-probability of the next symbol, or of a document's end. */
static double crnn_net_score(const crnn_net_state *state, int id) {
    float y[CRNN_NET_SYMBOLS];
    double total = 0;
    crnn_net_logits(state, y);
    for (int i = 0; i < CRNN_NET_OUTPUTS; i++) total += crnn_exp(y[i]);
    return (double)y[id] - crnn_log(total);
}

/* The log-probability of a text with a label, whose symbol the network reads first. */
static double crnn_net_score_text(crnn_rest rest, const crnn_symbols *symbols, int label) {
    crnn_net_state state;
    double sum = 0;
    int id;
    memset(&state, 0, sizeof state);
    crnn_net_feed(&state, CRNN_NET_OUTPUTS + label);
    while (crnn_next_id(&rest, symbols, &id)) {
        sum += crnn_net_score(&state, id);
        crnn_net_feed(&state, id);
    }
    return symbols->boundary < 0 ? sum : sum + crnn_net_score(&state, symbols->boundary);
}
