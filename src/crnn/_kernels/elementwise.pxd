# Element-wise exp, tanh, sigmoid and 1/sqrt for float and double, written so that a plain loop over them vectorises.
#
# Design
# A. Every function is arithmetic, bit operations and selects: no call, no table, no branch. Built with cdivision=True
#    (a check for zero would be a branch) and -O3 -fno-math-errno -fno-trapping-math, a loop over any of them becomes
#    SSE2, AVX2 or AVX-512 code from this one source.
# B. One exponential serves three functions: x = n ln(2) + r with |r| <= ln(2) / 2, exp(x) = 2**n (1 + r + r**2 q(r)).
# C. Order is kept and 1 is never passed because of the formulas: exp rises with x, and tanh = 1 - 2 / (exp(2x) + 1)
#    and sigmoid = 1 / (exp(-x) + 1) apply to it only steps whose rounding cannot reverse an order.
# D. NaN passes through: every clamp is written so that a failed comparison leaves its argument.
# E. At most 2 units in the last place from the exact value, in either precision, with or without fused multiply-add.
#
# The constants up to the marker are printed by tools/elementwise_coefficients.py, which can also check them.

from cython cimport floating
from libc.math cimport sqrt
from libc.stdint cimport uint32_t, uint64_t


cdef inline floating _log2e(floating like) noexcept nogil:
    # log2(e)
    if floating is float:
        return <float>1.44269502
    else:
        return 1.4426950408889634


cdef inline floating _ln2_high(floating like) noexcept nogil:
    # ln(2), so short that its product with an exponent is exact
    if floating is float:
        return <float>0.693145752
    else:
        return 0.6931471805598903


cdef inline floating _ln2_low(floating like) noexcept nogil:
    # what _ln2_high leaves of ln(2)
    if floating is float:
        return <float>1.42860677e-06
    else:
        return 5.497923018708371e-14


cdef inline floating _tanh_edge(floating like) noexcept nogil:
    # atanh(1/2)
    if floating is float:
        return <float>0.549306154
    else:
        return 0.5493061443340549


cdef inline floating _exp_tail(floating r) noexcept nogil:
    # (exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2
    cdef floating value
    if floating is float:
        # largest relative error 0.052 * 2**-24
        value = <float>0.00138211681
        value = value * r + <float>0.00836866535
        value = value * r + <float>0.0416682586
        value = value * r + <float>0.166665211
        value = value * r + <float>0.49999994
    else:
        # largest relative error 0.033 * 2**-53
        value = 2.5006904375121878e-08
        value = value * r + 2.7630228044864944e-07
        value = value * r + 2.7557559850421495e-06
        value = value * r + 2.480149308933349e-05
        value = value * r + 0.0001984126954418193
        value = value * r + 0.0013888888943764264
        value = value * r + 0.00833333333347149
        value = value * r + 0.04166666666652864
        value = value * r + 0.16666666666666463
        value = value * r + 0.5000000000000011
    return value


cdef inline floating _tanh_tail(floating z) noexcept nogil:
    # (tanh(a) / a - 1) / z where z = a**2, for 0 <= a <= atanh(1/2)
    cdef floating value
    if floating is float:
        # largest relative error 0.019 * 2**-24
        value = <float>-0.0062428494
        value = value * z + <float>0.021050714
        value = value * z + <float>-0.0538475476
        value = value * z + <float>0.133325443
        value = value * z + <float>-0.333333164
    else:
        # largest relative error 0.005 * 2**-53
        value = -1.9489035847744873e-05
        value = value * z + 8.330687100136449e-05
        value = value * z + -0.00023337463209374232
        value = value * z + 0.0005884416793492828
        value = value * z + -0.0014555421477489042
        value = value * z + 0.003592091920217615
        value = value * z + -0.008863232590410823
        value = value * z + 0.021869488385178888
        value = value * z + -0.053968253963736945
        value = value * z + 0.1333333333332658
        value = value * z + -0.333333333333333
    return value


