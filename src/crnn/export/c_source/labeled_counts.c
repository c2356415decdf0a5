enum { CRNN_MAX_ORDER = {order}, CRNN_MAX_SYMBOLS = {symbols} };

/* The log-probability of the next symbol, or of a document's end. */
static double crnn_counts_score(const crnn_counts *counts, const int32_t *contexts, int id) {
    double p[CRNN_MAX_SYMBOLS];
    crnn_counts_proba(counts, contexts, p);
    return crnn_log_of(p[id]);
}

/* The log-probability of a text. */
static double crnn_counts_score_text(crnn_rest rest, const crnn_symbols *symbols, const crnn_counts *counts) {
    int32_t contexts[CRNN_MAX_ORDER];
    double sum = 0;
    int id;
    crnn_counts_start(counts, contexts);
    while (crnn_next_id(&rest, symbols, &id)) {
        sum += crnn_counts_score(counts, contexts, id);
        crnn_counts_feed(counts, contexts, id);
    }
    return symbols->boundary < 0 ? sum : sum + crnn_counts_score(counts, contexts, symbols->boundary);
}
