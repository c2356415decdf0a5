/* ------------------------------------------------------------------------------------------------- the counts */

/* Context c keeps the symbols of the entries crnn_first[c] to crnn_first[c + 1] - 1, sorted. An entry e of a shorter
 * n-gram with bit e of crnn_extended forms a context, numbered in the order of the entries from 1; context 0 is empty,
 * and keeps all symbols. The kept symbols of a context divide 1 / (1 + odds) by their shares; the others share the
 * rest in proportion to their probabilities after a shorter context. */

/* What a stored number stands for: the product of a high and a low part. */
static double crnn_value(unsigned number, const double high[256], const double low[256]) {
    return high[number >> 8] * low[number & 255];
}

/* The number of contexts formed by the entries before this one. */
static int32_t crnn_formed(uint32_t entry) {
    int32_t count = (int32_t)crnn_rank[entry >> 6];
    for (uint32_t i = entry >> 6 << 3; i <= entry >> 3; i++) {
        unsigned bits = crnn_extended[i];
        if (i == entry >> 3)
            bits &= (1u << (entry & 7)) - 1;
        for (; bits != 0; bits &= bits - 1) count++;
    }
    return count;
}

/* The context formed by a context and a symbol, or -1. */
static int32_t crnn_child(int32_t context, int id) {
    uint32_t first = crnn_first[context], end = crnn_first[context + 1];
    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        if (crnn_symbols[middle] < (unsigned)id)
            first = middle + 1;
        else
            end = middle;
    }
    if (first >= crnn_first[context + 1] || crnn_symbols[first] != (unsigned)id || first >= crnn_shorter)
        return -1;
    return crnn_extended[first >> 3] >> (first & 7) & 1 ? 1 + crnn_formed(first) : -1;
}

void crnn_start(crnn_state *state) {
    state->contexts[0] = 0;
    for (int k = 1; k < CRNN_ORDER; k++) state->contexts[k] = -1;
    if (CRNN_BOUNDARY >= 0)
        crnn_feed(state, CRNN_BOUNDARY);
}

void crnn_feed(crnn_state *state, int id) {
    for (int k = CRNN_ORDER - 1; k > 0; k--) {
        const int32_t shorter = state->contexts[k - 1];
        state->contexts[k] = shorter < 0 ? -1 : crnn_child(shorter, id);
    }
}

/* Replace the probabilities after a shorter context by those after a context. */
static void crnn_refine(int32_t context, double p[CRNN_SYMBOLS]) {
    const uint32_t first = crnn_first[context], end = crnn_first[context + 1];
    const double odds =
        end - first < CRNN_SYMBOLS ? crnn_value(crnn_escapes[context], crnn_odds_high, crnn_odds_low) : 0;
    const double kept = 1 / (1 + odds);
    double total = 0, rest = 0, factor;
    for (uint32_t e = first; e < end; e++) { /* negative for the time being */
        const double share = crnn_value(crnn_shares[e], crnn_share_high, crnn_share_low);
        total += share;
        p[crnn_symbols[e]] = -share;
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) rest += p[i] > 0 ? p[i] : 0;
    factor = rest > 0 ? odds * kept / rest : 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) p[i] = p[i] > 0 ? p[i] * factor : -p[i] * kept / total;
}

/* ------------------------------------------------------------------------------------------------ probabilities */

void crnn_next_proba(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = 0;
    for (int k = 0; k < CRNN_ORDER; k++)
        if (state->contexts[k] >= 0)
            crnn_refine(state->contexts[k], out);
}

void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    crnn_next_proba(state, out);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = crnn_log(out[i] > 1e-300 ? out[i] : 1e-300);
}

/* Read a symbol; return its log-probability. */
static double crnn_score_next(crnn_state *state, int id) {
    double p[CRNN_SYMBOLS];
    crnn_next_proba(state, p);
    crnn_feed(state, id);
    return crnn_log(p[id] > 1e-300 ? p[id] : 1e-300);
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
