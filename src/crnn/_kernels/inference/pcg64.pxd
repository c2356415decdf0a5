"""NumPy's PCG64: bit for bit the numbers that `Generator.random` draws, from many streams in parallel.

NumPy takes microseconds to switch between streams, enough time to draw a name. Here a stream's state is
an argument: two halves of a 128-bit number, upper half first. The arithmetic needs no type of that width.
"""
from libc.stdint cimport uint64_t
from ..common.interface cimport UInt128


cdef inline UInt128 wide(const uint64_t* halves) noexcept nogil:
    """Return the number with these halves, the upper one first."""
    cdef UInt128 a
    a.high = halves[0]
    a.low = halves[1]
    return a


cdef inline UInt128 multiplied(UInt128 a, UInt128 b, UInt128 plus) noexcept nogil:
    """Return a * b + plus, modulo 2**128."""
    # The lower halves are multiplied in quarters of 32 bits: a.low = a1 2**32 + a0, and b.low likewise.
    cdef uint64_t a0 = <unsigned int>a.low
    cdef uint64_t a1 = a.low >> 32
    cdef uint64_t b0 = <unsigned int>b.low
    cdef uint64_t b1 = b.low >> 32
    cdef uint64_t first = a0 * b0
    cdef uint64_t middle = a1 * b0 + (first >> 32)
    cdef uint64_t other = a0 * b1 + <unsigned int>middle
    cdef UInt128 out
    out.low = a.low * b.low + plus.low
    out.high = (a1 * b1 + (middle >> 32) + (other >> 32) + a.high * b.low + a.low * b.high + plus.high
                + (out.low < plus.low))
    return out


cdef inline double next_uniform(uint64_t* state, UInt128 increment) noexcept nogil:
    """Advance a stream by one; return its number in [0, 1)."""
    cdef UInt128 multiplier, now
    cdef uint64_t folded
    cdef int turn
    multiplier.high = 0x2360ED051FC65DA4u
    multiplier.low = 0x4385DF649FCCF645u
    now = multiplied(wide(state), multiplier, increment)
    state[0] = now.high
    state[1] = now.low
    folded = now.high ^ now.low
    turn = <int>(now.high >> 58)
    folded = (folded >> turn) | (folded << (-turn & 63))
    return (folded >> 11) * (1.0 / 9007199254740992.0)  # 2**-53
