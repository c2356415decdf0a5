# Element-wise exp, tanh and sigmoid for float and double, written so that a plain loop over them vectorises.
#
# Design
# A. Every function is arithmetic, bit operations and selects: no call, no table, no branch. With -O3 -fno-math-errno
#    -fno-trapping-math a loop over one of them becomes SSE2, AVX2 or AVX-512 code from this one source.
# B. One exponential serves all three: x = n ln 2 + r with |r| <= ln(2) / 2, exp(x) = 2**n (1 + r + r**2 q(r)).
# C. Order is kept by construction, not by luck: exp(r) rises with x, and tanh = 1 - 2 / (exp(2x) + 1) and
#    sigmoid = 1 / (exp(-x) + 1) apply to it only rounded steps that cannot reverse an order. So neither overshoots 1.
# D. NaN passes through: every clamp is written so that a comparison with NaN leaves the NaN.
# E. At most 2 units in the last place from the exact value, in either precision, with or without fused multiply-add.
#
# The constants up to the marker are printed by tools/elementwise_coefficients.py, which also checks them.

from cython cimport floating
from libc.stdint cimport uint32_t, uint64_t


cdef inline floating _log2e(floating like) noexcept nogil:
    # log2(e)
    if floating is float:
        return <float>1.44269502
    else:
        return 1.4426950408889634


cdef inline floating _ln2_high(floating like) noexcept nogil:
    # ln(2), short enough for its product with an exponent to be exact
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


cdef inline floating _round_shift(floating like) noexcept nogil:
    # 1.5 * 2**(significand bits - 1): adding it rounds to an integer and leaves that integer in the low bits.
    if floating is float:
        return <float>12582912.0
    else:
        return 6755399441055744.0


cdef inline floating _power(floating shifted) noexcept nogil:
    # 2**n for shifted = n + _round_shift; the shift drops every bit but those of n
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
    # _round_shift + n, n = the integer nearest to x / ln(2)
    return x * _log2e(x) + _round_shift(x)


cdef inline floating _reduced(floating x, floating n) noexcept nogil:
    # x - n ln(2); the first step is exact
    return (x - n * _ln2_high(x)) - n * _ln2_low(x)


cdef inline floating _expm1_reduced(floating r) noexcept nogil:
    # exp(r) - 1 for |r| <= ln(2) / 2
    return r + r * r * _exp_tail(r)


cdef inline floating _with_sign_of(floating magnitude, floating x) noexcept nogil:
    cdef _Single single_m, single_x
    cdef _Double double_m, double_x
    if floating is float:
        single_m.value = magnitude
        single_x.value = x
        single_m.bits |= single_x.bits & <uint32_t>0x80000000
        return single_m.value
    else:
        double_m.value = magnitude
        double_x.value = x
        double_m.bits |= double_x.bits & <uint64_t>0x8000000000000000
        return double_m.value


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


cdef inline floating _exp_lowest(floating like) noexcept nogil:
    # below this exp is less than half the smallest denormal number
    if floating is float:
        return <float>-104.0
    else:
        return -746.0


cdef inline floating _exp_highest(floating like) noexcept nogil:
    # above this exp overflows
    if floating is float:
        return <float>89.0
    else:
        return 710.0


cdef inline floating exp_(floating x) noexcept nogil:
    cdef floating shift = _round_shift(x)
    cdef floating c = _exp_lowest(x) if x < _exp_lowest(x) else x
    c = _exp_highest(x) if c > _exp_highest(x) else c
    cdef floating shifted = _shifted_exponent(c)
    cdef floating n = shifted - shift
    # 2**n need not be representable where exp(x) is, so it is applied as two powers of about n / 2.
    cdef floating half = n * <floating>0.5 + shift
    return (<floating>1.0 + _expm1_reduced(_reduced(c, n))) * _power(half) * _power(shifted - (half - shift))


cdef inline floating tanh_(floating x) noexcept nogil:
    cdef floating a = _magnitude(x)
    # From 20 on the result is 1 in both precisions.
    cdef floating y = <floating>2.0 * (<floating>20.0 if a > <floating>20.0 else a)
    cdef floating shifted = _shifted_exponent(y)
    cdef floating power = _power(shifted)
    cdef floating t = _expm1_reduced(_reduced(y, shifted - _round_shift(x)))
    # exp(y) + 1 rounded once: power + 1 is exact wherever the 1 counts.
    cdef floating rest = <floating>2.0 / ((power + <floating>1.0) + power * t)
    # tanh(edge) = 1/2: held to their own side of it, the two formulas keep the order where they meet.
    rest = <floating>0.5 if rest > <floating>0.5 else rest
    cdef floating z = a * a
    cdef floating small = a + a * (z * _tanh_tail(z))
    # NaN fails the comparison and takes the polynomial, which keeps it.
    return _with_sign_of(<floating>1.0 - rest if a > _tanh_edge(x) else small, x)


cdef inline floating sigmoid_(floating x) noexcept nogil:
    # With x = n ln(2) + r and 2**n = u v: sigmoid(x) = 1 / (1 + exp(-x)) = u v / (u v + exp(-r)), where v is
    # multiplied last so that a denormal result is rounded only then. From 40 on the result is 1.
    cdef floating shift = _round_shift(x)
    cdef floating c = _exp_lowest(x) if x < _exp_lowest(x) else x
    c = <floating>40.0 if c > <floating>40.0 else c
    cdef floating shifted = _shifted_exponent(c)
    cdef floating n = shifted - shift
    cdef floating half = n * <floating>0.5 + shift
    cdef floating u = _power(half)
    cdef floating v = _power(shifted - (half - shift))
    cdef floating power = u * v
    cdef floating total = power + <floating>1.0
    cdef floating lost = power - (total - <floating>1.0)
    return u / (total + (lost + _expm1_reduced(-_reduced(c, n)))) * v


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
    """Replace each of the `n` numbers at `x` by its logistic sigmoid 1 / (1 + exp(-x))."""
    cdef Py_ssize_t i
    for i in range(n):
        x[i] = sigmoid_(x[i])