# End of the derived constants.


cdef union _Single:
    float value
    uint32_t bits


cdef union _Double:
    double value
    uint64_t bits


cdef extern from "vectors.h" nogil:
    const bint FUSES_MULTIPLY_ADD


cdef inline floating _divided(floating a, floating b) noexcept nogil:
    """a / b for 1 <= b <= 2**60.

    A vector division takes as long as thirty multiplications. In single precision the exponent, negated in the bits, is
    right to 12 %, three Newton steps take that to 2e-7 squared, and with a fused multiply-add the remainder of the
    quotient is known well enough to round it as a division would, but for one case in a thousand.
    """
    cdef _Single guess
    cdef float r, q
    if floating is float:
        if FUSES_MULTIPLY_ADD:
            guess.value = b
            guess.bits = <uint32_t>0x7EF311C3 - guess.bits
            r = guess.value
            r = r * (<float>2.0 - b * r)
            r = r * (<float>2.0 - b * r)
            q = a * r
            r = r * (<float>2.0 - b * r)
            return q + r * (a - b * q)
    return a / b


cdef inline floating _magnitude(floating x) noexcept nogil:
    cdef _Single single
    cdef _Double double_
    if floating is float:
        single.value = x
        single.bits &= <uint32_t>0x7FFFFFFF
        return single.value
    else:
        double_.value = x
        double_.bits &= <uint64_t>0x7FFFFFFFFFFFFFFF
        return double_.value


cdef inline floating _with_sign_of(floating magnitude, floating x) noexcept nogil:
    cdef _Single single, single_x
    cdef _Double double_, double_x
    if floating is float:
        single.value = magnitude
        single_x.value = x
        single.bits |= single_x.bits & <uint32_t>0x80000000
        return single.value
    else:
        double_.value = magnitude
        double_x.value = x
        double_.bits |= double_x.bits & <uint64_t>0x8000000000000000
        return double_.value


cdef inline floating _shift(floating like) noexcept nogil:
    # 1.5 * 2**(significand bits - 1): adding it rounds to an integer and leaves that integer in the low bits.
    if floating is float:
        return <float>12582912.0
    else:
        return 6755399441055744.0


cdef inline floating _power(floating shifted) noexcept nogil:
    # 2**n, given n + _shift: the low bits hold n, and moving them to the exponent pushes all others out.
    cdef _Single single
    cdef _Double double_
    if floating is float:
        single.value = shifted
        single.bits = (single.bits + <uint32_t>127) << 23
        return single.value
    else:
        double_.value = shifted
        double_.bits = (double_.bits + <uint64_t>1023) << 52
        return double_.value


cdef inline floating _shifted_exponent(floating x) noexcept nogil:
    # n + _shift, where n is the integer nearest to x / ln(2)
    return x * _log2e(x) + _shift(x)


cdef inline floating _reduced(floating x, floating n) noexcept nogil:
    # r = x - n ln(2); the inner difference is exact.
    return (x - n * _ln2_high(x)) - n * _ln2_low(x)


cdef inline floating _expm1_reduced(floating r) noexcept nogil:
    # exp(r) - 1 for |r| <= ln(2) / 2
    return r + r * r * _exp_tail(r)


cdef inline floating _exp_lowest(floating like) noexcept nogil:
    # From here down exp is less than half the smallest denormal number.
    if floating is float:
        return <float>-104.0
    else:
        return -746.0


cdef inline floating _exp_highest(floating like) noexcept nogil:
    # From here up exp overflows.
    if floating is float:
        return <float>89.0
    else:
        return 710.0


