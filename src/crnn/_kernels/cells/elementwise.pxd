# Element-wise exp, tanh, sigmoid and 1/sqrt for float and double, written so that a plain loop over them vectorizes.
#
# Design
# A. Every function is arithmetic, bit operations and selects: no call, no table, no branch. Built with cdivision=True
#    (a check for zero would be a branch) and -O3 -fno-math-errno -fno-trapping-math, a loop over any of them becomes
#    SSE2, AVX2 or AVX-512 code from this one source.
# B. One exponential serves three functions: x = n ln(2) + r with |r| <= ln(2) / 2, exp(x) = 2**n (1 + r + r**2 q(r)).
# C. The formulas preserve order and never exceed 1: exp rises with x, and tanh = 1 - 2 / (exp(2x) + 1)
#    and sigmoid = 1 / (exp(-x) + 1) apply to it only steps whose rounding cannot reverse an order.
# D. NaN passes through: every clamp is written so that a failed comparison keeps its argument.
# E. Results are within 2 units in the last place, in either precision, with or without fused multiply-add.
# F. Multiply-adds are written out, as everywhere: compilers would fuse some copies of a loop and not others.
# G. The polynomials have the least greatest relative error (Remez exchange, in 50 digits). Their coefficients were
#    rounded one at a time, lowest power first, and the others fitted again around it. Commit f78556f2 has the program.

from libc.math cimport INFINITY
from libc.stdint cimport uint32_t, uint64_t
from ..common.interface cimport real

cdef extern from "real.h" nogil:
    const bint SINGLE  # whether `real` is float; the compiler drops the other branch
    const int SIGNIFICAND_BITS
    const int EXPONENT_BIAS
    ctypedef uint64_t real_bits
    const real_bits SIGN_BIT
    ctypedef union real_pattern:
        real value
        real_bits bits
    real SQRT(real)
    const real EXP_LOWEST
    const real EXP_HIGHEST
    const real SIGMOID_HIGHEST
    const real TANH_HIGHEST
    const real HALF

cdef extern from "vectors.h" nogil:
    const bint FUSES_MULTIPLY_ADD
    real FUSED(real a, real b, real c)  # a * b + c


cdef inline real _log2e() noexcept nogil:
    # log2(e)
    return <real>1.44269502 if SINGLE else <real>1.4426950408889634


cdef inline real _ln2_high() noexcept nogil:
    # ln(2), so short that its product with an exponent is exact
    return <real>0.693145752 if SINGLE else <real>0.6931471805598903


cdef inline real _ln2_low() noexcept nogil:
    # the remainder of ln(2) after _ln2_high
    return <real>1.42860677e-06 if SINGLE else <real>5.497923018708371e-14


cdef inline real _tanh_edge() noexcept nogil:
    # atanh(1/2)
    return <real>0.549306154 if SINGLE else <real>0.5493061443340549


cdef inline real _exp_tail(real r) noexcept nogil:
    # (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2
    cdef real value
    if SINGLE:
        # largest relative error 0.052 * 2**-24
        value = <real>0.00138211681
        value = FUSED(value, r, <real>0.00836866535)
        value = FUSED(value, r, <real>0.0416682586)
        value = FUSED(value, r, <real>0.166665211)
        value = FUSED(value, r, <real>0.49999994)
    else:
        # largest relative error 0.033 * 2**-53
        value = <real>2.5006904375121878e-08
        value = FUSED(value, r, <real>2.7630228044864944e-07)
        value = FUSED(value, r, <real>2.7557559850421495e-06)
        value = FUSED(value, r, <real>2.480149308933349e-05)
        value = FUSED(value, r, <real>0.0001984126954418193)
        value = FUSED(value, r, <real>0.0013888888943764264)
        value = FUSED(value, r, <real>0.00833333333347149)
        value = FUSED(value, r, <real>0.04166666666652864)
        value = FUSED(value, r, <real>0.16666666666666463)
        value = FUSED(value, r, <real>0.5000000000000011)
    return value


