/* ------------------------------------------------------------------------------------------------- activations */

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

#if CRNN_GATES
static inline float crnn_sigmoid(float x) {
    return 1.0f / (1.0f + crnn_exp(-x));
}
#endif
