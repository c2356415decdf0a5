/* ----------------------------------------------------------------------------------------------- products */

#if !CRNN_INT8 || CRNN_EMBEDDING > 0
/* y (columns,) += a (rows,) @ w (rows, columns), times each column's scale if the weights are integers.
 * The matrix is stored in panels of CRNN_COLUMNS columns, so that it is read sequentially, and a compiler can keep a
 * panel's sums in vector registers. */
static void crnn_multiply(int rows, int columns, const float *restrict a, const crnn_weight *restrict w,
                          const float *restrict scale, float *restrict y) {
    for (int start = 0; start < columns; start += CRNN_COLUMNS) {
        const int count = columns - start < CRNN_COLUMNS ? columns - start : CRNN_COLUMNS;
        const crnn_weight *restrict row = w + (size_t)rows * (size_t)start;
        float sum[CRNN_COLUMNS] = {0};
        if (!CRNN_INT8)
            for (int j = 0; j < count; j++) sum[j] = y[start + j];
        if (count == CRNN_COLUMNS) { /* a loop of known length is vectorized */
            for (int k = 0; k < rows; k++, row += CRNN_COLUMNS)
                for (int j = 0; j < CRNN_COLUMNS; j++) sum[j] += a[k] * (float)row[j];
        } else {
            for (int k = 0; k < rows; k++, row += count)
                for (int j = 0; j < count; j++) sum[j] += a[k] * (float)row[j];
        }
        if (CRNN_INT8)
            for (int j = 0; j < count; j++) y[start + j] += scale[start + j] * sum[j];
        else
            for (int j = 0; j < count; j++) y[start + j] = sum[j];
    }
}
#endif

/* y (columns,) += h (CRNN_HIDDEN,) @ w (CRNN_HIDDEN, columns), where h is a state, within -1 and 1.
 * Integer weights are stored column by column. They are multiplied by the integers nearest to 127 h, and their scales
 * are already divided by 127. The sums are exact, and equal to a quantized model's sums in Python. */
static void crnn_multiply_state(int columns, const float *restrict h, const crnn_weight *restrict w,
                                const float *restrict scale, float *restrict y) {
#if CRNN_INT8
    const float shift = 12582912.0f; /* adding it rounds to an integer */
    short level[CRNN_HIDDEN]; /* processors can multiply 16-bit numbers and add neighbors in one instruction */
    for (int k = 0; k < CRNN_HIDDEN; k++) {
        const float shifted = h[k] * 127.0f + shift;
        level[k] = (short)(shifted - shift);
    }
    for (int j = 0; j < columns; j++, w += CRNN_HIDDEN) {
        int32_t sum = 0;
        for (int k = 0; k < CRNN_HIDDEN; k++) sum += (int32_t)level[k] * (short)w[k];
        y[j] += scale[j] * (float)sum;
    }
#else
    crnn_multiply(CRNN_HIDDEN, columns, h, w, scale, y);
#endif
}

/* y (columns,) += a row of a table, times each column's scale if the weights are integers. */
static void crnn_add_row(int columns, const crnn_weight *restrict row, const float *restrict scale,
                         float *restrict y) {
    for (int j = 0; j < columns; j++) y[j] += CRNN_INT8 ? scale[j] * (float)row[j] : (float)row[j];
}

static inline float crnn_tanh(float x) {
    const float a = x < 0.0f ? -x : x, z = a * a;
    const float large = 1.0f - 2.0f / (crnn_exp(2.0f * (a > 20.0f ? 20.0f : a)) + 1.0f);
    float small = -0.0062428494f, t;
    small = small * z + 0.021050714f;
    small = small * z + -0.0538475476f;
    small = small * z + 0.133325443f;
    small = small * z + -0.333333164f;
    t = a > 0.549306154f ? large : a + a * (z * small);
    return x < 0.0f ? -t : t;
}

#if CRNN_CELL != CRNN_RNN
static inline float crnn_sigmoid(float x) {
    return 1.0f / (1.0f + crnn_exp(-x));
}
#endif

/* ------------------------------------------------------------------------------------------------ the network */

void crnn_start(crnn_state *state) {
    memset(state, 0, sizeof *state);
    if (CRNN_BOUNDARY >= 0)
        crnn_feed(state, CRNN_BOUNDARY);
}

/* The new state of a layer from z, the inputs of its nonlinearities. */
static void crnn_cell(crnn_state *state, int layer, const float *restrict z) {
    enum { H = CRNN_HIDDEN };
    float *restrict h = state->h[layer];
#if CRNN_CELL == CRNN_RNN
    for (int j = 0; j < H; j++) h[j] = crnn_tanh(z[j]);
#elif CRNN_CELL == CRNN_GRU /* z: n's input part, r, z, n's recurrent part */
    for (int j = 0; j < H; j++) {
        const float n = crnn_tanh(z[j] + crnn_sigmoid(z[H + j]) * z[3 * H + j]);
        h[j] = n + crnn_sigmoid(z[2 * H + j]) * (h[j] - n);
    }
#elif CRNN_CELL == CRNN_CIFG /* z: f, g, o; the input gate is 1 - f */
    float *restrict c = state->c[layer];
    for (int j = 0; j < H; j++) {
        const float g = crnn_tanh(z[H + j]);
        c[j] = g + crnn_sigmoid(z[j]) * (c[j] - g);
        h[j] = crnn_sigmoid(z[2 * H + j]) * crnn_tanh(c[j]);
    }
#else /* z: i, f, g, o */
    float *restrict c = state->c[layer];
    for (int j = 0; j < H; j++) {
        c[j] = crnn_sigmoid(z[H + j]) * c[j] + crnn_sigmoid(z[j]) * crnn_tanh(z[2 * H + j]);
        h[j] = crnn_sigmoid(z[3 * H + j]) * crnn_tanh(c[j]);
    }
#endif
}

