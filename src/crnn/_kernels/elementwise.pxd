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


