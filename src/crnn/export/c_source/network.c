/* ----------------------------------------------------------------------------------------------- products */

#if !CRNN_NET_INT8 || CRNN_NET_EMBEDDING > 0
/* y (columns,) += a (rows,) @ w (rows, columns), times each column's scale if the weights are integers.
 * The matrix is stored in panels of CRNN_NET_COLUMNS columns, so that it is read sequentially, and a compiler can keep
 * a panel's sums in vector registers. */
static void crnn_net_multiply(int rows, int columns, const float *restrict a, const crnn_net_weight *restrict w,
                              const float *restrict scale, float *restrict y) {
    for (int start = 0; start < columns; start += CRNN_NET_COLUMNS) {
        const int count = columns - start < CRNN_NET_COLUMNS ? columns - start : CRNN_NET_COLUMNS;
        const crnn_net_weight *restrict row = w + (size_t)rows * (size_t)start;
        float sum[CRNN_NET_COLUMNS] = {0};
        if (!CRNN_NET_INT8)
            for (int j = 0; j < count; j++) sum[j] = y[start + j];
        if (count == CRNN_NET_COLUMNS) { /* a loop of known length is vectorized */
            for (int k = 0; k < rows; k++, row += CRNN_NET_COLUMNS)
                for (int j = 0; j < CRNN_NET_COLUMNS; j++) sum[j] += a[k] * (float)row[j];
        } else {
            for (int k = 0; k < rows; k++, row += count)
                for (int j = 0; j < count; j++) sum[j] += a[k] * (float)row[j];
        }
        if (CRNN_NET_INT8)
            for (int j = 0; j < count; j++) y[start + j] += scale[start + j] * sum[j];
        else
            for (int j = 0; j < count; j++) y[start + j] = sum[j];
    }
}
#endif

/* y (columns,) += h (CRNN_NET_HIDDEN,) @ w (CRNN_NET_HIDDEN, columns), where h is a state, within -1 and 1.
 * Integer weights are stored column by column. They are multiplied by the integers nearest to 127 h, and their scales
 * are already divided by 127. The sums are exact, and equal to a quantized model's sums in Python. */
static void crnn_net_multiply_state(int columns, const float *restrict h, const crnn_net_weight *restrict w,
                                    const float *restrict scale, float *restrict y) {
#if CRNN_NET_INT8
    const float shift = 12582912.0f; /* adding it rounds to an integer */
    short level[CRNN_NET_HIDDEN]; /* processors can multiply 16-bit numbers and add neighbors in one instruction */
    for (int k = 0; k < CRNN_NET_HIDDEN; k++) {
        const float shifted = h[k] * 127.0f + shift;
        level[k] = (short)(shifted - shift);
    }
    for (int j = 0; j < columns; j++, w += CRNN_NET_HIDDEN) {
        int32_t sum = 0;
        for (int k = 0; k < CRNN_NET_HIDDEN; k++) sum += (int32_t)level[k] * (short)w[k];
        y[j] += scale[j] * (float)sum;
    }
#else
    crnn_net_multiply(CRNN_NET_HIDDEN, columns, h, w, scale, y);
#endif
}

/* y (columns,) += a row of a table, times each column's scale if the weights are integers. */
static void crnn_net_add_row(int columns, const crnn_net_weight *restrict row, const float *restrict scale,
                             float *restrict y) {
    for (int j = 0; j < columns; j++) y[j] += CRNN_NET_INT8 ? scale[j] * (float)row[j] : (float)row[j];
}

/* ------------------------------------------------------------------------------------------------ the network */

