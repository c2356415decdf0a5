/* --------------------------------------------------------------------------------------------- arithmetic */

#include <string.h>

/* The place of a number among `count` sorted numbers, or -1. */
static int crnn_find(const uint32_t *numbers, int count, uint32_t number) {
    int first = 0, end = count;
    while (first < end) {
        const int middle = first + (end - first) / 2;
        if (numbers[middle] < number)
            first = middle + 1;
        else
            end = middle;
    }
    return first < count && numbers[first] == number ? first : -1;
}

/* exp(x): 2**n (1 + r + r**2 q(r)) with |r| <= ln(2) / 2. It uses only arithmetic, so that loops are vectorized. */
static inline float crnn_exp(float x) {
    const float shift = 12582912.0f; /* adding it rounds to an integer, stored in the low bits */
    const float c = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float shifted = c * 1.44269502f + shift;
    const float n = shifted - shift;
    const float r = (c - n * 0.693145752f) - n * 1.42860677e-06f;
    float q = 0.00138211681f, power;
    uint32_t bits;
    q = q * r + 0.00836866535f;
    q = q * r + 0.0416682586f;
    q = q * r + 0.166665211f;
    q = q * r + 0.49999994f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23;
    memcpy(&power, &bits, sizeof power);
    return x < -87.0f ? 0.0f : power * (1.0f + (r + r * r * q));
}

/* ln(x) of a normal number: x = 2**n m, and ln(m) = 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.18 */
static double crnn_log(double x) {
    uint64_t bits;
    double m, s, square, series = 0;
    int n;
    memcpy(&bits, &x, sizeof bits);
    n = (int)(bits >> 52) - 1023;
    bits = (bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        n++;
    }
    s = (m - 1) / (m + 1);
    square = s * s;
    for (int i = 21; i > 1; i -= 2) series = (series + 1.0 / i) * square;
    return n * 0.6931471805599453 + 2 * s * (1 + series);
}
