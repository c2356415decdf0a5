/* ------------------------------------------------------------------------------------------------- the counts */

/* Context c keeps the symbols of the entries first[c] to first[c + 1] - 1, sorted. An entry e of a shorter n-gram with
 * bit e of extended forms a context, numbered in the order of the entries from 1; context 0 is empty, and keeps all
 * symbols. The kept symbols of a context divide 1 / (1 + odds) by their shares; the others share the rest in
 * proportion to their probabilities after a shorter context. A stored number stands for the product of a high and a
 * low part. crnn's docs/design.md describes the layout under "Frozen counts". */
typedef struct crnn_counts {
    int order, symbols, boundary;
    uint32_t shorter;              /* entries of n-grams below the order */
    const uint32_t *first;         /* of each context, and the end */
    const crnn_short_id *kept;     /* the symbol of each entry */
    const uint8_t *extended;       /* a bit for each entry below the order */
    const uint32_t *rank;          /* the number of bits set before each 64 entries */
    const crnn_stored *odds;       /* of each context */
    const crnn_stored *shares;     /* of each entry */
    const double *odds_high, *odds_low, *share_high, *share_low;
} crnn_counts;

static double crnn_value(crnn_stored number, const double *high, const double *low) {
    return high[number >> CRNN_LOW_BITS] * low[number & ((1 << CRNN_LOW_BITS) - 1)];
}

/* The number of contexts formed by the entries before this one. */
static int32_t crnn_formed(const crnn_counts *counts, uint32_t entry) {
    int32_t count = (int32_t)counts->rank[entry >> 6];
    for (uint32_t i = entry >> 6 << 3; i <= entry >> 3; i++) {
        unsigned bits = counts->extended[i];
        if (i == entry >> 3)
            bits &= (1u << (entry & 7)) - 1;
        for (; bits != 0; bits &= bits - 1) count++;
    }
    return count;
}

/* The context formed by a context and a symbol, or -1. */
static int32_t crnn_child(const crnn_counts *counts, int32_t context, int id) {
    const uint32_t limit = counts->first[context + 1];
    uint32_t first = counts->first[context], end = limit;
    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        if (counts->kept[middle] < (unsigned)id)
            first = middle + 1;
        else
            end = middle;
    }
    if (first >= limit || counts->kept[first] != (unsigned)id || first >= counts->shorter)
        return -1;
    return counts->extended[first >> 3] >> (first & 7) & 1 ? 1 + crnn_formed(counts, first) : -1;
}

/* Read a symbol: `contexts` stand for the last 0, 1, ... symbols; -1 if there is none. */
static void crnn_counts_feed(const crnn_counts *counts, int32_t *contexts, int id) {
    for (int k = counts->order - 1; k > 0; k--)
        contexts[k] = contexts[k - 1] < 0 ? -1 : crnn_child(counts, contexts[k - 1], id);
}

static void crnn_counts_start(const crnn_counts *counts, int32_t *contexts) {
    contexts[0] = 0;
    for (int k = 1; k < counts->order; k++) contexts[k] = -1;
    if (counts->boundary >= 0)
        crnn_counts_feed(counts, contexts, counts->boundary);
}

/* Replace the probabilities after a shorter context by those after a context. */
static void crnn_refine(const crnn_counts *counts, int32_t context, double *p) {
    const uint32_t first = counts->first[context], end = counts->first[context + 1];
    const int V = counts->symbols;
    const double odds =
        end - first < (uint32_t)V ? crnn_value(counts->odds[context], counts->odds_high, counts->odds_low) : 0;
    const double kept = 1 / (1 + odds);
    double total = 0, rest = 0, factor;
    for (uint32_t e = first; e < end; e++) { /* negative for the time being */
        const double share = crnn_value(counts->shares[e], counts->share_high, counts->share_low);
        total += share;
        p[counts->kept[e]] = -share;
    }
    for (int i = 0; i < V; i++) rest += p[i] > 0 ? p[i] : 0;
    factor = rest > 0 ? odds * kept / rest : 0;
    for (int i = 0; i < V; i++) p[i] = p[i] > 0 ? p[i] * factor : -p[i] * kept / total;
}

/* The probability of each symbol. */
static void crnn_counts_proba(const crnn_counts *counts, const int32_t *contexts, double *p) {
    for (int i = 0; i < counts->symbols; i++) p[i] = 0;
    for (int k = 0; k < counts->order; k++)
        if (contexts[k] >= 0)
            crnn_refine(counts, contexts[k], p);
}

/* The logarithm of a probability, which may be rounded to 0. */
static double crnn_log_of(double p) {
    return crnn_log(p > 1e-300 ? p : 1e-300);
}