cdef inline real _tanh_tail(real z) noexcept nogil:
    # (tanh(a) / a - 1) / z where z = a**2, for 0 <= a <= atanh(1/2)
    cdef real value
    if SINGLE:
        # largest relative error 0.019 * 2**-24
        value = <real>-0.0062428494
        value = FUSED(value, z, <real>0.021050714)
        value = FUSED(value, z, <real>-0.0538475476)
        value = FUSED(value, z, <real>0.133325443)
        value = FUSED(value, z, <real>-0.333333164)
    else:
        # largest relative error 0.005 * 2**-53
        value = <real>-1.9489035847744873e-05
        value = FUSED(value, z, <real>8.330687100136449e-05)
        value = FUSED(value, z, <real>-0.00023337463209374232)
        value = FUSED(value, z, <real>0.0005884416793492828)
        value = FUSED(value, z, <real>-0.0014555421477489042)
        value = FUSED(value, z, <real>0.003592091920217615)
        value = FUSED(value, z, <real>-0.008863232590410823)
        value = FUSED(value, z, <real>0.021869488385178888)
        value = FUSED(value, z, <real>-0.053968253963736945)
        value = FUSED(value, z, <real>0.1333333333332658)
        value = FUSED(value, z, <real>-0.333333333333333)
    return value


cdef inline real _divided(real a, real b) noexcept nogil:
    """a / b for 1 <= b <= 2**60.

    A vector division takes the time of thirty multiplications. In single precision, the exponent, negated in the bits,
    is right to 12 %; three Newton steps reduce that to the square of 2e-7; and with a fused multiply-add the remainder
    of the quotient is known well enough to round like a division in all but one case in a thousand.
    """
    cdef real_pattern guess
    cdef real r, q
    if SINGLE:
        if FUSES_MULTIPLY_ADD:
            guess.value = b
            guess.bits = <uint32_t>0x7EF311C3 - guess.bits
            r = guess.value
            r = r * FUSED(-b, r, <real>2.0)
            r = r * FUSED(-b, r, <real>2.0)
            q = a * r
            r = r * FUSED(-b, r, <real>2.0)
            return FUSED(r, FUSED(-b, q, a), q)
    return a / b


cdef inline real _magnitude(real x) noexcept nogil:
    cdef real_pattern pattern
    pattern.value = x
    pattern.bits &= ~SIGN_BIT
    return pattern.value


cdef inline real _with_sign_of(real magnitude, real x) noexcept nogil:
    cdef real_pattern pattern, sign
    pattern.value = magnitude
    sign.value = x
    pattern.bits |= sign.bits & SIGN_BIT
    return pattern.value


cdef inline real _shift() noexcept nogil:
    # 1.5 * 2**(significand bits - 1): adding it rounds to an integer and leaves that integer in the low bits.
    return <real>12582912.0 if SINGLE else <real>6755399441055744.0


cdef inline real _power(real shifted) noexcept nogil:
    # 2**n, given n + _shift: the low bits hold n, and shifting them to the exponent pushes all others out.
    cdef real_pattern pattern
    pattern.value = shifted
    pattern.bits = (pattern.bits + <real_bits>EXPONENT_BIAS) << SIGNIFICAND_BITS
    return pattern.value


cdef inline real _shifted_exponent(real x) noexcept nogil:
    # n + _shift, where n is the integer nearest to x / ln(2)
    return FUSED(x, _log2e(), _shift())


cdef inline real _reduced(real x, real n) noexcept nogil:
    # r = x - n ln(2); the inner difference is exact.
    return FUSED(-n, _ln2_low(), FUSED(-n, _ln2_high(), x))


cdef inline real _expm1_reduced(real r) noexcept nogil:
    # exp(r) - 1 for |r| <= ln(2) / 2
    return FUSED(r * r, _exp_tail(r), r)


