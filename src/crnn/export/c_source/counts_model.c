/* ------------------------------------------------------------------------------------------------ probabilities */

void crnn_start(crnn_state *state) {
    crnn_counts_start(&crnn_counts_1, state->contexts);
}

void crnn_feed(crnn_state *state, int id) {
    crnn_counts_feed(&crnn_counts_1, state->contexts, id);
}

void crnn_next_proba(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    crnn_counts_proba(&crnn_counts_1, state->contexts, out);
}

void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    crnn_next_proba(state, out);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = crnn_log_of(out[i]);
}

/* Read a symbol; return its log-probability. */
static double crnn_score_next(crnn_state *state, int id) {
    double p[CRNN_SYMBOLS];
    crnn_next_proba(state, p);
    crnn_feed(state, id);
    return crnn_log_of(p[id]);
}

int crnn_sample(const crnn_state *state, double temperature, double uniform) {
    double p[CRNN_SYMBOLS], total = 0, sum = 0, largest;
    int last = 0, best = CRNN_UNKNOWN == 0 ? 1 : 0;
    crnn_next_proba(state, p);
    for (int i = best + 1; i < CRNN_SYMBOLS; i++) best = p[i] > p[best] && i != CRNN_UNKNOWN ? i : best;
    if (temperature == 0)
        return best;
    largest = crnn_log(p[best]);
    if (temperature != 1)
        for (int i = 0; i < CRNN_SYMBOLS; i++)
            p[i] = p[i] > 1e-300 ? crnn_exp((float)((crnn_log(p[i]) - largest) / temperature)) : 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += i == CRNN_UNKNOWN ? 0 : p[i];
    for (int i = 0; i < CRNN_SYMBOLS; i++) {
        if (i == CRNN_UNKNOWN)
            continue;
        sum += p[i];
        if (uniform * total < sum)
            return i;
        last = p[i] > 0 ? i : last;
    }
    return last; /* rounding left the number past the last interval */
}