/* The new state of a layer from z, the inputs of its nonlinearities. */
static void crnn_net_cell(crnn_net_state *state, int layer, const float *restrict z) {
    enum { H = CRNN_NET_HIDDEN };
    float *restrict h = state->h[layer];
#if CRNN_NET_CELL == CRNN_RNN
    for (int j = 0; j < H; j++) h[j] = crnn_tanh(z[j]);
#elif CRNN_NET_CELL == CRNN_GRU /* z: n's input part, r, z, n's recurrent part */
    for (int j = 0; j < H; j++) {
        const float n = crnn_tanh(z[j] + crnn_sigmoid(z[H + j]) * z[3 * H + j]);
        h[j] = n + crnn_sigmoid(z[2 * H + j]) * (h[j] - n);
    }
#elif CRNN_NET_CELL == CRNN_CIFG /* z: f, g, o; the input gate is 1 - f */
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

#if CRNN_NET_PAIRS > 0
/* z += the pair table's row for the last symbol and this symbol, if there is one; then remember this symbol. */
static void crnn_net_add_pair(crnn_net_state *state, int id, float *restrict z) {
    enum { COLUMNS = CRNN_NET_GATES * CRNN_NET_HIDDEN };
    const uint64_t key = (uint64_t)state->symbol * CRNN_NET_SYMBOLS + (uint64_t)id;
    int first = 0, end = CRNN_NET_PAIRS;
    while (first < end) {
        const int middle = first + (end - first) / 2;
        if (crnn_net_pairs[middle] < key)
            first = middle + 1;
        else
            end = middle;
    }
    if (first < CRNN_NET_PAIRS && crnn_net_pairs[first] == key)
        crnn_net_add_row(COLUMNS, crnn_net_pair_rows + (size_t)first * COLUMNS, crnn_net_pair_rows_scale, z);
    state->symbol = id + 1;
}
#endif

/* Read a symbol. The boundary starts a new document. */
static void crnn_net_feed(crnn_net_state *state, int id) {
    enum { H = CRNN_NET_HIDDEN, COLUMNS = CRNN_NET_GATES * H };
    if (id == CRNN_NET_BOUNDARY)
        memset(state, 0, sizeof *state);
    for (int l = 0; l < CRNN_NET_LAYERS; l++) {
        const crnn_net_layer *layer = &crnn_net_layers[l];
        float z[CRNN_NET_SUMS * H];
        memcpy(z, layer->bias, sizeof z);
        if (l > 0) {
            crnn_net_multiply_state(COLUMNS, state->h[l - 1], layer->input, layer->input_scale, z);
        } else {
#if CRNN_NET_EMBEDDING > 0
            enum { E = CRNN_NET_EMBEDDING };
            float vector[E] = {0};
            crnn_net_add_row(E, crnn_net_embedding + (size_t)id * E, crnn_net_embedding_scale, vector);
            crnn_net_multiply(E, COLUMNS, vector, layer->input, layer->input_scale, z);
#else
            crnn_net_add_row(COLUMNS, layer->input + (size_t)id * COLUMNS, layer->input_scale, z);
#endif
#if CRNN_NET_PAIRS > 0
            crnn_net_add_pair(state, id, z);
#endif
        }
        /* A GRU's recurrent sums start after n's input part. */
        crnn_net_multiply_state(COLUMNS, state->h[l], layer->recurrent, layer->recurrent_scale,
                                z + (CRNN_NET_SUMS - CRNN_NET_GATES) * H);
        crnn_net_cell(state, l, z);
    }
}

/* y = h Wy + by of the top layer, minus its maximum */
static void crnn_net_logits(const crnn_net_state *state, float y[CRNN_NET_SYMBOLS]) {
    enum { V = CRNN_NET_SYMBOLS };
    float largest;
    memcpy(y, crnn_net_output_bias, V * sizeof *y);
    crnn_net_multiply_state(V, state->h[CRNN_NET_LAYERS - 1], crnn_net_output, crnn_net_output_scale, y);
    largest = y[0];
    for (int i = 1; i < CRNN_NET_OUTPUTS; i++) largest = y[i] > largest ? y[i] : largest; /* labels are not predicted */
    for (int i = 0; i < V; i++) y[i] -= largest;
}

