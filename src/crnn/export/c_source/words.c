/* -------------------------------------------------------------------------------------------------- the words */

/* Counts of the next symbol after the letters of a word so far, then also after the word before, and two words before.
 * A context is the hash of these letters, for which all cases of a letter are one symbol. Context c keeps the symbols
 * of the entries first[c] to first[c + 1] - 1. */
enum { CRNN_LATEST = 48, CRNN_WORD_LEVELS = 3 };

typedef struct crnn_words {
    int boundary;
    const uint8_t *kinds;          /* of each symbol: 1 for a letter, plus 2 if it has other cases */
    const crnn_short_id *folds;    /* the symbol that stands for all cases of each */
    const double *base;            /* the probability of each such symbol in an unknown context */
    const uint32_t *levels;        /* the first context of each level, and the end */
    const uint32_t *keys;          /* of each context, sorted within a level */
    const uint32_t *first;         /* of each context, and the end */
    const uint8_t *escapes;        /* of each context: the number of the share of the symbols that it does not keep */
    const crnn_short_id *kept;     /* the symbol of each entry */
    const uint8_t *shares;         /* the number of the share of each entry */
} crnn_words;

/* What the number of a share stands for. */
{shares}
static uint64_t crnn_word_hash(uint64_t hash, uint64_t value) {
    hash ^= value + 0x9E3779B97F4A7C15u;
    hash *= 0xFF51AFD7ED558CCDu;
    return hash ^ hash >> 32;
}

/* Read a symbol: `latest` are the number of the latest symbols since the last boundary, and these symbols. */
static void crnn_words_feed(const crnn_words *words, int32_t *latest, int id) {
    if (id == words->boundary) {
        latest[0] = 0;
        return;
    }
    if (latest[0] < CRNN_LATEST)
        latest[0]++;
    else
        memmove(latest + 1, latest + 2, (CRNN_LATEST - 1) * sizeof *latest);
    latest[latest[0]] = id;
}

/* Add the latest symbols of one kind, the last one first, to a hash; return how many symbols are left. */
static int crnn_hash_run(const crnn_words *words, const int32_t *latest, int n, int kind, uint64_t *hash) {
    for (; n > 0 && (words->kinds[latest[n]] & 1) == kind; n--) *hash = crnn_word_hash(*hash, words->folds[latest[n]]);
    return n;
}

/* The keys of the contexts after the latest symbols. */
static void crnn_word_keys(const crnn_words *words, const int32_t *latest, uint32_t keys[CRNN_WORD_LEVELS]) {
    int n = latest[0];
    const int is_between = n > 0 && !(words->kinds[latest[n]] & 1);
    uint64_t hash = is_between, ignored = 0;
    n = crnn_hash_run(words, latest, n, !is_between, &hash);
    keys[0] = (uint32_t)(hash >> 32);
    for (int level = 1; level < CRNN_WORD_LEVELS; level++) {
        hash = crnn_word_hash(hash, (uint64_t)1 << 32); /* the end of a word */
        n = crnn_hash_run(words, latest, n, 0, &ignored);
        n = crnn_hash_run(words, latest, n, 1, &hash);
        keys[level] = (uint32_t)(hash >> 32);
    }
}

/* The probability of each symbol; the probabilities `others` of the counts of characters tell a letter's cases apart. */
static void crnn_words_proba(const crnn_words *words, const int32_t *latest, const double *others, double *out) {
    double p[CRNN_SYMBOLS], sums[CRNN_SYMBOLS], factor = 1;
    uint32_t keys[CRNN_WORD_LEVELS];
    crnn_word_keys(words, latest, keys);
    for (int i = 0; i < CRNN_SYMBOLS; i++) p[i] = sums[i] = 0;
    for (int level = CRNN_WORD_LEVELS - 1; level >= 0; level--) {
        const uint32_t start = words->levels[level];
        const int found = crnn_find(words->keys + start, (int)(words->levels[level + 1] - start), keys[level]);
        const uint32_t context = start + (uint32_t)found;
        if (found < 0)
            continue;
        for (uint32_t e = words->first[context]; e < words->first[context + 1]; e++)
            p[words->kept[e]] += factor * crnn_word_shares[words->shares[e]];
        factor *= crnn_word_shares[words->escapes[context]];
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) {
        p[i] += factor * words->base[i];
        sums[words->folds[i]] += others[i];
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) {
        const int fold = words->folds[i];
        const double sum = sums[fold] > 1e-300 ? sums[fold] : 1e-300;
        out[i] = words->kinds[i] & 2 ? p[fold] * (others[i] / sum) : p[i];
    }
}