cdef inline floating exp_(floating x) noexcept nogil:
    """exp(x), with gradual underflow."""
    cdef floating c = _exp_lowest(x) if x < _exp_lowest(x) else x
    c = _exp_highest(x) if c > _exp_highest(x) else c
    cdef floating shifted = _shifted_exponent(c)
    cdef floating n = shifted - _shift(x)
    # 2**n can be out of range where exp(x) is not, so it is applied as two powers of about n / 2.
    cdef floating half = n * <floating>0.5 + _shift(x)
    cdef floating other_half = shifted - (half - _shift(x))
    return (<floating>1.0 + _expm1_reduced(_reduced(c, n))) * _power(half) * _power(other_half)


cdef inline floating tanh_(floating x) noexcept nogil:
    """tanh(x), with the sign of a zero."""
    cdef floating a = _magnitude(x)
    # From 20 on the result is 1 in both precisions.
    cdef floating y = <floating>2.0 * (<floating>20.0 if a > <floating>20.0 else a)
    cdef floating shifted = _shifted_exponent(y)
    cdef floating power = _power(shifted)
    cdef floating t = _expm1_reduced(_reduced(y, shifted - _shift(x)))
    # exp(y) + 1 is rounded once: power + 1 is exact wherever the 1 counts.
    cdef floating rest = _divided(<floating>2.0, (power + <floating>1.0) + power * t)
    # tanh(edge) = 1/2: a formula held to its own side of that keeps the order where the two meet. The polynomial,
    # off by less than a unit below 1/2, needs no holding.
    rest = <floating>0.5 if rest > <floating>0.5 else rest
    cdef floating z = a * a
    cdef floating small = a + a * (z * _tanh_tail(z))
    return _with_sign_of(<floating>1.0 - rest if a > _tanh_edge(x) else small, x)


cdef inline floating sigmoid_(floating x) noexcept nogil:
    """1 / (1 + exp(-x)), with gradual underflow."""
    # With x = n ln(2) + r it is 2**n / (2**n + exp(-r)): no overflow where exp(-x) has one, and 2**n, a product of two
    # as in exp_, is exact down to the smallest denormal number. From 40 on the result is 1 in both precisions.
    cdef floating c = _exp_lowest(x) if x < _exp_lowest(x) else x
    c = <floating>40.0 if c > <floating>40.0 else c
    cdef floating shifted = _shifted_exponent(c)
    cdef floating n = shifted - _shift(x)
    cdef floating half = n * <floating>0.5 + _shift(x)
    cdef floating some = _power(half), other = _power(shifted - (half - _shift(x))), power = some * other
    # The denominator is rounded once: `lost` is what 2**n + 1 drops.
    cdef floating total = power + <floating>1.0
    cdef floating lost = power - (total - <floating>1.0)
    # A quotient that is a denormal number is rounded once, by the last product.
    return _divided(some, total + (lost + _expm1_reduced(-_reduced(c, n)))) * other


cdef inline floating rsqrt_(floating x) noexcept nogil:
    """1 / sqrt(x) for a normal x of at least twice the smallest normal number."""
    cdef _Single guess
    cdef float y, h
    if floating is float:
        # Halving and negating the exponent in the bits is right to 3.5 %; three Newton steps take that to 1e-10.
        guess.value = x
        guess.bits = <uint32_t>0x5F3759DF - (guess.bits >> 1)
        y = guess.value
        h = <float>0.5 * x
        y = y * (<float>1.5 - h * y * y)
        y = y * (<float>1.5 - h * y * y)
        # The last step adds a small correction, which rounds less than a product with a number near 1.
        return y + y * (<float>0.5 - h * y * y)
    else:
        return 1.0 / sqrt(x)


cdef inline void exp_array(floating* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by its exponential."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = exp_(x[i])


cdef inline void tanh_array(floating* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by its hyperbolic tangent."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = tanh_(x[i])


cdef inline void sigmoid_array(floating* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by its logistic sigmoid."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = sigmoid_(x[i])


cdef inline void rsqrt_array(floating* x, Py_ssize_t n) noexcept nogil:
    """Replace each of the `n` numbers at `x` by one over its square root."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = rsqrt_(x[i])
