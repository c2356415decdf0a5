/* ------------------------------------------------------------------------------------------------- guess numbers */

double crnn_guess_number(const char *text, size_t size) {
    const double inverse = -crnn_score(text, size);
    int first = 0, end = CRNN_GUESS_SAMPLES; /* how many samples are more probable */
    if (inverse < 0)
        return -1;
    while (first < end) {
        const int middle = first + (end - first) / 2;
        if ((double)crnn_guess_inverse[middle] < inverse - 1e-5)
            first = middle + 1;
        else
            end = middle;
    }
    return first == 0 ? 0 : (double)crnn_guess_log10[first - 1];
}
