/* ----------------------------------------------------------------------------------------------- random numbers */

/* a * b + plus, modulo 2**128 */
static crnn_wide crnn_multiplied(crnn_wide a, crnn_wide b, crnn_wide plus) {
    const uint64_t mask = 0xFFFFFFFFu, a0 = a.low & mask, a1 = a.low >> 32, b0 = b.low & mask, b1 = b.low >> 32;
    const uint64_t first = a0 * b0, middle = a1 * b0 + (first >> 32), other = a0 * b1 + (middle & mask);
    crnn_wide out;
    out.low = a.low * b.low + plus.low;
    out.high = a1 * b1 + (middle >> 32) + (other >> 32) + a.high * b.low + a.low * b.high + plus.high +
               (out.low < plus.low);
    return out;
}

static crnn_wide crnn_wide_of(uint64_t high, uint64_t low) {
    crnn_wide out;
    out.high = high;
    out.low = low;
    return out;
}

/* Advance a stream by sample * golden numbers, like NumPy's `PCG64.jumped`. */
static void crnn_jump(crnn_random *random, uint64_t sample) {
    const crnn_wide zero = crnn_wide_of(0, 0), golden = crnn_wide_of(0x9E3779B97F4A7C15u, 0xF39CC0605CEDC835u);
    crnn_wide a = crnn_wide_of(0, 1), b = zero, one = a; /* the new state is a * state + b * increment */
    crnn_wide factor = crnn_wide_of(0x2360ED051FC65DA4u, 0x4385DF649FCCF645u), plus = one;
    crnn_wide steps = crnn_multiplied(golden, crnn_wide_of(0, sample), zero);
    while (steps.high != 0 || steps.low != 0) {
        crnn_wide above = factor;
        if (steps.low & 1) {
            a = crnn_multiplied(a, factor, zero);
            b = crnn_multiplied(b, factor, plus);
        }
        above.low += 1;
        above.high += above.low == 0;
        plus = crnn_multiplied(above, plus, zero);
        factor = crnn_multiplied(factor, factor, zero);
        steps.low = steps.low >> 1 | steps.high << 63;
        steps.high >>= 1;
    }
    random->state = crnn_multiplied(a, random->state, crnn_multiplied(b, random->increment, zero));
}

static void crnn_step(crnn_random *random) {
    const crnn_wide multiplier = crnn_wide_of(0x2360ED051FC65DA4u, 0x4385DF649FCCF645u);
    random->state = crnn_multiplied(random->state, multiplier, random->increment);
}

/* One step of the hash of NumPy's SeedSequence. */
static uint32_t crnn_hash(uint32_t value, uint32_t *constant, uint32_t multiplier) {
    value ^= *constant;
    *constant *= multiplier;
    value *= *constant;
    return value ^ value >> 16;
}

void crnn_seed(crnn_random *random, uint64_t seed, uint64_t sample) {
    uint32_t pool[4] = {(uint32_t)(seed & 0xFFFFFFFFu), (uint32_t)(seed >> 32), 0, 0};
    uint32_t constant = 0x43B0D7E5u;
    uint64_t words[4] = {0};
    for (int i = 0; i < 4; i++) pool[i] = crnn_hash(pool[i], &constant, 0x931E8875u);
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            if (from != to) {
                const uint32_t hash = crnn_hash(pool[from], &constant, 0x931E8875u);
                const uint32_t mixed = 0xCA01F9DDu * pool[to] - 0x4973F715u * hash;
                pool[to] = mixed ^ mixed >> 16;
            }
        }
    }
    constant = 0x8B51F9DDu;
    for (int i = 0; i < 8; i++)
        words[i / 2] |= (uint64_t)crnn_hash(pool[i % 4], &constant, 0x58F38DEDu) << (i % 2 ? 32 : 0);
    random->increment = crnn_wide_of(words[2] << 1 | words[3] >> 63, words[3] << 1 | 1);
    random->state = crnn_multiplied(random->increment, crnn_wide_of(0, 1), crnn_wide_of(words[0], words[1]));
    crnn_step(random);
    crnn_jump(random, sample);
}

double crnn_uniform(crnn_random *random) {
    uint64_t folded;
    int turn;
    crnn_step(random);
    folded = random->state.high ^ random->state.low;
    turn = (int)(random->state.high >> 58);
    folded = folded >> turn | folded << (-turn & 63);
    return (double)(folded >> 11) * (1.0 / 9007199254740992.0); /* 2**-53 */
}
