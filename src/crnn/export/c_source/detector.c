/* -------------------------------------------------------------------------------------------------- detector */

#include <math.h> /* INFINITY */

{root}/* The score is {least} times the least log-probability, plus {total} times the sum divided by a power of the length. */
static double crnn_reduce(double least, double sum, double length) {
    return {least} * least + {total} * sum / ({divisor});
}

crnn_verdict crnn_detect(const char *text, size_t size) {
    crnn_cursor cursor = {0};
    crnn_state state, at_worst;
    crnn_verdict verdict = {0};
    double worst = -1, sum = 0, length = 0;
    int is_inside = 1;
    cursor.text = text;
    cursor.size = size;
    crnn_start(&state);
    at_worst = state;
    while (is_inside) {
        const crnn_state before = state;
        crnn_character next = {0, 0};
        double nats = INFINITY; /* of a symbol that the model does not know, and skips */
        int id = CRNN_BOUNDARY;
        is_inside = crnn_next(&cursor, CRNN_RULES, &next);
        if (is_inside)
            id = crnn_id(next.code);
        else if (CRNN_BOUNDARY < 0)
            break;
        if (id >= 0)
            nats = -crnn_score_next(&state, id);
        if (nats > worst) {
            worst = nats;
            at_worst = before;
            verdict.place = is_inside ? next.place : size;
        }
        sum -= nats;
        length += 1;
    }
    if (worst < INFINITY)
        verdict.score = crnn_reduce(worst > 0 ? -worst : 0, sum, length < 1 ? 1 : length);
    else
        verdict.score = -INFINITY;
    verdict.is_anomaly = !(verdict.score >= CRNN_THRESHOLD);
    verdict.expected = crnn_sample(&at_worst, 0, 0);
    return verdict;
}