cdef inline real exp_(real x) noexcept nogil:
    """exp(x), with gradual underflow."""
    cdef real c = EXP_LOWEST if x < EXP_LOWEST else x
    c = EXP_HIGHEST if c > EXP_HIGHEST else c
    cdef real shifted = _shifted_exponent(c)
    cdef real n = shifted - _shift()
    # 2**n may be out of range when exp(x) is not, so it is applied as two powers of about n / 2.
    cdef real half = FUSED(n, <real>0.5, _shift())
    cdef real other_half = shifted - (half - _shift())
    return (<real>1.0 + _expm1_reduced(_reduced(c, n))) * _power(half) * _power(other_half)


cdef inline real tanh_(real x) noexcept nogil:
    """tanh(x), with the sign of a zero."""
    cdef real a = _magnitude(x)
    cdef real y = <real>2.0 * (TANH_HIGHEST if a > TANH_HIGHEST else a)
    cdef real shifted = _shifted_exponent(y)
    cdef real power = _power(shifted)
    cdef real t = _expm1_reduced(_reduced(y, shifted - _shift()))
    # exp(y) + 1 is rounded once: power + 1 is exact wherever the 1 counts.
    cdef real rest = _divided(<real>2.0, FUSED(power, t, power + <real>1.0))
    # tanh(edge) = 1/2: limiting a formula to its own side of the edge preserves order where the two meet. The
    # polynomial, off by less than a unit below 1/2, needs no limit.
    rest = HALF if rest > HALF else rest
    cdef real z = a * a
    cdef real small = FUSED(a, z * _tanh_tail(z), a)
    return _with_sign_of(<real>1.0 - rest if a > _tanh_edge() else small, x)


cdef inline real sigmoid_(real x) noexcept nogil:
    """1 / (1 + exp(-x)), with gradual underflow."""
    # With x = n ln(2) + r it is 2**n / (2**n + exp(-r)): it does not overflow where exp(-x) does, and 2**n, a product
    # of two factors as in exp_, is exact down to the smallest denormal number.
    cdef real c = EXP_LOWEST if x < EXP_LOWEST else x
    c = SIGMOID_HIGHEST if c > SIGMOID_HIGHEST else c
    cdef real shifted = _shifted_exponent(c)
    cdef real n = shifted - _shift()
    cdef real half = FUSED(n, <real>0.5, _shift())
    cdef real some = _power(half)
    cdef real other = _power(shifted - (half - _shift()))
    cdef real power = some * other
    # The denominator is rounded once: `lost` is what 2**n + 1 drops.
    cdef real total = power + <real>1.0
    cdef real lost = power - (total - <real>1.0)
    # A denormal quotient is rounded once, by the last product.
    return _divided(some, total + (lost + _expm1_reduced(-_reduced(c, n)))) * other


cdef inline real rsqrt_(real x) noexcept nogil:
    """1 / sqrt(x) for infinity and for a normal x of at least twice the smallest normal number."""
    cdef real_pattern guess
    cdef real y, h
    if SINGLE:
        # Halving and negating the exponent in the bits is right to 3.5 %; three Newton steps reduce that to 1e-10.
        guess.value = x
        guess.bits = <uint32_t>0x5F3759DF - (guess.bits >> 1)
        y = guess.value
        h = <real>0.5 * x
        y = y * FUSED(-h * y, y, <real>1.5)
        y = y * FUSED(-h * y, y, <real>1.5)
        # The last step adds a small correction, which rounds less than a product with a number near 1.
        y = FUSED(y, FUSED(-h * y, y, <real>0.5), y)
        return <real>0.0 if h == INFINITY else y
    else:
        return <real>1.0 / SQRT(x)


cdef inline void exp_array(real* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by its exponential."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = exp_(x[i])


cdef inline void tanh_array(real* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by its hyperbolic tangent."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = tanh_(x[i])