#if CRNN_PAIRS > 0
/* z += the pair table's row for the last symbol and this symbol, if there is one; then remember this symbol. */
static void crnn_add_pair(crnn_state *state, int id, float *restrict z) {
    enum { COLUMNS = CRNN_GATES * CRNN_HIDDEN };
    const int pair = crnn_find(crnn_pairs, CRNN_PAIRS, (uint64_t)state->symbol * CRNN_SYMBOLS + (uint64_t)id);
    if (pair >= 0)
        crnn_add_row(COLUMNS, crnn_pair_rows + (size_t)pair * COLUMNS, crnn_pair_rows_scale, z);
    state->symbol = id + 1;
}
#endif

void crnn_feed(crnn_state *state, int id) {
    enum { H = CRNN_HIDDEN, COLUMNS = CRNN_GATES * H };
    if (id == CRNN_BOUNDARY)
        memset(state, 0, sizeof *state);
    for (int l = 0; l < CRNN_LAYERS; l++) {
        const crnn_layer *layer = &crnn_layers[l];
        float z[CRNN_SUMS * H];
        memcpy(z, layer->bias, sizeof z);
        if (l > 0) {
            crnn_multiply_state(COLUMNS, state->h[l - 1], layer->input, layer->input_scale, z);
        } else {
#if CRNN_EMBEDDING > 0
            float vector[CRNN_EMBEDDING] = {0};
            crnn_add_row(CRNN_EMBEDDING, crnn_embedding + (size_t)id * CRNN_EMBEDDING, crnn_embedding_scale, vector);
            crnn_multiply(CRNN_EMBEDDING, COLUMNS, vector, layer->input, layer->input_scale, z);
#else
            crnn_add_row(COLUMNS, layer->input + (size_t)id * COLUMNS, layer->input_scale, z);
#endif
#if CRNN_PAIRS > 0
            crnn_add_pair(state, id, z);
#endif
        }
        /* A GRU's recurrent sums start after n's input part. */
        crnn_multiply_state(COLUMNS, state->h[l], layer->recurrent, layer->recurrent_scale,
                            z + (CRNN_SUMS - CRNN_GATES) * H);
        crnn_cell(state, l, z);
    }
}

/* y = h Wy + by of the top layer, minus its maximum */
static void crnn_logits(const crnn_state *state, float y[CRNN_SYMBOLS]) {
    float largest;
    memcpy(y, crnn_output_bias, CRNN_SYMBOLS * sizeof *y);
    crnn_multiply_state(CRNN_SYMBOLS, state->h[CRNN_LAYERS - 1], crnn_output, crnn_output_scale, y);
    largest = y[0];
    for (int i = 1; i < CRNN_SYMBOLS; i++) largest = y[i] > largest ? y[i] : largest;
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] -= largest;
}

/* ------------------------------------------------------------------------------------------------ probabilities */

/* The logarithm of the sum of the exponentials of y. */
static double crnn_log_total(const float y[CRNN_SYMBOLS]) {
    double total = 0;
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += crnn_exp(y[i]);
    return crnn_log(total);
}

void crnn_log_probabilities(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    float y[CRNN_SYMBOLS];
    double log_total;
    crnn_logits(state, y);
    log_total = crnn_log_total(y);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] = y[i] - log_total;
}

void crnn_next_proba(const crnn_state *state, double out[CRNN_SYMBOLS]) {
    float y[CRNN_SYMBOLS];
    double total = 0;
    crnn_logits(state, y);
    for (int i = 0; i < CRNN_SYMBOLS; i++) total += out[i] = crnn_exp(y[i]);
    for (int i = 0; i < CRNN_SYMBOLS; i++) out[i] /= total;
}

/* Read a symbol; return its log-probability. */
static double crnn_score_next(crnn_state *state, int id) {
    float y[CRNN_SYMBOLS];
    crnn_logits(state, y);
    crnn_feed(state, id);
    return y[id] - crnn_log_total(y);
}

int crnn_sample(const crnn_state *state, double temperature, double uniform) {
    float y[CRNN_SYMBOLS];
    double total = 0, sum = 0;
    int last = 0;
    crnn_logits(state, y);
    if (temperature == 0) {
        int best = CRNN_UNKNOWN == 0 ? 1 : 0;
        for (int i = best + 1; i < CRNN_SYMBOLS; i++) best = y[i] > y[best] && i != CRNN_UNKNOWN ? i : best;
        return best;
    }
    for (int i = 0; i < CRNN_SYMBOLS; i++) y[i] = crnn_exp(y[i] / (float)temperature);
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
