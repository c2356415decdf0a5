/* ------------------------------------------------------------------------------------------------ probabilities */

/* The logarithm of the sum of the exponentials of logits whose maximum is 0. */
static double crnn_log_total(const crnn_logit y[CRNN_SYMBOLS]) {
    double total = 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += crnn_exp((float)y[i]);
    return crnn_log(total);
}

void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    crnn_logit y[CRNN_SYMBOLS];
    double log_total;
    crnn_logits(state, y);
    log_total = crnn_log_total(y);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = y[i] - log_total;
}

void crnn_next_proba(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    crnn_logit y[CRNN_SYMBOLS];
    double total = 0;
    crnn_logits(state, y);
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += out[i] = crnn_exp((float)y[i]);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] /= total;
}

/* Read a symbol; return its log-probability. */
static double crnn_score_next(crnn_state *state, int id) {
    crnn_logit y[CRNN_SYMBOLS];
    crnn_logits(state, y);
    crnn_feed(state, id);
    return y[id] - crnn_log_total(y);
}

int crnn_sample(const crnn_state *state, double temperature, double uniform) {
    crnn_logit y[CRNN_SYMBOLS];
    double total = 0, sum = 0;
    int last = 0;
    crnn_logits(state, y);
    if (temperature == 0) {
        int best = CRNN_UNKNOWN == 0 ? 1 : 0;
        for (int i = best + 1; i < CRNN_SYMBOLS; i++) best = y[i] > y[best] && i != CRNN_UNKNOWN ? i : best;
        return best;
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] = crnn_exp((float)(y[i] / (crnn_logit)temperature));
    if (CRNN_UNKNOWN >= 0)
        y[CRNN_UNKNOWN < 0 ? 0 : CRNN_UNKNOWN] = 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += y[i];
    for (int i = 0; i < CRNN_SYMBOLS; i++) {
        sum += y[i];
        if (uniform * total < sum)
            return i;
        last = y[i] > 0 ? i : last;
    }
    return last; /* rounding left the number past the last interval */
}
