/* ------------------------------------------------------------------------------------------------- the mixture */

typedef double crnn_logit;

/* The weight of each model, a row for 0, 1, ... letters since the start of a word, the last for as many or more. */
static const double crnn_weights[{classes}][{members}] = {
{weights}};

/* The ids of letters: the first of each range, and one more than the last. */
static const int crnn_letters[{ranges}][2] = {{letters}};

static int crnn_is_letter(int id) {
    for (int i = 0; i < {ranges}; i++)
        if (id >= crnn_letters[i][0] && id < crnn_letters[i][1])
            return 1;
    return 0;
}

void crnn_start(crnn_state *state) {
    memset(state, 0, sizeof *state);
{starts}}

void crnn_feed(crnn_state *state, int id) {
{feeds}    state->letters = !crnn_is_letter(id) ? 0 : state->letters < {classes} - 1 ? state->letters + 1 : state->letters;
}

#if {of networks}
static void crnn_add(double weight, const float part[CRNN_SYMBOLS], crnn_logit y[CRNN_SYMBOLS]) {
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] += weight * (double)part[i];
}
#endif

#if {of counts}
static void crnn_add_logs(double weight, const double p[CRNN_SYMBOLS], crnn_logit y[CRNN_SYMBOLS]) {
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] += weight * crnn_log_of(p[i]);
}
#endif

/* The weighted sum of the models' logits, minus its maximum. */
static void crnn_logits(const crnn_state *state, crnn_logit y[CRNN_SYMBOLS]) {
    const double *weights = crnn_weights[state->letters];
    double largest;
{part}{p}    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] = 0;
{sums}    largest = y[0];
    for (int i = 1; i < CRNN_SYMBOLS; i++) largest = y[i] > largest ? y[i] : largest;
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] -= largest;
}
